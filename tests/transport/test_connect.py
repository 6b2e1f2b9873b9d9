"""The transport opens once, with the first call, off the event loop, and stays closed."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from aiobotocore.client import AioBaseClient

from aiorekostream import errors
from aiorekostream.transport import connect
from aiorekostream.transport.aws import AwsTransport
from tests.transport.counterpart import RESET, Counterpart, Request, StubAnswer, http, serving

if TYPE_CHECKING:
    from aiobotocore.session import AioSession
    from botocore.loaders import Loader

    from aiorekostream.transport.connection import Connection
    from aiorekostream.transport.options import TransportOptions

_A_CALL = ("StopStreamProcessor", {"Name": "a"})


def test_import_of_the_transport_loads_no_heavy_dependency() -> None:
    program = """
import sys, aiorekostream.transport.aws, aiorekostream.testing
print({"aiobotocore", "botocore", "aiohttp"} & set(sys.modules))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[TransportOptions]:
    """Every opening of a client, as it begins."""
    begun: asyncio.Queue[TransportOptions] = asyncio.Queue()
    open_client = connect.connect

    async def counted(settings: TransportOptions, session: AioSession | None) -> Connection:
        begun.put_nowait(settings)
        return await open_client(settings, session)

    monkeypatch.setattr(connect, "connect", counted)
    return begun


async def test_first_call_opens_the_client_and_the_others_share_it(
    counterpart: Counterpart, openings: asyncio.Queue[TransportOptions]
) -> None:
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    await asyncio.gather(*(transport.send(*_A_CALL) for _ in range(5)))
    await transport.send(*_A_CALL)
    await transport.aclose()
    assert openings.qsize() == 1
    assert len(counterpart.requests) == 6


async def test_cancelled_waiter_leaves_the_opening_to_the_others(
    counterpart: Counterpart, openings: asyncio.Queue[TransportOptions]
) -> None:
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    waiting = [asyncio.create_task(transport.open()) for _ in range(3)]
    await openings.get()
    waiting[0].cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError, type(None), type(None)]
    await transport.send(*_A_CALL)
    await transport.aclose()
    assert openings.empty()


async def test_failed_opening_raises_for_all_and_is_retried_by_the_next(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = AwsTransport(endpoint_url=counterpart.url)
    results = await asyncio.gather(*(transport.send(*_A_CALL) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [errors.ConfigurationError] * 3
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    await transport.send(*_A_CALL)
    assert transport.region == "eu-west-1"
    await transport.aclose()


async def test_closed_transport_rejects_calls_and_may_be_closed_again(counterpart: Counterpart) -> None:
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    await transport.send(*_A_CALL)
    await transport.aclose()
    await transport.aclose()
    with pytest.raises(errors.ConfigurationError, match="closed"):
        await transport.send(*_A_CALL)
    with pytest.raises(errors.ConfigurationError, match="closed"):
        await transport.open()


async def test_transport_that_was_never_opened_can_be_closed() -> None:
    transport = AwsTransport()
    await transport.aclose()
    with pytest.raises(errors.ConfigurationError, match="closed"):
        await transport.open()


async def test_close_ends_the_opening_with_configuration_error(
    openings: asyncio.Queue[TransportOptions],
) -> None:
    transport = AwsTransport(region="us-east-1")
    waiting = asyncio.create_task(transport.open())
    await openings.get()
    await transport.aclose()
    with pytest.raises(errors.ConfigurationError, match="closed"):
        await waiting


async def test_close_cancels_the_calls_in_flight() -> None:
    asked = asyncio.Event()
    silence = asyncio.Event()

    async def hang(_: Request) -> StubAnswer:
        asked.set()
        await silence.wait()
        return http()

    async with serving(hang) as counterpart:
        transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
        sending = asyncio.create_task(transport.send(*_A_CALL))
        await asked.wait()
        await transport.aclose()
        with pytest.raises(errors.ConnectionLostError):
            await sending


async def test_transport_belongs_to_the_event_loop_that_opened_it(counterpart: Counterpart) -> None:
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    await transport.open()
    with pytest.raises(errors.ConfigurationError, match="another event loop"):
        await asyncio.to_thread(asyncio.run, transport.send(*_A_CALL))
    await transport.aclose()


async def test_transport_is_closed_only_by_the_loop_that_opened_it(counterpart: Counterpart) -> None:
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    await transport.send(*_A_CALL)
    with pytest.raises(errors.ConfigurationError, match="another event loop"):
        await asyncio.to_thread(asyncio.run, transport.aclose())
    await transport.send(*_A_CALL)
    await transport.aclose()


async def test_data_is_read_in_a_worker_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    read = connect._read_data

    def noted(loader: Loader) -> None:
        threads.append(threading.current_thread())
        read(loader)

    monkeypatch.setattr(connect, "_read_data", noted)
    async with AwsTransport(region="us-east-1"):
        pass
    assert threads
    assert threading.main_thread() not in threads


async def test_instrumentation_of_aiobotocore_observes_every_call(
    transport: AwsTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    # OpenTelemetry's, X-Ray's and Datadog's instrumentation replace this method.
    heard: list[str] = []
    original = AioBaseClient._make_api_call

    async def instrumented(
        self: AioBaseClient, operation_name: str, api_params: dict[str, object]
    ) -> dict[str, object]:
        heard.append(operation_name)
        return await original(self, operation_name, api_params)

    monkeypatch.setattr(AioBaseClient, "_make_api_call", instrumented)
    await transport.send(*_A_CALL)
    assert heard == ["StopStreamProcessor"]


async def test_secrets_are_neither_shown_nor_logged(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret-key")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-session-token")
    caplog.set_level(logging.DEBUG, "aiorekostream")
    shown = [repr(AwsTransport(endpoint_url="https://user:the-password@127.0.0.1"))]
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    await transport.send(*_A_CALL)
    counterpart.script = lambda _: RESET
    with pytest.raises(errors.ConnectionLostError) as caught:
        await transport.send("StartStreamProcessor", {"Name": "a"})
    shown += [repr(transport), repr(caught.value), str(caught.value)]
    await transport.aclose()
    shown += [repr(transport)]
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("aiorekostream")]
    assert logged
    for text in (*shown, *logged):
        for secret in ("the-secret-key", "the-session-token", "the-password"):
            assert secret not in text


async def test_repr_has_the_endpoint_and_the_state() -> None:
    transport = AwsTransport(region="us-east-1", endpoint_url="http://127.0.0.1:4599")
    assert repr(transport) == "<AwsTransport for us-east-1 at 127.0.0.1:4599, not open>"
    await transport.open()
    assert repr(transport) == "<AwsTransport for us-east-1 at 127.0.0.1:4599, open>"
    await transport.aclose()
    assert repr(transport) == "<AwsTransport for us-east-1 at 127.0.0.1:4599, closed>"
    assert repr(AwsTransport()) == "<AwsTransport for the default Region, not open>"


@pytest.mark.parametrize("url", ["none", "http://", "http://[::1"])
def test_repr_of_an_invalid_endpoint_raises_nothing(url: str) -> None:
    transport = AwsTransport(region="us-east-1", endpoint_url=url)
    assert repr(transport) == "<AwsTransport for us-east-1 at an unreadable address, not open>"
