"""Session monitors that report ends by themselves: slots are freed at once, and polls are few."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import attrs

import aiorekostream as rks
from aiorekostream.fleet import Fleet, FleetEvent, FleetEventType, SessionEnd, Started
from tests.fleet.service import Service, faces, label, labels, names, run

if TYPE_CHECKING:
    from aiorekostream.fleet import StartOutcome


@attrs.define
class Notifier:
    """A monitor that reports what the test tells it to, and shows the processors of ``at_rest`` when it is asked."""

    service: Service
    at_rest: set[str] = attrs.field(factory=set[str], init=False)
    asked: list[tuple[float, set[str]]] = attrs.field(factory=list, init=False)
    report: Callable[[SessionEnd], bool] = attrs.field(init=False)

    def listen(self, on_end: Callable[[SessionEnd], bool]) -> None:
        self.report = on_end

    async def ended(self, names: Collection[str]) -> Collection[str]:
        self.asked.append((self.service.clock.now(), set(names)))
        return self.at_rest & set(names)

    def end(self, name: str, outcome: StartOutcome) -> bool:
        """Report the end of the session of an outcome."""
        assert isinstance(outcome, Started)
        return self.report(SessionEnd(name, session=outcome.session))


def _stage(*, count: int = 2, face_searches: int = 0) -> tuple[Service, Notifier]:
    service = Service(quotas=False)
    service.create(*names(count))
    service.create(*names(face_searches, "face"), faces=True)
    return service, Notifier(service)


def test_reported_end_frees_the_slot_and_its_queue_at_once() -> None:
    service, notifier = _stage()

    async def main() -> None:
        async with Fleet(service.client(), session_monitor=notifier) as fleet:
            first = await fleet.submit(label("camera-0", 60))
            waiting = asyncio.create_task(fleet.submit(label("camera-0", 60)))
            await asyncio.sleep(12.3)
            service.act("StopStreamProcessor", "camera-0")
            await asyncio.sleep(5)
            assert not waiting.done()
            assert notifier.end("camera-0", first)
            second = await waiting
            assert isinstance(second, Started)
            assert service.clock.now() < 17.6
            assert fleet.sessions["camera-0"].session == second.session
        assert notifier.asked == []

    run(main())


def test_reported_end_is_an_event_and_a_session_end() -> None:
    service, notifier = _stage()
    events: list[FleetEvent] = []

    async def main() -> None:
        async with Fleet(service.client(), session_monitor=notifier, on_event=events.append) as fleet:
            ends = fleet.session_ends()
            outcome = await fleet.submit(label("camera-0", 60))
            assert notifier.end("camera-0", outcome)
            assert isinstance(outcome, Started)
            assert await anext(ends) == SessionEnd("camera-0", session=outcome.session)
            assert fleet.running == 0
            assert notifier.end("camera-0", outcome), "it is the fleet's session, however often it is reported"
            service.act("StopStreamProcessor", "camera-0")
            await asyncio.sleep(5)
            assert isinstance(await fleet.submit(label("camera-0", 60)), Started)
            assert notifier.end("camera-0", outcome), "also after the next start"
            assert fleet.running == 1
        assert [event.type for event in events].count(FleetEventType.SESSION_ENDED) == 1

    run(main())


def test_sessions_are_polled_only_while_one_is_overdue() -> None:
    """The end of one of two sessions is not reported: one poll for each interval, about that one."""
    service, notifier = _stage()

    async def main() -> None:
        async with Fleet(service.client(), session_monitor=notifier, poll_interval=5) as fleet:
            report = await fleet.start([label("camera-0", 20), label("camera-1", 110)])
            ends = fleet.session_ends()
            reading = asyncio.ensure_future(anext(ends))
            await asyncio.sleep(31)
            assert len(report.started) == 2
            notifier.at_rest.add("camera-0")
            assert (await reading).name == "camera-0"
            assert service.clock.now() <= 31.2 + 5
            await asyncio.sleep(60)

    run(main())
    assert {name for _, asked in notifier.asked for name in asked} == {"camera-0"}
    moments = [moment for moment, _ in notifier.asked]
    assert 20 < moments[0] <= 25.2
    assert {round(later - earlier, 1) for earlier, later in itertools.pairwise(moments)} == {5}
    assert moments[-1] < 37


def test_stopped_session_is_polled_at_once() -> None:
    service, notifier = _stage()

    async def main() -> None:
        async with Fleet(service.client(), session_monitor=notifier, poll_interval=5) as fleet:
            await fleet.submit(label("camera-0", 100))
            await asyncio.sleep(10)
            await fleet.stop(["camera-0"])
            asyncio.get_running_loop().call_later(3, notifier.at_rest.add, "camera-0")
            assert isinstance(await fleet.submit(label("camera-0", 100)), Started)
            assert service.clock.now() < 21

    run(main())


def test_face_searches_are_polled_as_ever() -> None:
    """They send no notifications."""
    service, notifier = _stage(face_searches=1)

    async def main() -> None:
        async with Fleet(service.client(), session_monitor=notifier, poll_interval=5) as fleet:
            ends = fleet.session_ends()
            await fleet.start([*faces(1), label("camera-0", 100)])
            reading = asyncio.ensure_future(anext(ends))
            await asyncio.sleep(30)
            reading.cancel()

    run(main())
    assert len(notifier.asked) >= 5
    assert {name for _, asked in notifier.asked for name in asked} == {"face-0"}


def test_session_is_polled_before_it_is_shared() -> None:
    """It may have failed, which sends no notification for certain."""
    service, notifier = _stage()

    async def main() -> None:
        fleet = Fleet(service.client(), session_monitor=notifier, when_busy="share", poll_interval=5)
        async with fleet:
            first = await fleet.submit(label("camera-0", 100))
            await fleet.submit(label("camera-1", 100))
            await asyncio.sleep(10)
            assert isinstance(first, Started)
            assert await fleet.submit(label("camera-0", 100)) == attrs.evolve(first, shared=True)
            assert [asked for _, asked in notifier.asked] == [{"camera-0"}]
            await asyncio.sleep(1)
            await fleet.submit(label("camera-1", 100))
            assert [asked for _, asked in notifier.asked] == [{"camera-0"}, {"camera-1"}]

    run(main())


def test_end_that_overtakes_the_answer_to_its_start_frees_the_slot() -> None:
    service, notifier = _stage()
    service.latency = 4
    ended: list[bool] = []

    async def main() -> None:
        async with Fleet(service.client(), session_monitor=notifier) as fleet:
            starting = asyncio.create_task(fleet.submit(label("camera-0", 60)))
            await asyncio.sleep(3)
            early = SessionEnd("camera-0", session=rks.StartedSession(service.session_id("camera-0")))
            ended.append(notifier.report(early))
            assert isinstance(await starting, Started)
            await asyncio.sleep(0)
            assert fleet.running == 0
            ended.append(notifier.report(early))  # delivered again, since it was not known
        assert ended == [False, True]

    run(main())


def test_end_of_the_session_before_frees_no_new_session() -> None:
    service, notifier = _stage()
    service.latency = 4

    async def main() -> None:
        async with Fleet(service.client(), session_monitor=notifier, when_busy="share") as fleet:
            first = await fleet.submit(label("camera-0", 5))
            await asyncio.sleep(6)
            starting = asyncio.create_task(fleet.submit(label("camera-0", 60)))  # overdue, so it is sent
            await asyncio.sleep(2)
            assert notifier.end("camera-0", first)
            second = await starting
            assert isinstance(second, Started)
            assert second != first
            assert fleet.sessions["camera-0"].session == second.session
            assert not notifier.end("camera-0", first), "nothing is known of it any more"
            assert fleet.running == 1

    run(main())


def test_ends_of_other_clients_sessions_are_not_the_fleets() -> None:
    service, notifier = _stage()

    async def main() -> None:
        async with Fleet(service.client(), session_monitor=notifier) as fleet:
            await fleet.start(labels(1, 60))
            foreign = rks.StartedSession("foreign")
            assert not notifier.report(SessionEnd("camera-0", session=foreign))
            assert not notifier.report(SessionEnd("camera-1", session=foreign))
            assert not notifier.report(SessionEnd("camera-0"))
            assert fleet.running == 1

    run(main())
