"""Call the emulator as a browser does for a web page of another origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiorekostream.emulator import Emulator
from aiorekostream.errors import InvalidRequestError
from tests.emulator.clients import exchange, http

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAGE = "http://localhost:3000"
CONTROL = {"X-Amz-Target": None, "Authorization": None, "Content-Type": None}


def preflight(origin: str, path: str = "/", **headers: str) -> bytes:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-amz-target",
        **headers,
    }
    return http(method="OPTIONS", path=path, headers={**CONTROL, "Content-Length": None, **asked}, body=b"")


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with Emulator(allow_origins=[PAGE, "https://Console.example.com/"], quotas=False) as emulator:
        yield emulator


async def test_preflight_of_an_allowed_origin_is_answered(emulator: Emulator) -> None:
    response = await exchange(emulator.url, preflight(PAGE))
    assert (response.status, response.body) == (204, b"")
    assert response.headers["access-control-allow-origin"] == PAGE
    assert response.headers["access-control-allow-methods"] == "GET, HEAD, POST"
    assert response.headers["access-control-allow-headers"] == "authorization,content-type,x-amz-target"
    assert response.headers["vary"] == "Origin"
    assert emulator.calls == ()


async def test_preflight_allows_a_private_network_when_asked(emulator: Emulator) -> None:
    asked = {"Access-Control-Request-Private-Network": "true"}
    response = await exchange(emulator.url, preflight(PAGE, **asked))
    assert response.headers["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize(("body", "status"), [(b"{}", 200), (b"?", 400), (b"x" * (2 * 1024 * 1024), 413)])
async def test_allowed_page_can_read_the_response(emulator: Emulator, body: bytes, status: int) -> None:
    response = await exchange(emulator.url, http(headers={"Origin": "https://console.example.com"}, body=body))
    assert response.status == status
    assert response.headers["access-control-allow-origin"] == "https://console.example.com"
    exposed = response.headers["access-control-expose-headers"].lower().split(", ")
    assert {"x-amzn-requestid", "date", "x-emulator-date"} <= set(exposed)


@pytest.mark.parametrize("origin", ["http://localhost:3001", "https://localhost:3000", "null", "http://evil\x7f"])
async def test_page_of_another_origin_is_refused(emulator: Emulator, origin: str) -> None:
    asked = await exchange(emulator.url, preflight(origin))
    sent = await exchange(emulator.url, http(headers={"Origin": origin}))
    assert asked.status >= 400
    assert sent.status >= 400
    assert not {name for name in {**asked.headers, **sent.headers} if name.startswith("access-control")}
    assert not any(call.done for call in emulator.calls)


async def test_every_page_is_refused_by_default() -> None:
    async with Emulator() as emulator:
        asked = await exchange(emulator.url, preflight(PAGE))
        sent = await exchange(emulator.url, http(headers={"Origin": PAGE}))
        assert (asked.status, asked.json["__type"]) == (404, "UnknownOperationException")
        assert (sent.status, sent.json["__type"]) == (403, "AccessDeniedException")
        assert "allow_origins" in sent.json["Message"]
        assert (await exchange(emulator.url, http())).status == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_page_is_refused_by_default_with_every_method(emulator: Emulator, method: str) -> None:
    response = await exchange(emulator.url, http(method=method, path="/bucket/key", headers={"Origin": "http://evil"}))
    assert response.status == 403
    assert not {name for name in response.headers if name.startswith("access-control")}


async def test_every_page_is_allowed_by_a_star() -> None:
    async with Emulator(allow_origins=["*"]) as emulator:
        for origin in (PAGE, "null"):
            assert (await exchange(emulator.url, preflight(origin))).status == 204
            response = await exchange(emulator.url, http(headers={"Origin": origin}))
            assert (response.status, response.headers["access-control-allow-origin"]) == (200, origin)
        response = await exchange(emulator.url, http(headers={"Origin": "no origin"}))
        assert response.status == 403
        assert "access-control-allow-origin" not in response.headers


async def test_letters_of_an_origin_may_be_capital(emulator: Emulator) -> None:
    response = await exchange(emulator.url, http(headers={"Origin": "http://LocalHost:3000"}))
    assert (response.status, response.headers["access-control-allow-origin"]) == (200, "http://LocalHost:3000")


async def test_control_endpoints_are_closed_to_allowed_pages() -> None:
    async with Emulator(allow_origins=["*"]) as emulator:
        asked = await exchange(emulator.url, preflight(PAGE, "/_emulator/reset"))
        sent = await exchange(
            emulator.url, http(path="/_emulator/reset", headers={**CONTROL, "Origin": PAGE}, body=b"")
        )
        assert (asked.status, sent.status) == (404, 403)
        assert not {name for name in {**asked.headers, **sent.headers} if name.startswith("access-control")}


@pytest.mark.parametrize("origin", ["localhost:3000", "http://localhost/page", "http://", "", "http://a b", 3000])
def test_invalid_origin_is_rejected(origin: object) -> None:
    given: list[object] = [PAGE, origin]
    with pytest.raises(InvalidRequestError, match=r"allow_origins\[1\]: must be an origin"):
        Emulator(allow_origins=given)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidRequestError, match="allow_origins: must be a collection"):
        Emulator(allow_origins=PAGE)
