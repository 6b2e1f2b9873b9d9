"""No permit ages while its call waits for a connection, and what a call tells of its responses, in virtual time."""

from __future__ import annotations

import asyncio
import datetime
import itertools
from typing import TYPE_CHECKING

import attrs
import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.operations import START
from aiorekostream.pipeline import CallTrace
from aiorekostream.rate_limiting.limiter import LocalRateLimiter
from aiorekostream.rate_limiting.port import Permit, Priority
from aiorekostream.testing import MemoryTransport, Reply
from aiorekostream.transport.port import CredentialsNotReadyError, http_date
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiorekostream.rate_limiting import PermitRequest

_UNLIMITED = rks.Quota(1e6, 1e6)


@attrs.define
class Narrow(MemoryTransport):
    """Answers after a while, over so many connections."""

    connections: int = attrs.field(default=1, kw_only=True)
    takes: float = attrs.field(default=1.0, kw_only=True)
    sent: list[tuple[str, float]] = attrs.field(factory=list[tuple[str, float]], init=False)
    _free: asyncio.Semaphore = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.connections)

    @property
    def is_ready(self) -> bool:
        return not self._free.locked()

    async def ready(self) -> None:
        async with self._free:
            pass

    async def send(
        self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = lambda: None
    ) -> Reply:
        async with self._free:
            self.sent.append((operation, asyncio.get_running_loop().time()))
            await asyncio.sleep(self.takes)
            return await MemoryTransport.send(self, operation, body, on_sent=on_sent)


@attrs.define
class HeldPermits:
    """A rate limiter that notes which permits are held, and when they were granted."""

    inner: LocalRateLimiter = attrs.field(factory=LocalRateLimiter)
    held: dict[int, float] = attrs.field(factory=dict[int, float])
    granted: int = 0

    async def acquire(self, request: PermitRequest) -> Permit:
        permit = await self.inner.acquire(request)
        self.granted += 1
        self.held[self.granted] = asyncio.get_running_loop().time()
        return _Held(permit, self.held, self.granted)

    def rates(self) -> Mapping[str, object]:
        return {}


@attrs.define
class _Held:
    permit: Permit
    held: dict[int, float]
    number: int

    def allowed(self) -> None:
        self.held.pop(self.number)
        self.permit.allowed()

    def throttled(self) -> None:
        self.held.pop(self.number)
        self.permit.throttled()

    def cancel(self) -> None:
        self.held.pop(self.number, None)
        self.permit.cancel()


def _answer(operation: str, _: Mapping[str, object]) -> Mapping[str, object]:
    if operation == "DescribeStreamProcessor":
        return {"Name": "a", "StreamProcessorArn": "arn", "Status": "STOPPED"}
    return {}


def _client(transport: MemoryTransport, limiter: HeldPermits, **quotas: rks.Quota) -> rks.Client:
    return rks.Client(
        transport=transport, rate_limiter=limiter, limits=rks.Limits(quotas=quotas), timeout=rks.Timeout(total=6000)
    )


def test_no_permit_is_held_while_its_call_waits_for_a_connection() -> None:
    async def main() -> None:
        limiter = HeldPermits()
        transport = Narrow(_answer, connections=2, takes=10)
        client = _client(transport, limiter, StartStreamProcessor=_UNLIMITED)
        calls = [
            asyncio.ensure_future(client.start_stream_processor(rks.FaceSearchStart(f"n{number}")))
            for number in range(9)
        ]
        for number in range(5):
            await asyncio.sleep(5 + 5 * (number > 0))
            now = asyncio.get_running_loop().time()
            assert len(limiter.held) == min(2, 9 - 2 * number)
            assert all(now - granted <= 5 for granted in limiter.held.values())
        await asyncio.gather(*calls)
        assert [moment for _, moment in transport.sent] == [0, 0, 10, 10, 20, 20, 30, 30, 40]
        assert not limiter.held

    run(main())


def test_permits_are_spent_at_the_rate_when_connections_are_free_again() -> None:
    """The permits that were granted while all connections were in use are not sent in a burst."""

    async def main() -> list[float]:
        transport = Narrow(_answer, connections=10, takes=100)
        client = _client(transport, HeldPermits(), StopStreamProcessor=rks.Quota(1, 1))
        stops = [asyncio.ensure_future(client.stop_stream_processor(f"n{number}")) for number in range(30)]
        await asyncio.sleep(90)
        transport.takes = 0.0
        await asyncio.gather(*stops)
        return [moment for _, moment in transport.sent]

    moments = run(main())
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments[10:])]
    assert min(gaps) >= 0.3


def test_calls_that_wait_for_permits_keep_no_connection_from_others() -> None:
    async def main() -> float:
        transport = Narrow(_answer, connections=2, takes=0.5)
        client = _client(
            transport, HeldPermits(), StopStreamProcessor=rks.Quota(0.01, 1), DescribeStreamProcessor=_UNLIMITED
        )
        stops = [asyncio.ensure_future(client.stop_stream_processor(f"n{number}")) for number in range(20)]
        await asyncio.sleep(0.1)
        await asyncio.gather(*(client.describe_stream_processor("a") for _ in range(20)))
        for stop in stops:
            stop.cancel()
        await asyncio.gather(*stops, return_exceptions=True)
        return asyncio.get_running_loop().time()

    assert run(main()) < 20


def test_permit_of_the_caller_is_given_back_when_no_connection_is_free() -> None:
    async def main() -> None:
        limiter = HeldPermits()
        transport = Narrow(_answer, takes=10)
        client = _client(transport, limiter, StartStreamProcessor=_UNLIMITED)
        first = asyncio.ensure_future(client.start_stream_processor(rks.FaceSearchStart("first")))
        await asyncio.sleep(1)
        quota = client.pipeline.quota("StartStreamProcessor")
        assert quota is not None
        permit = await client.pipeline.acquire(
            "StartStreamProcessor", quota, priority=Priority.NORMAL, within=100, arrived_at=1
        )
        second = asyncio.ensure_future(client.pipeline.call(START, rks.FaceSearchStart("second"), permit=permit))
        await asyncio.sleep(1)
        assert list(limiter.held) == [1]
        await asyncio.gather(first, second)
        assert limiter.granted == 3

    run(main())


def test_cancelled_wait_for_a_connection_leaves_the_turn_to_others() -> None:
    async def main() -> list[float]:
        transport = Narrow(_answer, takes=10)
        client = _client(transport, HeldPermits(), StartStreamProcessor=_UNLIMITED)
        calls = [
            asyncio.ensure_future(client.start_stream_processor(rks.FaceSearchStart(f"n{number}")))
            for number in range(4)
        ]
        await asyncio.sleep(1)
        calls[1].cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        return [moment for _, moment in transport.sent]

    assert run(main()) == [0, 10, 20]


# ------------------------------------------------------------------------------------------------------- the responses


def test_unknown_outcome_has_the_code_and_id_of_the_lost_response() -> None:
    def handler(operation: str, _: Mapping[str, object]) -> Mapping[str, object]:
        raise errors.InternalServerError(
            "", operation=operation, code="InternalServerError", http_status=500, request_id=f"id-of-{operation}"
        )

    async def main() -> errors.UnknownOutcomeError:
        client = rks.Client(transport=MemoryTransport(handler))
        with pytest.raises(errors.UnknownOutcomeError) as caught:
            await client.start_stream_processor(rks.FaceSearchStart("lobby"))
        return caught.value

    error = run(main())
    assert (error.code, error.request_id) == ("InternalServerError", "id-of-StartStreamProcessor")


def test_unknown_outcome_without_a_response_has_neither() -> None:
    def handler(operation: str, _: Mapping[str, object]) -> Mapping[str, object]:
        raise errors.ConnectionLostError("reset", operation=operation)

    async def main() -> errors.UnknownOutcomeError:
        client = rks.Client(transport=MemoryTransport(handler))
        with pytest.raises(errors.UnknownOutcomeError) as caught:
            await client.start_stream_processor(rks.FaceSearchStart("lobby"))
        return caught.value

    error = run(main())
    assert (error.code, error.request_id) == (None, None)


def test_date_of_a_response_is_parsed_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Mon, 01 Jan 2024 00:00:00 GMT"
    parsed: list[str | None] = []

    def parse(found: str | None) -> datetime.datetime | None:
        parsed.append(found)
        return http_date(found)

    monkeypatch.setattr("aiorekostream.transport.port.http_date", parse)
    trace = CallTrace()
    client = rks.Client(transport=MemoryTransport(lambda _operation, _body: Reply({}, None, text)))
    run(client.pipeline.call(START, rks.FaceSearchStart("lobby"), trace=trace))
    assert not parsed
    assert trace.date == datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
    assert parsed == [text]


@pytest.mark.parametrize("total", [5, 600])
def test_credentials_that_stay_away_are_configuration_at_the_end(total: float) -> None:
    attempts: list[None] = []

    def handler(operation: str, _: Mapping[str, object]) -> Mapping[str, object]:
        attempts.append(None)
        raise CredentialsNotReadyError("HTTP 400", operation=operation, retry_safe=True)

    client = rks.Client(transport=MemoryTransport(handler), timeout=total)
    with pytest.raises(errors.ConfigurationError, match="HTTP 400"):
        run(client.start_stream_processor(rks.FaceSearchStart("lobby")))
    assert len(attempts) > 1


@pytest.mark.parametrize("total", [5, 600])
def test_opening_without_credentials_is_configuration_at_the_end(total: float) -> None:
    attempts: list[None] = []

    class SlowlyClosedTransport(MemoryTransport):
        async def open(self) -> None:
            attempts.append(None)
            await asyncio.sleep(1)
            raise CredentialsNotReadyError("HTTP 400", operation="opening", retry_safe=True)

    async def main() -> None:
        async with rks.Client(transport=SlowlyClosedTransport(_answer), timeout=total):
            pass

    with pytest.raises(errors.ConfigurationError, match="HTTP 400"):
        run(main())
    assert len(attempts) > 1


# --------------------------------------------------------------------------------------------------------------- fleets


def test_fleet_waits_for_a_connection_before_it_waits_for_a_permit() -> None:
    """No permit is given back: the connection is free when the permit is asked for."""
    transport, limiter = Narrow(_answer), HeldPermits()
    starts = [rks.FaceSearchStart(f"camera-{number}") for number in range(5)]

    async def main() -> int:
        client = rks.Client(transport=transport, rate_limiter=limiter)
        async with rks.Fleet(client) as fleet:
            return len((await fleet.start(starts)).started)

    assert run(main()) == 5
    assert limiter.granted == 5
