"""The HTTP endpoints for SNS in the guides, with messages that are signed as SNS signs them."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp import web as aiohttp_web

from aiorekostream import results
from tests.results.signed_messages import CONFIRMATION, NOTIFICATION, SUBSCRIBE_URL, Web, signed

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "notifications-over-http.md"
TOPIC = "arn:aws:sns:us-east-1:111122223333:doors"  # of the guide
OTHER_TOPIC = "arn:aws:sns:us-east-1:999999999999:doors"


def _body(message: Mapping[str, str], topic: str = TOPIC, **changes: object) -> bytes:
    return json.dumps(signed({**message, "TopicArn": topic}, "2", **changes)).encode()


def _program(heading: str, folder: Path) -> Any:  # noqa: ANN401 - a module of the guide
    """Import the program under a heading of the guide."""
    found = re.search(rf"^## {heading}\n.*?^```python\n(.*?)^```$", GUIDE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None
    path = folder / "endpoint.py"
    path.write_text(found[1], encoding="utf-8")
    spec = importlib.util.spec_from_file_location("endpoint", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def _post_to_aiohttp(program: Any, body: bytes) -> int:  # noqa: ANN401 - a module of the guide
    runner = aiohttp_web.AppRunner(program.app)
    await runner.setup()
    try:
        await aiohttp_web.TCPSite(runner, "127.0.0.1", 0).start()
        _, port = runner.addresses[0][:2]
        async with aiohttp.ClientSession() as session, session.post(f"http://127.0.0.1:{port}/doors", data=body) as got:
            return got.status
    finally:
        await runner.cleanup()


@attrs.define
class _AsgiRequest:
    """A request of ASGI whose body comes in parts of 64 KiB."""

    body: bytes
    read: int = 0
    sent: list[Mapping[str, Any]] = attrs.field(factory=list)

    async def receive(self) -> Mapping[str, Any]:
        part = self.body[self.read : self.read + 65_536]
        self.read += len(part)
        return {"type": "http.request", "body": part, "more_body": self.read < len(self.body)}

    async def send(self, message: Mapping[str, Any]) -> None:
        self.sent.append(message)


async def _post_to_asgi(program: Any, body: bytes) -> int:  # noqa: ANN401 - a module of the guide
    request = _AsgiRequest(body)
    await program.app({"type": "http", "method": "POST", "path": "/doors"}, request.receive, request.send)
    start, end = request.sent
    assert (start["type"], end["type"]) == ("http.response.start", "http.response.body")
    return int(start["status"])


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Web:
    """What the endpoints fetch in place of the hosts of SNS."""
    found = Web()
    found.pages[SUBSCRIBE_URL] = b"<ConfirmSubscriptionResponse/>"
    certificates = results.SnsCertificates(fetch=found.fetch)
    verify = functools.partial(results.verify_sns_message, certificates=certificates, fetch=found.fetch)
    monkeypatch.setattr(results, "verify_sns_message", verify)
    return found


@pytest.fixture(params=[("With aiohttp", _post_to_aiohttp), ("With ASGI", _post_to_asgi)], ids=["aiohttp", "asgi"])
def post(request: pytest.FixtureRequest, web: Web, tmp_path: Path) -> Callable[[bytes], int]:  # noqa: ARG001 - patches
    """Post a body to each endpoint of the guide, and return the status of the response."""
    heading, send = request.param
    program = _program(heading, tmp_path)
    return lambda body: asyncio.run(send(program, body))


def test_endpoint_prints_the_event_of_a_notification(
    post: Callable[[bytes], int], web: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    assert post(_body(NOTIFICATION)) == 200
    assert capsys.readouterr().out.startswith("LabelDetected(")
    assert SUBSCRIBE_URL not in web.fetched


def test_endpoint_confirms_the_subscription(post: Callable[[bytes], int], web: Web) -> None:
    assert post(_body(CONFIRMATION)) == 200
    assert web.fetched[-1] == SUBSCRIBE_URL


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (_body(NOTIFICATION, OTHER_TOPIC), 403),
        (_body(CONFIRMATION, OTHER_TOPIC), 403),
        (_body(NOTIFICATION, Message="{}"), 403),
        (_body({**NOTIFICATION, "Message": "{}"}), 400),
        (b"junk", 400),
    ],
    ids=["other-topic", "other-subscription", "changed", "no-event", "junk"],
)
def test_endpoint_refuses_what_is_not_for_it(
    post: Callable[[bytes], int], web: Web, body: bytes, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert post(body) == status
    assert capsys.readouterr().out == ""
    assert SUBSCRIBE_URL not in web.fetched


def test_endpoint_asks_for_the_message_again_when_it_cannot_verify(post: Callable[[bytes], int], web: Web) -> None:
    web.pages = {}
    assert post(_body(NOTIFICATION)) == 503


def test_asgi_endpoint_reads_no_more_than_a_message_has(tmp_path: Path) -> None:
    program = _program("With ASGI", tmp_path)
    request = _AsgiRequest(b" " * 10_000_000)
    asyncio.run(program.app({"type": "http"}, request.receive, request.send))
    assert request.sent[0]["status"] == 400
    assert request.read <= program.MAX_BYTES + 65_536
