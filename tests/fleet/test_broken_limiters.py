"""Rate limiters and permits that break their contract: outcomes stay true, and every request gets one."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING, cast

import attrs
import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.fleet import Fleet
from aiorekostream.testing import MemoryTransport
from tests.fleet.service import (
    DESCRIBE,
    FACE,
    START,
    VirtualClock,
    faces,
    label,
    lost,
    once,
    refusal,
    run,
    throttling,
    unlimited_service_of,
)

if TYPE_CHECKING:
    from aiorekostream.fleet import StartOutcome, StartReport
    from aiorekostream.rate_limiting import Permit, PermitRequest
    from tests.fleet.service import Service

_FAILURE = ConnectionError("the store of the quotas is away")


@attrs.define
class FailingPermit:
    """Raises at each report."""

    failure: BaseException = _FAILURE

    def allowed(self) -> None:
        raise self.failure

    throttled = cancel = allowed


@attrs.define(eq=False)
class FailingLimiter:
    """Grants permits that fail, and raises for an operation."""

    operation: str = ""
    failure: BaseException = _FAILURE
    of_permits: BaseException = _FAILURE

    async def acquire(self, request: PermitRequest) -> Permit:
        if request.operation == self.operation:
            raise self.failure
        return FailingPermit(self.of_permits)


class EmptyLimiter:
    """Forgets to return the permit."""

    async def acquire(self, request: PermitRequest) -> Permit:
        del request
        return cast("Permit", cast("object", None))


async def _start(service: Service, limiter: FailingLimiter | EmptyLimiter, way: str) -> object:
    """Start a face search through the client or the fleet, and return its session or its error."""
    client = service.client(rate_limiter=limiter)
    if way == "fleet":
        outcome = await Fleet(client).submit(FACE)
        return getattr(outcome, "error", outcome)
    try:
        return await client.start_stream_processor(FACE)
    except Exception as error:  # noqa: BLE001 - whatever it is, the test looks at it
        return error


_WAYS = pytest.mark.parametrize("way", ["client", "fleet"])


@_WAYS
@pytest.mark.parametrize("failure", [_FAILURE, asyncio.CancelledError("of a future of the limiter")])
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (None, (rks.StartedSession, rks.Started)),
        (throttling(), (rks.StartedSession, rks.Started)),
        (refusal(errors.AccessDeniedError, START), errors.AccessDeniedError),
        (errors.ConnectError("refused", operation=START, retry_safe=True), (rks.StartedSession, rks.Started)),
    ],
    ids=["success", "throttle", "refusal", "no connection"],
)
def test_outcome_is_that_of_the_service_when_the_permit_fails(
    way: str, answer: Exception | None, expected: type, failure: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    service = unlimited_service_of(face_searches=1)
    service.before = service.before if answer is None else once(answer)
    assert isinstance(run(_start(service, FailingLimiter(of_permits=failure), way)), expected)
    assert f"the permit of {START} could not be reported to the rate limiter" in caplog.messages


@_WAYS
@pytest.mark.parametrize("failure", [_FAILURE, TimeoutError()], ids=["error", "timeout"])
def test_lost_start_is_unknown_when_the_limiter_fails_then(way: str, failure: Exception) -> None:
    """The outcome cannot be determined without a permit for DescribeStreamProcessor."""
    service = unlimited_service_of(face_searches=1)
    service.before = once(lost())
    error = run(_start(service, FailingLimiter(DESCRIBE, failure), way))
    assert isinstance(error, errors.UnknownOutcomeError)
    assert error.__cause__ is failure


@_WAYS
def test_cancellation_that_the_limiter_raises_is_its_failure(way: str) -> None:
    """The outcome of a request that the program has cancelled would be untrue."""
    service, failure = unlimited_service_of(face_searches=1), asyncio.CancelledError("of a future of the limiter")
    error = run(_start(service, FailingLimiter(START, failure), way))
    assert isinstance(error, RuntimeError)
    assert str(error) == "the rate limiter raised CancelledError"
    assert not service.calls
    service.before = once(lost())
    assert isinstance(run(_start(service, FailingLimiter(DESCRIBE, failure), way)), errors.UnknownOutcomeError)


@_WAYS
def test_limiter_that_returns_no_permit_is_a_configuration_error(way: str) -> None:
    service = unlimited_service_of(face_searches=1)
    error = run(_start(service, EmptyLimiter(), way))
    assert isinstance(error, errors.ConfigurationError)
    assert "returned None" in str(error)
    assert not service.calls


@_WAYS
def test_timeout_of_the_limiter_is_not_that_of_the_request(way: str) -> None:
    """Its own connection has timed out at once, so "not within 60 s" would be untrue."""
    service, failure = unlimited_service_of(face_searches=1), TimeoutError("the store of the quotas is slow")
    error = run(_start(service, FailingLimiter(START, failure), way))
    assert isinstance(error, TimeoutError)
    assert str(error) == str(failure)


class OwnArgumentsError(Exception):
    """An exception that cannot be copied."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"{host}:{port} is away")


def test_requests_fail_when_the_error_of_the_limiter_cannot_be_copied() -> None:
    service, failure = unlimited_service_of(face_searches=2), OwnArgumentsError("redis", 6379)
    report = run(Fleet(service.client(rate_limiter=FailingLimiter(START, failure))).start(faces(2)))
    assert [str(it.error) for it in report.failed] == ["redis:6379 is away"] * 2


@pytest.mark.parametrize("steps", range(12))
def test_outcome_is_there_when_every_task_and_its_permit_fail(steps: int) -> None:
    """Every task is cancelled at a step of the event loop, and permits cannot be cancelled."""
    service = unlimited_service_of(face_searches=3, latency=0)

    async def main() -> StartReport:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
        starting = Fleet(service.client(rate_limiter=FailingLimiter())).iter_start(faces(3))
        waiting = asyncio.create_task(starting.wait())
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task(), waiting}:
            task.cancel()
        async with asyncio.timeout(100):
            return await waiting

    report = run(main())
    assert len(report) in {0, 3}  # nothing is read where the task of the reader has not begun
    assert len(report.started) + len(report.unknown) == service.count(START)


@attrs.frozen
class JumpingClock(VirtualClock):
    """A clock that jumps ahead by seconds that a test adds."""

    jumps: list[float] = attrs.field(factory=list[float])

    def now(self) -> float:
        return super().now() + sum(self.jumps)


def test_other_requests_go_on_when_a_permit_that_is_not_used_fails() -> None:
    """The only runnable request has expired when its permit comes, and another one waits for a session to end."""
    service, waits = unlimited_service_of(2), [0.0, 3.0]

    class LateLimiter(FailingLimiter):
        async def acquire(self, request: PermitRequest) -> Permit:
            clock.jumps.append(waits.pop(0) if waits and request.operation == START else 0.0)
            return await super().acquire(request)

    service.clock = clock = JumpingClock()

    async def main() -> list[StartOutcome]:
        fleet = Fleet(service.client(rate_limiter=LateLimiter()))
        first = await fleet.submit(label("camera-0", 5))
        waiting = asyncio.create_task(fleet.submit(label("camera-0", 5)))
        await asyncio.sleep(0)
        late = await fleet.submit(label("camera-1"), expires_at=clock.wall() + datetime.timedelta(seconds=1))
        return [first, late, await waiting]

    assert [type(it) for it in run(main())] == [rks.Started, rks.Expired, rks.Started]


def test_call_goes_on_when_a_permit_without_a_connection_fails() -> None:
    class BusyTransport(MemoryTransport):
        connections = 0

        @property
        def is_ready(self) -> bool:
            return self.connections > 0

        async def ready(self) -> None:
            self.connections += 1

    async def main() -> object:
        service = unlimited_service_of(face_searches=1)
        client = service.client(rate_limiter=FailingLimiter(), transport=BusyTransport(service.answer))
        return await client.start_stream_processor(FACE)

    assert isinstance(run(main()), rks.StartedSession)
