"""Starting a fleet, against the emulated world in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
from typing import TYPE_CHECKING, Any

import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.emulator import Timings
from aiorekostream.fleet import Expired, Failed, Fleet, FleetRequest, Progress, Started, Unknown
from tests.fleet.service import (
    BEGINNING,
    DESCRIBE,
    LIST,
    START,
    STOP,
    Service,
    faces,
    label,
    labels,
    names,
    run,
    stream,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiorekostream.domain.requests import StartRequest
    from aiorekostream.fleet import StartReport, StopReport

_STRANGERS = rks.Limits(concurrent_label_detection={"us-east-1": 6}, concurrent_face_search={"us-east-1": 3})
_SECOND = datetime.timedelta(seconds=1)


def a_service(count: int, *, region: str = "us-east-1", limits: rks.Limits | None = None) -> Service:
    service = Service(region=region, limits=limits or rks.DEFAULT_LIMITS)
    service.create(*names(count))
    return service


# ------------------------------------------------------------------------------------------------------------- at speed


def test_two_hundred_cameras_are_started_at_the_speed_of_the_quota_and_none_is_lost() -> None:
    service = a_service(200)
    report = run(Fleet(service.client()).start(labels(200, 30)))
    assert len(report.started) == 200 == len({it.session.session_id for it in report.started})
    assert len(service.starts()) <= 201
    assert max(service.starts()) <= (200 - 20) / 20 * 1.05


def test_without_pacing_a_hundred_calls_are_on_their_way_at_once() -> None:
    service = Service(quotas=False, latency=0.06)
    service.create(*names(200))
    report = run(Fleet(service.client(paced=False)).start(labels(200, 30)))
    assert len(report.started) == 200
    assert service.starts() == [0.0] * 100 + [pytest.approx(0.06)] * 100


def test_a_quota_that_is_lower_than_believed_loses_nobody() -> None:
    slow = rks.Limits(quotas={START: rks.Quota(2, 2, "")})
    service = a_service(150, limits=slow)
    report = run(Fleet(service.client(limits=rks.DEFAULT_LIMITS, total=20)).start(labels(150)))
    assert len(report.started) == 150


@pytest.mark.parametrize("one", [label("camera-1"), "camera-1", {"Name": "camera-1"}, 5])
@pytest.mark.parametrize("verb", ["start", "stop"])
def test_one_request_is_not_many(verb: str, one: object) -> None:
    service = a_service(1)
    with pytest.raises(errors.InvalidRequestError, match="a collection of"):
        run(getattr(Fleet(service.client()), verb)(one))
    assert not service.calls


def test_outcomes_come_in_the_order_in_which_they_are_settled() -> None:
    service = a_service(3)
    report = run(Fleet(service.client()).start([label("camera-0"), label("nobody"), label("camera-1")]))
    assert {type(it) for it in report} == {Started, Failed}
    assert [it.name for it in report.failed] == ["nobody"]
    assert report.counts == {"started": 2, "failed": 1}


def test_one_request_of_which_nobody_can_make_sense_fails_alone() -> None:
    service = a_service(2)
    wrong: list[StartRequest] = [*labels(2), {"Name": "camera-0"}]  # type: ignore[list-item]  # pyright: ignore[reportAssignmentType]
    report = run(Fleet(service.client()).start(wrong))
    assert report.counts == {"started": 2, "failed": 1}
    with pytest.raises(ExceptionGroup, match="3 requests: 2 started, 1 failed"):
        report.raise_for_failures()


def test_a_bug_in_one_camera_s_call_is_that_camera_s_doubt(caplog: pytest.LogCaptureFixture) -> None:
    service = a_service(5)

    def bug(_operation: str, name: str) -> None:
        if name == "camera-3":
            raise ZeroDivisionError

    service.before = bug
    report = run(Fleet(service.client()).start(labels(5)))
    assert report.counts == {"started": 4, "unknown": 1}
    assert isinstance(report.unknown[0].error, ZeroDivisionError)
    assert "camera-3" in caplog.text


def test_what_somebody_else_runs_is_already_running() -> None:
    service = a_service(2)

    async def twice() -> StartReport:
        await service.client().start_stream_processor(label("camera-0", 60))
        return await Fleet(service.client()).start(labels(2))

    assert run(twice()).counts == {"started": 1, "already running": 1}


def test_a_lost_answer_is_settled_and_the_start_is_known() -> None:
    service = a_service(20)
    service.before = lambda operation, _: (
        errors.ConnectionLostError("reset", operation=START) if operation == START else None
    )
    report = run(Fleet(service.client()).start(labels(20, 60)))
    assert len(report.started) == 20
    assert all(it.session.reconciled for it in report.started)


def test_what_cannot_be_settled_is_unknown_and_keeps_its_slot() -> None:
    service = a_service(1)
    service.before = lambda operation, _: (
        errors.ConnectionLostError("reset", operation=START)
        if operation == START
        else errors.AccessDeniedError("", operation=operation, code="AccessDeniedException", http_status=400)
    )
    fleet = Fleet(service.client())
    report = run(fleet.start(labels(1)))
    assert isinstance(report.unknown[0], Unknown)
    assert fleet.running == 1


# --------------------------------------------------------------------------------------------------------- enough slots


def test_a_region_with_forty_slots_never_has_more_sessions_and_starts_all_hundred() -> None:
    service = a_service(100, region="eu-west-1")
    report = run(Fleet(service.client()).start(labels(100, 10)))
    assert len(report.started) == 100
    assert service.most[ProcessorKind.LABEL_DETECTION] == 40
    assert len(service.starts()) == 100
    # Three rounds of ten seconds, each seen to end within five seconds.
    assert max(service.starts()) < 3 * (10 + 5)


def test_the_eleventh_face_search_waits_until_one_is_stopped() -> None:
    service = Service()
    service.create(*names(12, "face"), faces=True)

    async def main() -> tuple[list[float], int]:
        fleet = Fleet(service.client())
        starting = asyncio.create_task(fleet.start(faces(12)))
        await asyncio.sleep(300)
        before = len(service.starts())
        await fleet.stop(["face-4", "face-5"])
        assert len((await starting).started) == 12
        return service.starts(), before

    starts, before = run(main())
    assert before == 10 == service.most[ProcessorKind.FACE_SEARCH]
    assert 300 < min(starts[10:]) <= max(starts) < 310


def test_one_kind_that_is_full_does_not_hold_the_other_up() -> None:
    service = Service()
    service.create(*names(11, "face"), faces=True)
    service.create("camera-0")

    async def main() -> None:
        async with asyncio.timeout(10):
            await Fleet(service.client()).start([*faces(11), label("camera-0")])

    with pytest.raises(TimeoutError):
        run(main())
    assert service.starts("camera-0")
    assert len(service.starts()) == 11


def test_sessions_that_end_early_make_room_as_soon_as_they_are_seen() -> None:
    service = Service(region="eu-west-1", timings=Timings(media=3))
    service.create(*names(80))
    run(Fleet(service.client()).start(labels(80, 120)))
    assert max(service.starts()) < 15


def test_without_a_sight_of_ends_slots_come_free_by_the_latest_end() -> None:
    class Blind:
        async def ended(self, names: Collection[str]) -> Collection[str]:
            raise errors.ConfigurationError(f"{len(names)} sessions, and no eyes")

    service = a_service(41, region="eu-west-1")
    report = run(Fleet(service.client(), ends=Blind()).start(labels(41, 10)))
    assert len(report.started) == 41
    assert 30 <= max(service.starts()) < 31
    assert service.count(LIST) == 0


def test_nobody_lists_processors_while_there_are_slots() -> None:
    service = a_service(40, region="eu-west-1")
    run(Fleet(service.client()).start(labels(40)))
    assert service.count(LIST) == 0


def test_sessions_of_others_are_counted_once_stock_is_taken() -> None:
    service = a_service(50, region="eu-west-1")

    async def main() -> int:
        await Fleet(service.client()).start(labels(30, 20))
        fleet = Fleet(service.client())
        await fleet.take_stock()
        assert fleet.running == 30
        await fleet.start([label(name) for name in names(50)[30:]])
        return len(service.starts())

    assert run(main()) == 50
    assert service.most[ProcessorKind.LABEL_DETECTION] == 40


def test_a_start_that_the_service_refuses_for_want_of_a_slot_waits_for_one() -> None:
    service = a_service(30, limits=_STRANGERS)
    report = run(Fleet(service.client(limits=rks.DEFAULT_LIMITS)).start(labels(30, 10)))
    assert len(report.started) == 30
    assert service.most[ProcessorKind.LABEL_DETECTION] == 6
    # The first wave finds out; after it only a start now and then looks whether there is more room.
    assert len(service.starts()) < 30 + 20 + 20


def test_slots_that_others_hold_are_found_when_they_come_free() -> None:
    service = Service(limits=_STRANGERS)
    service.create(*names(4, "face"), faces=True)

    async def main() -> None:
        client = service.client(limits=rks.DEFAULT_LIMITS)
        for request in faces(3):
            await client.start_stream_processor(request)
        starting = asyncio.create_task(Fleet(client).start(faces(4)[3:]))
        await asyncio.sleep(60)
        await client.stop_stream_processor("face-0")
        assert len((await starting).started) == 1

    run(main())
    assert 60 < max(service.starts()) < 70


def test_a_fleet_knows_its_sessions_from_one_call_to_the_next() -> None:
    service = a_service(50, region="eu-west-1")

    async def main() -> None:
        fleet = Fleet(service.client())
        requests = labels(50, 30)
        await asyncio.gather(fleet.start(requests[:30]), fleet.start(requests[30:]))

    run(main())
    assert service.most[ProcessorKind.LABEL_DETECTION] == 40
    assert len(service.starts()) == 50


# ------------------------------------------------------------------------------------------------------------ deadlines


def test_what_could_not_be_sent_in_time_expires_and_is_not_sent() -> None:
    service = a_service(100)
    report = run(Fleet(service.client(), expires_after=2 * _SECOND).start(labels(100)))
    assert len(report.started) + len(report.expired) == 100
    assert len(service.starts()) == len(report.started) == pytest.approx(60, abs=4)
    assert all(it.waited == 2.0 for it in report.expired)


def test_a_request_has_a_deadline_of_its_own() -> None:
    service = a_service(3)
    late, soon, always = labels(3)
    requests: list[StartRequest | FleetRequest] = [
        FleetRequest(late, expires_at=BEGINNING - _SECOND),
        FleetRequest(soon, expires_at=BEGINNING + _SECOND),
        always,
    ]
    report = run(Fleet(service.client()).start(requests))
    assert [it.request for it in report.expired] == [late]
    assert {it.request for it in report.started} == {soon, always}


def test_a_throttled_start_expires_too() -> None:
    service = a_service(1)
    service.before = lambda _operation, _name: errors.ThrottlingError(
        "", operation=START, code="ThrottlingException", http_status=400, retry_safe=True
    )
    report = run(Fleet(service.client(), expires_after=3 * _SECOND).start(labels(1)))
    assert isinstance(report.outcomes[0], Expired)
    assert report.outcomes[0].waited == 3


def test_an_answer_that_comes_after_the_deadline_still_counts() -> None:
    service = Service(latency=5)
    service.create("camera-0")
    report = run(Fleet(service.client(), expires_after=3 * _SECOND).start(labels(1)))
    assert len(report.started) == 1


def test_a_request_that_waits_for_a_slot_expires_on_time() -> None:
    service = a_service(41, region="eu-west-1")
    last = FleetRequest(label("camera-40"), expires_at=BEGINNING + 7 * _SECOND)
    requests: list[StartRequest | FleetRequest] = [*labels(40, 100), last]
    report = run(Fleet(service.client()).start(requests))
    assert [(it.name, it.waited) for it in report.expired] == [("camera-40", 7.0)]


def test_urgent_requests_go_first() -> None:
    service = a_service(200)
    *many, last = labels(200, 30)
    run(Fleet(service.client()).start([*many, FleetRequest(last, urgent=True)]))
    assert service.starts("camera-199")[0] < 2


# --------------------------------------------------------------------------------------------------------- busy cameras


@pytest.mark.parametrize(
    ("policy", "counts", "starts"),
    [
        ("wait", {"started": 3}, 3),
        ("join", {"started": 3}, 1),
        ("refuse", {"started": 1, "failed": 2}, 1),
    ],
)
def test_a_second_request_for_a_busy_camera_does_as_it_is_told(
    policy: str, counts: dict[str, int], starts: int
) -> None:
    service = a_service(1)
    report = run(Fleet(service.client(), when_busy=policy).start([label("camera-0")] * 3))
    assert report.counts == counts
    assert len(service.starts()) == starts
    assert len({it.session.session_id for it in report.started}) == starts


def test_a_request_that_waits_for_its_camera_is_sent_soon_after_the_session_has_ended() -> None:
    service = a_service(1)
    run(Fleet(service.client()).start([label("camera-0", 10)] * 2))
    first, second = service.starts()
    assert 10 <= second - first < 16


def test_a_later_request_joins_the_session_that_is_under_way() -> None:
    service = a_service(1)

    async def main() -> tuple[object, object]:
        fleet = Fleet(service.client(), when_busy="join")
        first = await fleet.start(labels(1, 30))
        await asyncio.sleep(20)
        return first, await fleet.start(labels(1, 30))

    first, second = run(main())
    assert first == second
    assert len(service.starts()) == 1


def test_a_camera_whose_session_should_be_over_is_not_called_busy() -> None:
    service = a_service(1)

    async def main() -> object:
        fleet = Fleet(service.client(), when_busy="refuse")
        await fleet.start(labels(1, 10))
        await asyncio.sleep(11)
        return (await fleet.start(labels(1, 10))).counts

    assert run(main()) == {"started": 1}


def test_a_stopped_camera_can_be_started_again_once_it_has_stopped() -> None:
    service = Service()
    service.create("face-0", faces=True)

    async def main() -> object:
        fleet = Fleet(service.client())
        await fleet.start(faces(1))
        await asyncio.sleep(5)
        await fleet.stop(["face-0"])
        return (await fleet.start(faces(1))).counts

    assert run(main()) == {"started": 1}
    assert len(service.starts()) == 2


def test_an_unknown_policy_is_refused_at_once() -> None:
    with pytest.raises(errors.InvalidRequestError, match=r"when_busy: must be 'wait', 'join' or 'refuse'"):
        Fleet(Service().client(), when_busy="ignore")


async def _coroutine(_: Progress) -> None:
    pass


def test_all_that_is_wrong_with_a_fleet_s_arguments_is_told_at_once() -> None:
    nobody: Any = None
    wrong: dict[str, Any] = {"on_progress": _coroutine, "ends": "x", "max_waiting": 0, "look_every": 0}
    with pytest.raises(errors.InvalidRequestError) as caught:
        Fleet(nobody, **wrong)
    assert [issue.path for issue in caught.value.issues] == [
        "client",
        "on_progress",
        "ends",
        "max_waiting",
        "look_every",
    ]


# ---------------------------------------------------------------------------------------------------------------- stops


def test_thirty_stops_at_one_a_second_lose_nobody() -> None:
    service = Service(limits=rks.Limits(concurrent_label_detection={"us-east-1": 30}))
    service.create(*names(30))

    async def main() -> StopReport:
        fleet = Fleet(service.client(total=10))
        await fleet.start(labels(30, 120))
        return await fleet.stop(names(30))

    report = run(main())
    assert report.counts == {"stopped": 30}
    assert service.count(STOP) <= 31


def test_what_has_nothing_to_stop_is_a_success() -> None:
    service = a_service(2)
    report = run(Fleet(service.client()).stop(["camera-0", "nobody", "not a name", "camera-0"]))
    assert report.counts == {"already stopped": 2, "failed": 2}
    assert {it.name for it in report.stopped} == {"camera-0"}
    assert service.count(STOP) == 2


def test_requests_may_come_from_an_async_iterator() -> None:
    service = a_service(5)
    report = run(Fleet(service.client()).start(stream(labels(5), every=1)))
    assert len(report.started) == 5
    assert service.starts() == [1, 2, 3, 4, 5]


def test_what_is_at_work_and_cannot_be_stopped_now_is_no_success() -> None:
    """UNCERTAIN whether AWS lets every session be stopped in every status; whatever it does, nobody is told a lie."""
    busy = errors.ResourceInUseError(
        "Stream Processor not available for stopping", operation=STOP, code="ResourceInUseException", http_status=400,
        retry_safe=True,
    )  # fmt: skip
    service = Service(
        quotas=False, before=lambda operation, name: busy if (operation, name) == (STOP, "face-0") else None
    )
    service.create("face-0", "face-1", faces=True)

    async def scene() -> StopReport:
        fleet = Fleet(service.client())
        await fleet.start(faces(2))
        return await fleet.stop(names(2, "face"))

    report = run(scene())
    assert report.counts == {"stopped": 1, "failed": 1}
    assert [outcome.name for outcome in report.failed] == ["face-0"]


def test_a_stop_that_is_refused_while_another_one_is_carried_out_is_a_success() -> None:
    service = Service(quotas=False, timings=Timings(stopping=5))
    service.create("face-0", faces=True)

    async def scene() -> StopReport:
        client = service.client()
        await Fleet(client).start(faces(1))
        await client.stop_stream_processor("face-0")
        return await Fleet(client).stop(["face-0"])

    assert run(scene()).counts == {"already stopped": 1}


def test_a_refused_stop_of_which_nothing_more_can_be_seen_has_failed() -> None:
    denied = errors.AccessDeniedError(
        "", operation=DESCRIBE, code="AccessDeniedException", http_status=400, retry_safe=True
    )
    service = Service(quotas=False, before=lambda operation, _: denied if operation == DESCRIBE else None)
    service.create("camera-0")
    report = run(Fleet(service.client()).stop(["camera-0"]))
    assert report.counts == {"failed": 1}
    assert isinstance(report.failed[0].error, errors.ResourceInUseError)


def most_abreast(service: Service, operation: str) -> int:
    """The most calls of an operation on their way at once, by their beginnings and a latency."""
    moments = [at for asked, _, at in service.calls if asked == operation]
    return max(sum(at <= other < at + service.latency for other in moments) for at in moments)


@pytest.mark.parametrize(("operation", "asked", "most"), [(START, 3, 3), (STOP, 2, 2)])
def test_no_more_calls_are_on_their_way_than_was_said(operation: str, asked: int, most: int) -> None:
    service = Service(quotas=False, latency=0.5)
    service.create(*names(12))

    async def main() -> None:
        client = service.client(paced=False)
        await asyncio.gather(*(client.start_stream_processor(it) for it in labels(12, 100) if operation == STOP))
        fleet = Fleet(client, max_in_flight=asked)
        await (fleet.start(labels(12, 100)) if operation == START else fleet.stop(names(12)))

    run(main())
    assert len([1 for asked_for, _, _ in service.calls if asked_for == operation]) == 12
    assert most_abreast(service, operation) == most


@pytest.mark.parametrize(("rate", "most"), [(0.1, 2), (1, 5), (7, 35), (20, 100), (1000, 100)])
def test_calls_on_their_way_are_those_of_five_seconds(rate: float, most: int) -> None:
    service = Service(quotas=False)
    service.create(*names(150))
    told: list[Progress] = []
    client = service.client(limits=rks.Limits(quotas={START: rks.Quota(rate, 1, "")}))

    async def main() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await Fleet(client, on_progress=told.append).start(labels(150))

    run(main())
    assert max(it.in_flight for it in told) == most


@pytest.mark.parametrize("seconds", [0, -1])
def test_requests_must_be_worth_sending_for_some_time(seconds: float) -> None:
    with pytest.raises(errors.InvalidRequestError, match="expires_after"):
        Fleet(Service().client(), expires_after=datetime.timedelta(seconds=seconds))
