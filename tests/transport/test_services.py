"""Clients of other services: opened once, one request for each attempt, and the package's errors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiobotocore.session import AioSession

from aiorekostream import errors
from aiorekostream.transport.services import ServiceClient
from aiorekostream.transport.timeout import Timeout
from tests.transport.counterpart import RESET, StubAnswer, error, http

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.transport.options import AwsSession
    from tests.transport.counterpart import Counterpart, Request, Script

MEMBERS: Mapping[str, object] = {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/doors"}


def _client(
    url: str,
    *,
    region: str | None = "us-east-1",
    profile: str | None = None,
    session: AwsSession | None = None,
    read: float = 5,
) -> ServiceClient:
    return ServiceClient(
        "sqs",
        region=region,
        endpoint_url=url,
        profile=profile,
        session=session,
        timeout=Timeout(connect=5, read=read),
        max_connections=5,
    )


async def _members(response: dict[str, object]) -> dict[str, object]:
    response.pop("ResponseMetadata")
    return response


async def _receive(client: ServiceClient) -> dict[str, object]:
    return await client.call("receive_message", MEMBERS, _members)


def _always(answer: StubAnswer) -> Script:
    return lambda _: answer


async def test_concurrent_calls_share_one_client(counterpart: Counterpart) -> None:
    created: list[None] = []

    def note(**_: object) -> None:
        created.append(None)

    session = AioSession()
    session.register("creating-client-class.sqs", note)
    client = _client(counterpart.url, session=session)
    assert await asyncio.gather(*(_receive(client) for _ in range(3))) == [{}, {}, {}]
    await client.open()
    await client.aclose()
    await client.aclose()
    assert len(created) == 1
    assert counterpart.connections <= 3
    assert {request.operation for request in counterpart.requests} == {"ReceiveMessage"}


async def test_cancelled_opening_does_not_disturb_others(counterpart: Counterpart) -> None:
    client = _client(counterpart.url)
    first, second = asyncio.create_task(_receive(client)), asyncio.create_task(_receive(client))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == {}
    await client.aclose()


async def test_client_that_is_closed_while_it_opens_stays_closed(counterpart: Counterpart) -> None:
    client = _client(counterpart.url)
    call = asyncio.create_task(_receive(client))
    await asyncio.sleep(0)
    await client.aclose()
    with pytest.raises(errors.ConfigurationError, match="closed"):
        await call
    with pytest.raises(errors.ConfigurationError, match="closed"):
        await _receive(client)
    assert counterpart.requests == []


async def test_every_failure_is_one_request_and_an_error_of_the_package(counterpart: Counterpart) -> None:
    answers: list[tuple[StubAnswer, type[errors.RekostreamError], bool]] = [
        (error("AccessDenied", status=403), errors.AccessDeniedError, True),
        (error("OverLimit", status=403), errors.ThrottlingError, True),
        (error("InternalError", status=500), errors.InternalServerError, True),
        (http(b"<html>", status=503), errors.ServiceError, True),
        (http(b"<html>"), errors.MalformedResponseError, True),
        (RESET, errors.ConnectionLostError, True),
    ]
    client = _client(counterpart.url)
    for answer, kind, retry_safe in answers:
        counterpart.requests.clear()
        counterpart.script = _always(answer)
        with pytest.raises(kind) as caught:
            await _receive(client)
        assert caught.value.retry_safe is retry_safe
        assert len(counterpart.requests) == 1
    await client.aclose()


async def test_silent_service_is_a_lost_connection(counterpart: Counterpart) -> None:
    async def never(_: Request) -> StubAnswer:
        await asyncio.get_running_loop().create_future()
        return http()

    counterpart.script = never
    client = _client(counterpart.url, read=0.05)
    with pytest.raises(errors.ConnectionLostError):
        await _receive(client)
    await client.aclose()


async def test_error_of_reading_is_one_of_the_attempt(counterpart: Counterpart) -> None:
    async def read(_: dict[str, object]) -> None:
        raise ConnectionResetError("the body broke off")

    client = _client(counterpart.url)
    with pytest.raises(errors.ConnectionLostError, match="broke off"):
        await client.call("receive_message", MEMBERS, read)
    await client.aclose()


async def test_session_of_the_caller_is_used(counterpart: Counterpart) -> None:
    session = AioSession()
    session.set_credentials("AKIAOTHER", "secret")
    client = _client(counterpart.url, session=session)
    await _receive(client)
    await client.aclose()
    assert "AKIAOTHER" in counterpart.requests[0].headers["authorization"]


async def test_configuration_errors_are_raised_before_anything_is_sent(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch
) -> None:
    for client in (_client(counterpart.url, region=None), _client(counterpart.url, profile="nobody")):
        with pytest.raises(errors.ConfigurationError):
            await client.open()
        await client.aclose()
    with pytest.raises(errors.InvalidRequestError, match="not both"):
        _client(counterpart.url, profile="doors", session=AioSession())
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    client = _client(counterpart.url)
    with pytest.raises(errors.ConfigurationError, match="credentials"):
        await _receive(client)
    await client.aclose()
    assert counterpart.requests == []
