"""What ``ensure_running`` and ``ensure_stopped`` have in common: input, errors, cancellation."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from aiorekostream import errors
from aiorekostream.emulator import Timings
from aiorekostream.errors import InvalidRequestError, RequestCancelledError
from aiorekostream.fleet import Fleet
from aiorekostream.testing import MemoryTransport
from tests.fleet.service import (
    FACE,
    START,
    STOP,
    faces,
    leave,
    names,
    refusal,
    run,
    service_of,
    stream,
    throttling,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from aiorekostream.fleet import StartReport, StopReport


def ensure(verb: str, fleet: Fleet, *, sources: Any = None, **options: Any) -> Awaitable[StartReport | StopReport]:  # noqa: ANN401
    if verb == "running":
        return fleet.ensure_running(faces(3) if sources is None else sources, **options)
    return fleet.ensure_stopped(names(3, "face") if sources is None else sources, **options)


@pytest.mark.parametrize("verb", ["running", "stopped"])
@pytest.mark.parametrize(
    ("sources", "options", "path"),
    [
        ("face-0", {}, None),
        (FACE, {}, None),
        (None, {"timeout": -1}, "timeout"),
        (None, {"timeout": "5"}, "timeout"),
        (None, {"timeout": float("nan")}, "timeout"),
    ],
)
def test_ensure_reports_bad_input_before_anything_is_sent(
    verb: str, sources: object, options: dict[str, Any], path: str | None
) -> None:
    service = service_of(face_searches=3)

    async def main() -> None:
        await ensure(verb, Fleet(service.client()), sources=sources, **options)

    with pytest.raises(InvalidRequestError) as caught:
        run(main())
    (issue,) = caught.value.issues
    assert issue.path == (path or {"running": "requests", "stopped": "names"}[verb])
    assert service.calls == []


@pytest.mark.parametrize("verb", ["running", "stopped"])
def test_ensure_reads_an_async_iterator_and_raises_its_error(verb: str) -> None:
    """The error itself, and only when what was read has its outcome."""
    service = service_of(face_searches=3)
    is_closed = False

    async def source() -> AsyncIterator[object]:
        nonlocal is_closed
        try:
            for item in faces(3)[:2] if verb == "running" else names(2, "face"):
                yield item
                await asyncio.sleep(0.1)
            raise ZeroDivisionError
        finally:
            is_closed = True

    async def main() -> None:
        service.start_all() if verb == "stopped" else None
        with pytest.raises(ZeroDivisionError):
            await ensure(verb, Fleet(service.client()), sources=source())
        assert len(await ensure(verb, Fleet(service.client()), sources=stream(faces(0), every=1))) == 0

    run(main())
    assert is_closed


@pytest.mark.parametrize("verb", ["running", "stopped"])
@pytest.mark.parametrize("after", [0.0, 0.01, 0.06, 0.12, 0.7, 1.3, 2.5])
def test_cancelled_ensure_leaves_nothing_behind(verb: str, after: float) -> None:
    """Neither a task, nor a request, nor a wait: what is not sent is cancelled."""
    service = service_of(face_searches=3, timings=Timings(starting=5, stopping=5))

    async def main() -> tuple[int, int]:
        if verb == "stopped":
            service.start_all()
            await asyncio.sleep(10)
        fleet = Fleet(service.client())
        await leave(ensure(verb, fleet), after=after)
        await fleet.aclose()
        sent = len(service.calls)
        await asyncio.sleep(100)
        return sent, len(service.calls)

    before, after_ = run(main())
    assert before == after_


@pytest.mark.parametrize("verb", ["running", "stopped"])
def test_ensure_ends_when_the_fleet_is_closed(verb: str) -> None:
    service = service_of(face_searches=3)
    service.before = lambda operation, _: throttling(retry_after=60) if operation in {START, STOP} else None

    async def main() -> StartReport | StopReport:
        if verb == "stopped":
            service.start_all()
            await asyncio.sleep(5)
        fleet = Fleet(service.client())
        ensuring = asyncio.ensure_future(ensure(verb, fleet))
        await asyncio.sleep(3)
        await fleet.aclose()
        return await ensuring

    report = run(main())
    assert report.counts == {"failed": 3}
    assert {type(it.error) for it in report.failed} == {RequestCancelledError}


@pytest.mark.parametrize("verb", ["running", "stopped"])
def test_ensure_fails_for_each_request_when_the_client_does_not_open(verb: str) -> None:
    class ClosedTransport(MemoryTransport):
        async def open(self) -> None:
            raise errors.ConfigurationError("the client is closed")

    service = service_of(face_searches=3)

    async def main() -> StartReport | StopReport:
        return await ensure(verb, Fleet(service.client(transport=ClosedTransport(service.answer))))

    report = run(main())
    assert [type(it.error) for it in report.failed] == [errors.ConfigurationError] * 3


@pytest.mark.parametrize("verb", ["running", "stopped"])
def test_ensure_has_no_more_than_max_pending_at_once(verb: str) -> None:
    service = service_of(face_searches=6)
    read: list[float] = []

    async def source() -> AsyncIterator[object]:
        for item in faces(6) if verb == "running" else names(6, "face"):
            read.append(service.clock.now())
            yield item

    async def main() -> StartReport | StopReport:
        if verb == "stopped":
            service.start_all()
            await asyncio.sleep(5)
        return await ensure(verb, Fleet(service.client(), max_pending=2), sources=source())

    assert len(run(main())) == 6
    assert read[0] == read[1] < read[2]


@pytest.mark.parametrize("verb", ["running", "stopped"])
def test_error_of_one_processor_leaves_the_others_alone(verb: str) -> None:
    service = service_of(face_searches=3)

    def bug(operation: str, name: str) -> Exception | None:
        if operation in {START, STOP} and name == "face-1":
            return refusal(errors.AccessDeniedError, operation)
        return None

    async def main() -> StartReport | StopReport:
        if verb == "stopped":
            service.start_all()
            await asyncio.sleep(5)
        service.before = bug
        return await ensure(verb, Fleet(service.client()))

    report = run(main())
    assert Counter(report.counts) == {"started" if verb == "running" else "stopped": 2, "failed": 1}


@pytest.mark.parametrize("verb", ["running", "stopped"])
def test_unexpected_error_fails_its_processor(verb: str, caplog: pytest.LogCaptureFixture) -> None:
    service = service_of(face_searches=3)

    class CrashingTransport(MemoryTransport):
        async def open(self) -> None:
            raise ZeroDivisionError

    async def main() -> StartReport | StopReport:
        return await ensure(verb, Fleet(service.client(transport=CrashingTransport(service.answer))))

    report = run(main())
    assert [type(it.error) for it in report.failed] == [ZeroDivisionError] * 3
    assert "face-0 could not be brought to its state" in caplog.text


@pytest.mark.parametrize("verb", ["running", "stopped"])
def test_ensure_that_is_cancelled_twice_ends_at_once(verb: str) -> None:
    service = service_of(face_searches=3)
    service.latency = 50

    async def main() -> float:
        if verb == "stopped":
            service.start_all()
        ensuring = asyncio.ensure_future(ensure(verb, Fleet(service.client())))
        await asyncio.sleep(1)
        for _ in range(2):
            ensuring.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([ensuring])
        return service.clock.now()

    assert run(main()) < 2
