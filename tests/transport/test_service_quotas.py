from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, NoReturn, cast

import aiohttp
import pytest

from aiorekostream import errors
from aiorekostream.limits import DEFAULT_LIMITS, Quota
from aiorekostream.transport.service_quotas import granted_limits, read_limits
from tests.transport.counterpart import error, http

if TYPE_CHECKING:
    from tests.transport.counterpart import Counterpart, Request, StubAnswer


def _entry(code: str, value: object) -> dict[str, object]:
    return {"ServiceCode": "rekognition", "QuotaCode": code, "Value": value}


async def test_granted_quotas_replace_the_defaults(counterpart: Counterpart) -> None:
    pages = {
        None: {"Quotas": [_entry("L-71793F35", 45.0), _entry("L-UNHEARDOF", 1.0)], "NextToken": "more"},
        "more": {"Quotas": [_entry("L-85890340", 0.5), _entry("L-0A2A7683", 300.0), _entry("L-01C8D885", 20_000.0)]},
    }

    def answer(request: Request) -> StubAnswer:
        members = cast("dict[str, str]", request.members)
        assert members["ServiceCode"] == "rekognition"
        return http(json.dumps(pages[members.get("NextToken")]).encode())

    counterpart.script = answer
    limits = await read_limits(region="us-east-1", endpoint_url=counterpart.url)
    assert limits.quotas["StartStreamProcessor"] == Quota(45, 45, "L-71793F35")
    assert limits.quotas["StopStreamProcessor"] == Quota(0.5, 1, "L-85890340")
    assert limits.quotas["DescribeStreamProcessor"] == DEFAULT_LIMITS.quotas["DescribeStreamProcessor"]
    assert limits.concurrent_label_detection["us-east-1"] == 300
    assert limits.concurrent_label_detection["eu-west-1"] == 40
    assert limits.concurrent_face_search == DEFAULT_LIMITS.concurrent_face_search
    assert limits.max_stream_processors == 20_000


async def test_refusal_raises_an_error_of_the_package(counterpart: Counterpart) -> None:
    counterpart.script = lambda _: error("AccessDeniedException", "not you")
    with pytest.raises(errors.AccessDeniedError, match="ListServiceQuotas"):
        await read_limits(region="us-east-1", endpoint_url=counterpart.url)


async def test_refusal_that_repeats_the_credentials_shows_none(counterpart: Counterpart) -> None:
    counterpart.script = lambda _: error("AccessDeniedException", "wrong key: an-example-and-no-secret")
    with pytest.raises(errors.AccessDeniedError) as caught:
        await read_limits(region="us-east-1", endpoint_url=counterpart.url)
    assert "wrong key: [redacted]" in str(caught.value)
    assert "an-example" not in f"{caught.value.__cause__!r} {caught.value.__context__!r}"


@pytest.mark.parametrize("host", ["127.0.0.1:1", "host.invalid"])
async def test_api_that_is_not_reached_raises_a_connect_error(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(_resolver: object, name: str, *_: object, **_options: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, f"{name} is unknown")

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    with pytest.raises(errors.ConnectError) as caught:
        await read_limits(region="us-east-1", endpoint_url=f"http://{host}")
    assert caught.value.retry_safe


@pytest.mark.parametrize("value", [None, "20", True, -1, float("nan")])
def test_malformed_entry_is_reported_by_its_path(value: object) -> None:
    with pytest.raises(errors.MalformedResponseError, match=r"Quotas\[1\]\.Value"):
        granted_limits([_entry("L-71793F35", 20), _entry("L-85890340", value)], region="us-east-1")


def test_granted_quotas_do_not_add_a_kind_to_a_region() -> None:
    limits = granted_limits([_entry("L-8D9029A2", 10)], region="ap-southeast-2")
    assert "ap-southeast-2" not in limits.concurrent_face_search


def test_rate_of_zero_leaves_the_default() -> None:
    assert granted_limits([_entry("L-71793F35", 0)], region="us-east-1").quotas == DEFAULT_LIMITS.quotas
