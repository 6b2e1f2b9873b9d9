"""What becomes of a fleet's requests when the network, the service, or somebody else's code lets it down."""

from __future__ import annotations

import asyncio
import datetime
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs
import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.fleet import Expired, Failed, Fleet, Progress, Started, StartReport, StopReport, Unknown
from tests.emulator.samples import faces as a_face_search
from tests.emulator.samples import labels as a_label_detection
from tests.fleet import service as virtual
from tests.fleet.service import START, STOP, OpensLate, faces, label, labels, names
from tests.simulation.scenes import label_start, make_client
from tests.simulation.service import Fate, Network, Service
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

_ENOUGH = rks.Limits(concurrent_label_detection={"us-east-1": 1000})


def _always(fate: Fate) -> Callable[[str, Mapping[str, object]], Fate]:
    """This becomes of every start, and nothing bad of other calls."""
    return lambda operation, _: fate if operation == START else Fate.FINE


def _once(fate: Fate) -> Callable[[str, Mapping[str, object]], Fate]:
    """The same for the first start alone."""
    fates = [fate]
    return lambda operation, _: fates.pop() if operation == START and fates else Fate.FINE


def _throttled(rest: float = 0.0) -> errors.ThrottlingError:
    code = "ThrottlingException"
    return errors.ThrottlingError("", operation=START, code=code, http_status=429, retry_safe=True, retry_after=rest)


# ---------------------------------------------------------------------------------------------- the service or the way


@pytest.mark.parametrize("read_timeout", [3.0, 30.0])
@pytest.mark.parametrize("fate", [Fate.HANGS, Fate.UNREACHED, Fate.LOST_BEFORE, Fate.BROKEN])
def test_a_start_that_never_gets_through_has_an_outcome_all_the_same(fate: Fate, read_timeout: float) -> None:
    service = Service(fates=_always(fate), network=Network(read_timeout=read_timeout))

    async def scene() -> tuple[StartReport, float]:
        service.furnish(a_label_detection("door"))
        report = await Fleet(make_client(service, total=60)).start([label_start("door")])
        return report, asyncio.get_running_loop().time()

    report, seconds = run(scene())
    assert len(report.failed) + len(report.unknown) == 1
    assert seconds <= 5 * 60
    assert not service.done(START, "door")


def test_a_start_that_is_throttled_for_ever_has_failed_in_the_end() -> None:
    service = virtual.Service(before=lambda operation, _: _throttled() if operation == START else None)
    service.create("camera-0")
    report = virtual.run(Fleet(service.client()).start(labels(1)))
    assert [type(failed.error) for failed in report.failed] == [errors.ThrottlingError]
    assert len(service.starts()) == 5 * 12


def test_a_service_that_asks_for_two_minutes_of_rest_is_left_alone_for_two_minutes() -> None:
    answers = [_throttled(120)]
    service = virtual.Service(before=lambda operation, _: answers.pop() if operation == START and answers else None)
    service.create("camera-0")
    report = virtual.run(Fleet(service.client(total=60)).start(labels(1)))
    assert report.counts == {"started": 1}
    first, second = service.starts()
    assert second - first == pytest.approx(120, abs=1)


def test_who_rests_may_expire_or_be_withdrawn() -> None:
    service = virtual.Service(before=lambda operation, _: _throttled(120) if operation == START else None)
    service.create("camera-0", "camera-1")

    async def scene() -> tuple[StartReport, StartReport]:
        second = datetime.timedelta(seconds=1)
        expired = await Fleet(service.client(), expires_after=second).start([label("camera-0")])
        fleet = Fleet(service.client())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await fleet.start([label("camera-1")])
        return expired, fleet.report

    expired, withdrawn = virtual.run(scene())
    assert expired.counts == {"expired": 1}
    assert [type(failed.error) for failed in withdrawn.failed] == [errors.RequestCancelledError]


@pytest.mark.parametrize("harm", [Fate.UNREACHED, Fate.BROKEN, Fate.LOST_BEFORE, Fate.HANGS])
def test_eight_seconds_without_the_service_lose_nobody(harm: Fate) -> None:
    def fate(_operation: str, _members: Mapping[str, object]) -> Fate:
        return harm if 2 <= service.now < 10 else Fate.FINE

    service = Service(limits=_ENOUGH, fates=fate)

    async def scene() -> StartReport:
        doors = [f"door-{number}" for number in range(200)]
        service.furnish(*map(a_label_detection, doors))
        return await Fleet(make_client(service, total=60)).start(map(label_start, doors))

    assert run(scene()).counts == {"started": 200}


@pytest.mark.parametrize(("failures", "is_open"), [(3, True), (100, False)])
def test_a_fleet_whose_credentials_cannot_be_fetched_for_a_moment_waits_for_them(
    failures: int, *, is_open: bool
) -> None:
    client = rks.Client(transport=OpensLate(lambda _operation, _body: {"SessionId": "s"}, failures=failures))
    starting = Fleet(client).start(labels(3))
    if is_open:
        assert run(starting).counts == {"started": 3}
    else:
        with pytest.raises(errors.ConnectError, match="credentials"):
            run(starting)


# ------------------------------------------------------------------------------------------------------------- in doubt


def test_a_start_whose_answer_was_lost_is_never_said_to_have_expired_unsent() -> None:
    """It is carried out two seconds after the connection broke, when nothing was seen of it and its time was over."""
    service = Service(fates=_once(Fate.LATE), network=Network(lateness=2.0))

    async def scene() -> StartReport:
        service.furnish(a_label_detection("door"))
        fleet = Fleet(make_client(service), expires_after=datetime.timedelta(seconds=0.1))
        report = await fleet.start([label_start("door")])
        await asyncio.sleep(5)
        return report

    report = run(scene())
    assert report.counts == {"unknown": 1}
    assert "its deadline passed" in str(report.unknown[0].error)
    assert len(service.done(START, "door")) == 1


def test_a_start_whose_answer_was_lost_is_never_said_to_have_been_withdrawn_unsent() -> None:
    service = Service(fates=_once(Fate.LATE), network=Network(lateness=2.0))

    async def scene() -> StartReport:
        service.furnish(a_label_detection("door"))
        fleet = Fleet(make_client(service))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await fleet.start([label_start("door")])
        return fleet.report

    report = run(scene())
    assert report.counts == {"unknown": 1}
    assert "it was withdrawn" in str(report.unknown[0].error)


def test_without_pacing_no_start_is_sent_again_after_its_deadline() -> None:
    service = Service(fates=_always(Fate.BROKEN))

    async def scene() -> StartReport:
        service.furnish(a_label_detection("door"))
        fleet = Fleet(make_client(service, pacing=None), expires_after=datetime.timedelta(seconds=1))
        return await fleet.start([label_start("door")])

    assert run(scene()).counts == {"unknown": 1}
    assert max(service.sendings["door"]) <= 1


# ------------------------------------------------------------------------------------------------- somebody else's code


def test_what_is_no_name_among_names_has_failed_and_harms_nobody() -> None:
    service = virtual.Service(quotas=False)
    service.create("camera-0", "camera-1")
    junk: list[Any] = ["camera-0", ["x"], None, 5, b"a", "camera-1"]

    async def scene() -> StopReport:
        await Fleet(service.client()).start(labels(2))
        return await Fleet(service.client()).stop(junk)

    report = virtual.run(scene())
    assert report.counts == {"stopped": 2, "failed": 4}
    assert {type(failed.error) for failed in report.failed} == {errors.InvalidRequestError}


@pytest.mark.parametrize("answer", [None, 5])
def test_an_ends_of_one_s_own_that_answers_nonsense_is_asked_again(
    answer: object, caplog: pytest.LogCaptureFixture
) -> None:
    service = virtual.Service(quotas=False, limits=rks.Limits(concurrent_label_detection={"us-east-1": 1}))
    service.create(*names(3))

    class Nonsense:
        async def ended(self, names: object) -> Any:  # noqa: ANN401 - nonsense
            assert names
            return answer

    report = virtual.run(Fleet(service.client(), ends=Nonsense()).start(labels(3, 2)))
    assert report.counts == {"started": 3}  # a slot is free once a session cannot last any longer
    assert "could not look for ended sessions" in caplog.text


class _Stop(BaseException):
    """Such as the SystemExit of sys.exit()."""


def test_whatever_an_iterable_raises_the_outcomes_are_there_and_others_are_left_alone() -> None:
    service = virtual.Service(limits=_ENOUGH)
    service.create(*names(60))
    all_of_them = labels(60)

    def some() -> Iterator[rks.StartRequest]:
        yield from all_of_them[:40]
        raise _Stop

    async def scene() -> tuple[Counter[str], StartReport, StartReport]:
        fleet = Fleet(service.client())
        others = asyncio.create_task(fleet.start(all_of_them[40:]))
        await asyncio.sleep(0)
        with pytest.raises(_Stop):
            await fleet.start(some())
        counts = Counter(fleet.report.counts)
        return counts, await others, await fleet.start(all_of_them[:1])

    counts, others, later = virtual.run(scene())
    assert counts.total() == 40
    assert set(counts) <= {"started", "failed"}
    assert others.counts == {"started": 20}
    assert len(later.outcomes) == 1


def test_nonsense_without_an_end_does_not_hold_up_the_loop() -> None:
    def nonsense() -> Iterator[Any]:
        while True:
            yield None

    async def scene() -> StartReport:
        fleet = Fleet(virtual.Service().client())
        task = asyncio.create_task(fleet.start(nonsense()))
        for _ in range(20):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return fleet.report

    report = run(scene())
    assert report.outcomes
    assert all(isinstance(outcome, Failed) for outcome in report)


# -------------------------------------------------------------------------------------------------- a program's restart


def test_what_a_new_fleet_has_stopped_it_starts_again_once_it_has_stopped() -> None:
    """The sessions are of the program before this one: nobody told this fleet of them."""
    service = virtual.Service(quotas=False)
    service.create(*names(4, "face"), faces=True)

    async def scene() -> StartReport:
        await Fleet(service.client()).start(faces(4))
        await asyncio.sleep(5)
        fleet = Fleet(service.client())
        await fleet.stop(names(4, "face"))
        return await fleet.start(faces(4))

    assert virtual.run(scene()).counts == {"started": 4}


def test_what_was_at_rest_already_is_started_at_once_after_a_stop() -> None:
    service = virtual.Service(quotas=False)
    service.create("face-0", faces=True)

    async def scene() -> float:
        fleet = Fleet(service.client())
        assert (await fleet.stop(["face-0"])).counts == {"already stopped": 1}
        await fleet.start(faces(1))
        return asyncio.get_running_loop().time()

    assert virtual.run(scene()) < 1
    assert service.count(STOP) == 1


def test_a_stop_whose_answer_was_lost_and_which_is_withdrawn_is_in_doubt() -> None:
    fates = [Fate.LOST_BEFORE]
    service = Service(fates=lambda operation, _: fates.pop() if operation == STOP and fates else Fate.FINE)

    async def scene() -> StopReport:
        service.furnish(a_face_search("lobby"))
        client = make_client(service)
        await client.start_stream_processor(rks.FaceSearchStart("lobby"))
        fleet = Fleet(client)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await fleet.stop(["lobby"])
        return fleet.stop_report

    report = run(scene())
    assert report.counts == {"unknown": 1}
    assert report.unknown[0].name == "lobby"


def test_a_start_that_is_being_settled_does_not_expire() -> None:
    service = virtual.Service()
    service.create("camera-0")
    lost = [errors.ConnectionLostError("reset", operation=START)]

    async def handle(operation: str, body: Mapping[str, object]) -> rks.Reply | Exception:
        if operation == "DescribeStreamProcessor":
            await asyncio.sleep(5)
        return await service.answer(operation, body)

    service.before = lambda operation, _: lost.pop() if lost and operation == START else None
    client = service.client()
    client._pipeline = attrs.evolve(client._pipeline, transport=rks.MemoryTransport(handle))
    report = virtual.run(Fleet(client, expires_after=datetime.timedelta(seconds=2)).start(labels(1, 60)))
    assert isinstance(report.outcomes[0], Started)


def test_a_start_whose_deadline_passed_before_it_was_throttled_is_not_sent_again() -> None:
    service = virtual.Service(latency=0, quotas=False)
    service.create("camera-0")

    async def handle(operation: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        answer = await service.handle(operation, body)
        await asyncio.sleep(5)
        if len(service.starts()) == 1:
            return errors.ThrottlingError("", operation=operation, code="T", http_status=400, retry_safe=True)
        return answer

    service.before = lambda _operation, _name: errors.ThrottlingError("", operation=START, code="T", http_status=400)
    client = service.client()
    client._pipeline = attrs.evolve(client._pipeline, transport=rks.MemoryTransport(handle))
    report = virtual.run(Fleet(client, expires_after=datetime.timedelta(seconds=3)).start(labels(1)))
    assert isinstance(report.outcomes[0], Expired)
    assert report.outcomes[0].waited == 5
    assert len(service.starts()) == 1


def test_what_is_no_request_is_told_like_any_other() -> None:
    service = virtual.Service()
    told: list[Progress] = []
    no_requests: list[Any] = [{"Name": "camera-0"}]
    virtual.run(Fleet(service.client(), on_progress=told.append).start(no_requests))
    assert [(it.step, type(it.outcome)) for it in told] == [("settled", Failed)]


def test_a_bug_after_a_start_was_sent_leaves_it_unknown() -> None:
    service = virtual.Service()
    service.create("camera-0")

    async def handle(operation: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        answer = await service.handle(operation, body)
        if operation == START:
            raise ZeroDivisionError
        return answer

    async def main() -> tuple[object, int]:
        fleet = Fleet(rks.Client(transport=rks.MemoryTransport(handle)))
        return (await fleet.start(labels(1, 60))).outcomes[0], fleet.running

    outcome, running = virtual.run(main())
    assert isinstance(outcome, Unknown)
    assert running == 1


def test_twenty_stops_at_a_tenth_of_the_believed_speed_lose_nobody() -> None:
    slow = rks.Limits(quotas={STOP: rks.Quota(0.1, 1, "")})
    service = virtual.Service(limits=slow)
    service.create(*names(20))

    async def main() -> dict[str, int]:
        client = service.client(limits=rks.DEFAULT_LIMITS, total=20)
        await asyncio.gather(*(client.start_stream_processor(it) for it in labels(20, 120)))
        return (await Fleet(client).stop(names(20))).counts

    counts = virtual.run(main())
    assert set(counts) <= {"stopped", "already stopped"}


def test_runs_that_share_a_fleet_outlive_an_ends_that_is_cancelled() -> None:
    service = virtual.Service(quotas=False)
    service.create(*names(2, "face"), faces=True)
    one_at_a_time = rks.Limits(concurrent_face_search={"us-east-1": 1})
    asked = 0

    class Cancelled:
        async def ended(self, names: Collection[str]) -> Collection[str]:
            nonlocal asked
            asked += 1
            if asked == 1:
                raise asyncio.CancelledError
            return names

    report = virtual.run(Fleet(service.client(limits=one_at_a_time), ends=Cancelled()).start(faces(2)))
    assert asked == 2
    assert len(report.outcomes) == 2


@pytest.mark.parametrize("read_timeout", [3.0, 0.5])
def test_what_the_fleet_has_stopped_is_not_started_again_by_a_start_that_is_in_doubt(read_timeout: float) -> None:
    """The stop comes while the start has no answer yet, or while it waits to be sent again."""
    service = Service(fates=_once(Fate.HANGS_AFTER), network=Network(read_timeout=read_timeout))

    async def scene() -> tuple[StopReport, StartReport, bool]:
        service.furnish(a_face_search("door"))
        fleet = Fleet(make_client(service, total=60))
        starting = asyncio.create_task(fleet.start([rks.FaceSearchStart("door")]))
        await asyncio.sleep(0.4)
        stopped = await fleet.stop(["door"])
        started = await starting
        await asyncio.sleep(600)
        return stopped, started, service.at_work("door")

    stopped, started, is_at_work = run(scene())
    assert stopped.counts == {"stopped": 1}
    assert started.counts in ({"unknown": 1}, {"started": 1})
    assert not is_at_work
    assert len(service.done(START, "door")) == 1


def test_a_start_that_was_throttled_keeps_its_place_among_those_of_the_same_moment() -> None:
    """The first calls wait for connections, and one of them comes too early for the service."""
    network = Network(jitter=0, connecting=0.1)
    service = Service(quotas={START: rks.Quota(1, 1, "")}, network=network, limits=_ENOUGH)

    async def scene() -> None:
        doors = [f"door-{number}" for number in range(6)]
        service.furnish(*map(a_label_detection, doors))
        await Fleet(make_client(service)).start(map(label_start, doors))

    run(scene())
    assert {deed.code for deed in service.deeds} > {""}, "none was throttled"
    done = [deed.name for deed in service.deeds if deed.done]
    assert done.index("door-1") <= 2
