"""Sources of requests that use their own run, or raise a cancellation: the run ends, and tells what it has not read."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from aiorekostream.errors import ConfigurationError
from aiorekostream.fleet import Fleet, StartReport
from tests.fleet.service import label, labels, run, service_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from aiorekostream.domain.requests import LabelDetectionStart
    from aiorekostream.fleet import StartRun


async def _cancelled_task() -> AsyncIterator[LabelDetectionStart]:
    """Awaits a task of its own that was cancelled."""
    yield label("camera-0")
    task = asyncio.create_task(asyncio.sleep(9))
    task.cancel()
    await task
    yield label("camera-1")


def _cancelled_future() -> Iterator[LabelDetectionStart]:
    yield label("camera-0")
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    future.result()


@pytest.mark.parametrize("source", [_cancelled_task, _cancelled_future])
def test_source_that_raises_a_cancellation_has_failed(
    source: Callable[[], AsyncIterator[LabelDetectionStart] | Iterator[LabelDetectionStart]],
) -> None:
    """Otherwise the report is without the requests that were not read, as if all were well."""
    service = service_of(2)

    async def main() -> StartReport:
        starting = Fleet(service.client()).iter_start(source())
        with pytest.raises(RuntimeError, match="raised CancelledError") as caught:
            await starting.wait()
        assert isinstance(caught.value.__cause__, asyncio.CancelledError)
        return starting.report

    run(main())


@pytest.mark.parametrize("pause", [0.0, 1.0])
def test_source_may_close_its_own_run(pause: float) -> None:
    """It does not wait for itself, and a source that goes on is cancelled at its next ``await``."""
    service, runs, ends = service_of(3), list["StartRun"](), list[str]()

    async def source() -> AsyncIterator[LabelDetectionStart]:
        try:
            yield label("camera-0")
            await asyncio.sleep(pause)
            yield label("camera-1")
            await runs[0].aclose()
            await asyncio.sleep(9)
            yield label("camera-2")
        finally:
            ends.append("closed")

    async def main() -> StartReport:
        runs.append(Fleet(service.client()).iter_start(source()))
        async with asyncio.timeout(5):
            return await runs[0].wait()

    report = run(main())
    assert [it.name for it in report] in (["camera-0", "camera-1"], ["camera-1", "camera-0"])
    assert len(service.starts()) == len(report.started)
    assert ends == ["closed"]


def test_request_is_not_sent_when_its_source_has_closed_the_run() -> None:
    service, runs = service_of(2), list["StartRun"]()

    async def source() -> AsyncIterator[LabelDetectionStart]:
        yield label("camera-0")
        await runs[0].aclose()
        while True:
            yield label("camera-1")

    async def main() -> StartReport:
        runs.append(Fleet(service.client()).iter_start(source()))
        async with asyncio.timeout(100):
            return await runs[0].wait()

    report = run(main())
    assert [it.name for it in report] == ["camera-0"]
    assert "camera-1" not in service.order()


@pytest.mark.parametrize("way", ["wait", "iterate"])
def test_source_cannot_wait_for_its_own_run(way: str) -> None:
    service, runs = service_of(1), list["StartRun"]()

    async def source() -> AsyncIterator[LabelDetectionStart]:
        yield labels(1)[0]
        await (runs[0].wait() if way == "wait" else anext(runs[0]))

    async def main() -> None:
        runs.append(Fleet(service.client()).iter_start(source()))
        async with asyncio.timeout(100):
            with pytest.raises(ConfigurationError, match="the source of a run cannot wait"):
                await runs[0].wait()
        assert len(runs[0].report) == 1

    run(main())
