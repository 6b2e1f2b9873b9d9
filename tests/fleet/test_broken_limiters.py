"""Rate limiters and permits that break their contract: outcomes stay true, and every request gets one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

import attrs
import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.fleet import Fleet
from tests.fleet.service import DESCRIBE, FACE, START, faces, lost, once, refusal, run, throttling, unlimited_service_of

if TYPE_CHECKING:
    from aiorekostream.fleet import StartReport
    from aiorekostream.rate_limiting import Permit, PermitRequest
    from tests.fleet.service import Service

_FAILURE = ConnectionError("the store of the quotas is away")


class FailingPermit:
    """Raises at each report."""

    def allowed(self) -> None:
        raise _FAILURE

    throttled = cancel = allowed


@attrs.define(eq=False)
class FailingLimiter:
    """Grants permits that fail, and raises for an operation."""

    operation: str = ""
    failure: Exception = _FAILURE

    async def acquire(self, request: PermitRequest) -> Permit:
        if request.operation == self.operation:
            raise self.failure
        return FailingPermit()


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
    way: str, answer: Exception | None, expected: type, caplog: pytest.LogCaptureFixture
) -> None:
    service = unlimited_service_of(face_searches=1)
    service.before = service.before if answer is None else once(answer)
    assert isinstance(run(_start(service, FailingLimiter(), way)), expected)
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

    assert set(run(main()).counts) <= {"started", "unknown", "failed"}
