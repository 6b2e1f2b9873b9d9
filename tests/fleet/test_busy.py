"""Requests for processors that are busy: queued, shared or rejected."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs
import pytest

from aiorekostream.errors import ProcessorBusyError
from aiorekostream.fleet import Fleet, Started, StartReport, Unknown
from aiorekostream.testing import MemoryTransport, Reply
from tests.fleet.service import DESCRIBE, START, Service, faces, label, labels, lost, names, run, service_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from aiorekostream.fleet import WhenBusy


@pytest.mark.parametrize(
    ("policy", "counts", "starts"),
    [
        ("queue", {"started": 3}, 3),
        ("share", {"started": 3}, 1),
        ("reject", {"started": 1, "failed": 2}, 1),
    ],
)
def test_when_busy_applies_to_requests_of_one_run(policy: WhenBusy, counts: dict[str, int], starts: int) -> None:
    service = service_of(1, face_searches=1)
    report = run(Fleet(service.client(), when_busy=policy).start([label("camera-0")] * 3))
    assert report.counts == counts
    assert len(service.starts()) == starts
    assert len({it.session.session_id for it in report.started}) == starts
    assert all(isinstance(it.error, ProcessorBusyError) for it in report.failed)


def test_queued_request_is_sent_soon_after_the_session_has_ended() -> None:
    service = service_of(1, face_searches=1)
    run(Fleet(service.client()).start([label("camera-0", 10)] * 2))
    first, second = service.starts()
    assert 10 <= second - first < 16


def test_later_request_shares_the_session_under_way() -> None:
    service = service_of(1, face_searches=1)

    async def main() -> tuple[StartReport, StartReport]:
        fleet = Fleet(service.client(), when_busy="share")
        first = await fleet.start(labels(1, 30))
        await asyncio.sleep(20)
        return first, await fleet.start(labels(1, 30))

    (first,), (second,) = run(main())
    assert isinstance(first, Started)
    assert not first.shared
    assert second == attrs.evolve(first, shared=True)
    assert len(service.starts()) == 1


@pytest.mark.parametrize("policy", ["share", "reject"])
def test_request_is_sent_when_the_session_should_be_over(policy: WhenBusy) -> None:
    service = service_of(1, face_searches=1)

    async def main() -> dict[str, int]:
        fleet = Fleet(service.client(), when_busy=policy)
        await fleet.start(labels(1, 10))
        await asyncio.sleep(11)
        return (await fleet.start(labels(1, 10))).counts

    assert run(main()) == {"started": 1}
    assert len(service.starts()) == 2


@pytest.mark.parametrize("policy", ["queue", "share", "reject"])
def test_stopped_processor_can_be_started_again(policy: WhenBusy) -> None:
    service = service_of(1, face_searches=1)

    async def main() -> dict[str, int]:
        fleet = Fleet(service.client(), when_busy=policy)
        await fleet.start(faces(1))
        await asyncio.sleep(5)
        await fleet.stop(["face-0"])
        await asyncio.sleep(20 if policy != "queue" else 0)
        return (await fleet.start(faces(1))).counts

    assert run(main()) == {"started": 1}
    assert len(service.starts()) == 2


@pytest.mark.parametrize("policy", ["share", "reject"])
def test_face_search_is_not_busy_after_an_unobserved_end(policy: WhenBusy) -> None:
    service = service_of(1, face_searches=1)

    async def main() -> str:
        client = service.client()
        fleet = Fleet(client, when_busy=policy)
        await fleet.start(faces(1))
        await asyncio.sleep(60)
        await client.stop_stream_processor("face-0")
        await asyncio.sleep(3600)
        (outcome,) = await fleet.start(faces(1))
        assert isinstance(outcome, Started)
        return str((await client.describe_stream_processor("face-0")).status)

    assert run(main()) == "STARTING"


@pytest.mark.parametrize("policy", ["queue", "share"])
def test_request_after_an_unknown_start_gets_an_outcome(policy: WhenBusy) -> None:
    """The first start is not applied; its response is lost, and Describe fails, too."""
    service = service_of(1, face_searches=1)
    harm = True

    async def silence(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        if harm and operation in {START, DESCRIBE}:
            service.calls.append((operation, str(body["Name"]), service.clock.now()))
            return lost(operation)
        return await service.answer(operation, body)

    async def main() -> tuple[StartReport, StartReport]:
        nonlocal harm
        fleet = Fleet(service.client(transport=MemoryTransport(silence)), when_busy=policy)
        first = await fleet.start(faces(1))
        harm = False
        async with asyncio.timeout(600):
            return first, await fleet.start(faces(1))

    first, second = run(main())
    assert [type(it) for it in first] == [Unknown]
    assert second.counts == {"started": 1}


def test_two_runs_start_a_processor_one_after_the_other() -> None:
    service = service_of(1, face_searches=1)

    async def main() -> set[object]:
        fleet = Fleet(service.client())
        reports = await asyncio.gather(*(fleet.start([label("camera-0", 5)]) for _ in range(3)))
        return {it.session for report in reports for it in report.started}

    assert len(run(main())) == 3


def test_two_runs_share_the_outcome_of_one_start() -> None:
    service = service_of(1, face_searches=1)

    async def main() -> set[object]:
        fleet = Fleet(service.client(), when_busy="share")
        reports = await asyncio.gather(*(fleet.start([label("camera-0", 5)]) for _ in range(3)))
        return {it.session for report in reports for it in report.started}

    assert len(run(main())) == 1
    assert len(service.starts()) == 1


def test_follower_is_sent_when_the_run_of_the_leader_is_cancelled() -> None:
    """Sharing an outcome does not mean sharing a cancellation."""
    service = Service(latency=5)
    service.create(*names(3))

    async def main() -> StartReport:
        fleet = Fleet(service.client(rate_limiter=None), when_busy="share", max_in_flight=1)
        first = asyncio.create_task(fleet.start(labels(3)))
        await asyncio.sleep(1)
        second = asyncio.create_task(fleet.start(labels(3)[2:]))
        await asyncio.sleep(1)
        first.cancel()
        return await second

    assert run(main()).counts == {"started": 1}


@pytest.mark.parametrize("policy", ["share", "reject"])
def test_no_session_is_assumed_when_the_poll_fails(policy: WhenBusy) -> None:
    """The session has ended without the fleet, and no poll can show that: the service decides, not an old look."""
    service = service_of(1, face_searches=1)

    class DisconnectedMonitor:
        async def ended(self, names: Collection[str]) -> Collection[str]:
            raise ConnectionResetError(", ".join(names))

    async def main() -> StartReport:
        client = service.client()
        fleet = Fleet(client, when_busy=policy, session_monitor=DisconnectedMonitor())
        await fleet.start(faces(1))
        await client.stop_stream_processor("face-0")
        await asyncio.sleep(60)
        return await fleet.start(faces(1) * 2)

    expected = {"started": 2} if policy == "share" else {"started": 1, "failed": 1}
    assert run(main()).counts == expected
    assert len(service.starts()) == 2, "the session before is over, and one new one has begun"


# ------------------------------------------------------------------------------- sessions that are over are not shared


@pytest.mark.parametrize("look", ["poll", "synchronization", "stop", "ensure_running"])
def test_session_that_was_seen_failed_is_not_shared(look: str) -> None:
    """Seen a moment ago, so there is no need to poll for the next request."""
    service = service_of(1, face_searches=1)
    face = faces(1)[0]

    async def main() -> str:
        fleet = Fleet(service.client(), when_busy="share", poll_interval=4 if look == "poll" else 60)
        ends = fleet.session_ends()
        await fleet.submit(face)
        service.fail("face-0", after=1.5)
        if look == "ensure_running":
            assert (await fleet.ensure_running([face])).counts == {"failed": 1}
        elif look == "poll":
            await anext(ends)
        else:
            await asyncio.sleep(3)
            await (fleet.sync_sessions() if look == "synchronization" else fleet.stop(["face-0"]))
        assert isinstance(await fleet.submit(face), Started)
        return service.status("face-0")

    assert run(main()) == "STARTING"
    assert len(service.starts()) == 2


@pytest.mark.parametrize("has_failed", [True, False])
def test_session_is_polled_before_it_is_shared_when_the_last_poll_is_old(*, has_failed: bool) -> None:
    service = service_of(1, face_searches=1)

    async def main() -> tuple[int, int]:
        fleet = Fleet(service.client(), when_busy="share", poll_interval=5)
        await fleet.submit(label("camera-0", 100))
        if has_failed:
            service.fail("camera-0", after=7)
        await asyncio.sleep(20)
        looks = service.count(DESCRIBE)
        assert isinstance(await fleet.submit(label("camera-0", 100)), Started)
        return looks, service.count(DESCRIBE)

    before, after = run(main())
    assert (before, after > 0) == (0, True)
    assert len(service.starts()) == (2 if has_failed else 1)


def test_poll_that_takes_long_is_as_old_as_its_beginning() -> None:
    """The session ends while it is under way, and it was seen before that."""
    service = service_of(1, face_searches=1)
    asked: list[float] = []

    class SlowMonitor:
        async def ended(self, names: Collection[str]) -> list[str]:
            asked.append(service.clock.now())
            ended = [name for name in names if service.status(name) == "STOPPED"]
            await asyncio.sleep(20)
            return ended

    async def main() -> None:
        fleet = Fleet(service.client(), when_busy="share", poll_interval=5, session_monitor=SlowMonitor())
        await fleet.submit(faces(1)[0])
        await asyncio.sleep(10)
        service.act("StopStreamProcessor", "face-0", after=5)
        assert isinstance(await fleet.submit(faces(1)[0]), Started)
        assert len(service.starts()) == 1, "it was under way when the request came, and was polled after that"
        assert isinstance(await fleet.submit(faces(1)[0]), Started)

    run(main())
    assert len(asked) == 2
    assert len(service.starts()) == 2


def test_session_that_was_just_synchronized_is_shared_without_a_poll() -> None:
    service = service_of(1, face_searches=1)

    async def main() -> int:
        fleet = Fleet(service.client(), when_busy="share", poll_interval=5)
        await fleet.submit(label("camera-0", 100))
        await asyncio.sleep(50)
        await fleet.sync_sessions()
        calls = len(service.calls)
        assert isinstance(await fleet.submit(label("camera-0", 100)), Started)
        return len(service.calls) - calls

    assert run(main()) == 0
