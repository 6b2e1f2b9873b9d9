"""The sessions that a fleet keeps account of: when slots are taken and given back, and what it looks at for that."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs
import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.fleet import Fleet, Progress, Started
from aiorekostream.fleet.plan import Plan
from aiorekostream.fleet.requests import WhenBusy
from aiorekostream.fleet.slots import MARGIN, Hold, Slots
from tests.fleet.service import DESCRIBE, LIST, STOP, Service, faces, label, labels, names, run, stream
from tests.fleet.test_plan import FACES, LABELS, called, face, finished, taken, ticket

if TYPE_CHECKING:
    from collections.abc import Collection


def _held(plan: Plan, name: str) -> Hold:
    hold = plan.slots.held(name)
    assert hold is not None
    return hold


def test_a_slot_that_was_given_back_is_not_given_back_once_more() -> None:
    slots = Slots()
    slots.begun("a", LABELS, now=0, expected=10, latest=30)
    slots.release("a")
    assert slots.next_change == float("inf")
    assert slots.lapse(30) == []


def test_a_stop_does_not_end_a_session_whose_start_is_on_its_way() -> None:
    slots = Slots()
    slots.reserve("a", FACES)
    slots.ending("a", 5)
    assert slots.lapse(5 + MARGIN) == []
    assert "a" in slots


def test_somebody_s_face_search_lasts_until_it_is_seen_to_have_ended() -> None:
    plan = Plan(Slots({FACES: 1}), 5)
    plan.adopt("x", FACES, 0)
    assert called(taken(plan, face("y"), now=1)) == ""
    assert called(plan.step(1e6)) == ""
    plan.ended("x", _held(plan, "x"))
    assert called(plan.step(1e6)) == "y"


def test_a_session_that_ends_while_its_processor_s_next_start_waits_lets_nobody_else_by() -> None:
    plan, first, second, third = Plan(Slots(), 1, WhenBusy.JOIN), ticket("a"), ticket("a"), ticket("a")
    taken(plan, first)
    finished(plan, first, 0)
    busy = ticket("b")
    taken(plan, busy, now=1)  # the only call
    taken(plan, second, third, now=15)
    assert called(plan.step(10 + MARGIN)) == ""  # the first session is over for certain
    assert called(finished(plan, busy, 31)) == "a"
    finished(plan, second, 32)
    assert plan.waiting == plan.in_flight == 0  # the third has joined


def test_sessions_that_have_just_begun_are_not_asked_about() -> None:
    service = Service()
    service.create(*names(30))
    begun: dict[str, float] = {}
    asked: list[float] = []

    class Ends:
        async def ended(self, names: Collection[str]) -> Collection[str]:
            asked.extend(service.clock.now() - begun[name] for name in names)
            return ()

    def told(progress: Progress) -> None:
        if isinstance(progress.outcome, Started):
            begun[progress.name] = service.clock.now()

    run(Fleet(service.client(), ends=Ends(), on_progress=told).start(stream(labels(30, 60), every=0.45)))
    assert asked
    assert min(asked) > 1


def test_runs_that_wait_at_once_look_no_more_often_than_one() -> None:
    service = Service()
    service.create(*names(14, "face"), faces=True)

    async def main() -> int:
        fleet = Fleet(service.client())
        waiting = [asyncio.create_task(fleet.start([request])) for request in faces(14)]
        await asyncio.sleep(101)
        for task in waiting:
            task.cancel()
        await asyncio.wait(waiting)
        return service.count(LIST)

    assert run(main()) <= 101 / 5 + 1


def test_ends_of_which_nobody_asked_are_passed_over() -> None:
    service = Service(region="eu-west-1")
    service.create(*names(41))

    class Ends:
        async def ended(self, names: Collection[str]) -> Collection[str]:
            return ["somebody else's" for _ in names]

    assert len(run(Fleet(service.client(), ends=Ends()).start(labels(41, 10))).started) == 41


def test_nobody_lists_processors_where_all_the_sessions_are_others() -> None:
    service = Service(limits=rks.Limits(concurrent_face_search={"us-east-1": 1}))
    service.create(*names(2, "face"), faces=True)

    async def main() -> None:
        client = service.client(limits=rks.DEFAULT_LIMITS)
        await client.start_stream_processor(faces(1)[0])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                await Fleet(client).start(faces(2)[1:])

    run(main())
    assert len(service.starts("face-1")) > 1
    assert service.count(LIST) == 0


def test_a_fleet_whose_requests_only_queue_lists_nothing() -> None:
    service = Service()
    service.create(*names(199))
    run(Fleet(service.client()).start(labels(199, 60)))
    assert service.count(LIST) == 0


def test_a_start_that_is_refused_for_want_of_a_slot_is_tried_again_as_often_as_ends_are_looked_for() -> None:
    service = Service(limits=rks.Limits(concurrent_face_search={"us-east-1": 1}))
    service.create(*names(2, "face"), faces=True)

    async def main() -> None:
        client = service.client(limits=rks.DEFAULT_LIMITS)
        await client.start_stream_processor(faces(1)[0])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(65):
                await Fleet(client, look_every=30).start(faces(2)[1:])

    run(main())
    assert [round(at) for at in service.starts("face-1")] == [0, 30, 60]


def test_a_stop_that_finds_nothing_gives_the_slot_back() -> None:
    service = Service()
    service.create("face-0", faces=True)

    async def main() -> tuple[int, int]:
        client = service.client()
        fleet = Fleet(client)
        await fleet.start(faces(1))
        await asyncio.sleep(10)
        await client.stop_stream_processor("face-0")
        await asyncio.sleep(10)
        before = fleet.running
        await fleet.stop(["face-0"])
        return before, fleet.running

    assert run(main()) == (1, 0)


def test_stock_is_taken_of_what_is_still_at_work_when_it_is_looked_at() -> None:
    service = Service()
    service.create(*names(3))

    async def handle(operation: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        if operation == DESCRIBE and body["Name"] == "camera-0":
            return errors.ResourceNotFoundError("", operation=operation, code="R", http_status=400, retry_safe=True)
        answer = await service.handle(operation, body)
        if operation == DESCRIBE and body["Name"] == "camera-1" and not isinstance(answer, Exception):
            return {**answer, "Status": "STOPPED"}  # it has just ended
        return answer

    client = service.client()
    client._pipeline = attrs.evolve(client._pipeline, transport=rks.MemoryTransport(handle))

    async def main() -> tuple[int, bool]:
        for request in labels(3, 100):
            await client.start_stream_processor(request)
        fleet = Fleet(client)
        await fleet.take_stock()
        return fleet.running, "camera-2" in fleet._starts.plan.slots

    assert run(main()) == (1, True)


def test_the_longest_duration_of_others_is_that_of_the_limits() -> None:
    service = Service()
    service.create("camera-0")

    async def main() -> float:
        client = service.client(limits=rks.Limits(max_duration_in_seconds=300))
        await client.start_stream_processor(label("camera-0", 100))
        fleet = Fleet(client)
        await fleet.take_stock()
        return fleet._starts.plan.slots.next_change - service.clock.now()

    assert run(main()) > 300


@attrs.define
class _Slow(Service):
    """Gives the answers of one operation later than it acts."""

    late: Mapping[str, float] = attrs.field(factory=dict[str, float])

    async def handle(self, operation: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        answer = await Service.handle(self, operation, body)
        await asyncio.sleep(self.late.get(operation, 0))
        return answer


def test_the_answer_to_an_older_stop_does_not_end_the_session_that_came_after_it() -> None:
    service = _Slow(late={STOP: 12})
    service.create("camera-0")

    async def main() -> float:
        fleet = Fleet(service.client())
        await fleet.start([label("camera-0", 60)])
        await asyncio.sleep(3)
        stopping = asyncio.create_task(fleet.stop(["camera-0"]))
        await fleet.start([label("camera-0", 120)])
        again = service.clock.now()
        await stopping
        return fleet._starts.plan.slots.next_change - again

    assert run(main()) >= 120


@pytest.mark.parametrize("policy", ["join", "refuse"])
def test_a_face_search_that_ended_without_the_fleet_is_not_busy_for_ever(policy: str) -> None:
    service = Service()
    service.create("face-0", faces=True)

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


def test_sessions_of_others_are_counted_although_the_fleet_had_one_of_the_same_processor_long_ago() -> None:
    service = Service(limits=rks.Limits(concurrent_label_detection={"us-east-1": 100}))
    service.create(*names(3))

    async def main() -> None:
        client = service.client(limits=rks.Limits(concurrent_label_detection={"us-east-1": 2}))
        fleet = Fleet(client)
        await fleet.start(labels(2, 1))
        await asyncio.sleep(3600)
        for request in labels(2, 100):
            await client.start_stream_processor(request)
        await fleet.take_stock()
        await fleet.start([label("camera-2", 5)])

    run(main())
    assert service.most[ProcessorKind.LABEL_DETECTION] == 2
