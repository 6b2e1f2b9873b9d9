"""Fleets on several hosts share the slots of one account, on a real server in virtual time."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING

import aiorekostream as rks
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import Status
from aiorekostream.fleet import AlreadyRunning, Expired, Fleet, SessionEnd
from aiorekostream.rate_limiting.limiter import LocalRateLimiter
from tests.distributed.hosts import client_of, run, running_hosts
from tests.fleet.service import START, faces, label, labels
from tests.fleet.slots_contract import LIMIT, service_of
from tests.virtual_time import now

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from aiorekostream.rate_limiting import Permit, PermitRequest
    from tests.distributed.servers import Server

LABELS, FACES = ProcessorKind.LABEL_DETECTION, ProcessorKind.FACE_SEARCH


class _SilentMonitor:
    """A monitor that sees no session end."""

    async def ended(self, names: Collection[str]) -> Iterable[SessionEnd | str]:
        del names
        return ()


class _NotifiedMonitor(_SilentMonitor):
    """A monitor that a test lets report ends."""

    def listen(self, on_end: Callable[[SessionEnd], bool]) -> None:
        self.report = on_end


def test_hosts_keep_the_limit_together(server: Server) -> None:
    service = service_of(18)

    async def main() -> None:
        async with running_hosts(server, service, 3) as hosts:
            starts = labels(18)
            reports = await asyncio.gather(*(host.fleet.start(starts[number::3]) for number, host in enumerate(hosts)))
            assert sum(len(report.started) for report in reports) == 18

    run(main())
    assert service.most[LABELS] == LIMIT
    assert len(service.starts()) == 18, "no start is refused"


def test_slot_that_one_host_frees_goes_to_another(server: Server) -> None:
    service = service_of(LIMIT + 1)

    async def main() -> None:
        async with running_hosts(server, service) as (first, second):
            await first.fleet.start(labels(LIMIT, 120))
            waiting = asyncio.create_task(second.fleet.submit(label(f"camera-{LIMIT}")))
            await asyncio.sleep(1)
            await first.fleet.stop(["camera-0"])
            await first.fleet.ensure_stopped(["camera-0"])
            assert isinstance(await waiting, rks.Started)
            assert now() < 30

    run(main())
    assert service.most[LABELS] == LIMIT


def test_host_without_a_slot_takes_no_permit(server: Server) -> None:
    service = service_of(LIMIT + 1)
    asked: list[float] = []

    class RecordedStarts(LocalRateLimiter):
        async def acquire(self, request: PermitRequest) -> Permit:
            if request.operation == START:
                asked.append(now())
            return await super().acquire(request)

    async def main() -> None:
        async with running_hosts(server, service) as (first, second):
            await first.fleet.start(labels(LIMIT, 60))
            fleet = Fleet(client_of(service, rate_limiter=RecordedStarts()), slots=second.slots)
            outcome = await fleet.submit(label(f"camera-{LIMIT}"))
            assert isinstance(outcome, rks.Started)
            assert len(asked) == 1
            await fleet.aclose()

    run(main())


def test_one_start_of_a_processor_is_under_way_at_a_time(server: Server) -> None:
    service = service_of(1)
    service.latency = 2.0

    async def main() -> None:
        async with running_hosts(server, service) as hosts:
            outcomes = await asyncio.gather(*(host.fleet.submit(label("camera-0", 60)) for host in hosts))
            assert sorted(type(outcome).__name__ for outcome in outcomes) == ["AlreadyRunning", "Started"]

    run(main())
    first, second = service.starts()
    assert second - first >= service.latency


def test_started_session_outlives_its_host(server: Server) -> None:
    service = service_of(LIMIT + 1)

    async def main() -> None:
        async with running_hosts(server, service, 3) as (first, second, third):
            await first.fleet.start(labels(LIMIT, 60))
            first.redis.trouble = "dead"
            outcome = await second.fleet.submit(
                label(f"camera-{LIMIT}"), expires_at=service.clock.wall() + datetime.timedelta(seconds=30)
            )
            assert isinstance(outcome, Expired)
            assert isinstance(await third.fleet.submit(label(f"camera-{LIMIT}")), rks.Started)

    run(main())
    assert service.most[LABELS] == LIMIT


def test_start_of_a_dead_host_holds_its_slot_until_it_cannot_run(server: Server) -> None:
    """The call ends 20 s after it began, its session may last 10 s, and 20 s more."""
    service = service_of(2, limit=1)

    async def main() -> None:
        async with running_hosts(server, service) as (first, second):
            sent = asyncio.Event()
            service.before = lambda operation, _name: sent.set() if operation == START else None
            dying = asyncio.create_task(first.fleet.submit(label("camera-0")))
            await sent.wait()
            began = service.starts()[0]
            first.redis.trouble = "dead"
            dying.cancel()
            assert isinstance(await second.fleet.submit(label("camera-1")), rks.Started)
            assert 49 < service.starts("camera-1")[0] - began < 56

    run(main())


class _NoStarts(LocalRateLimiter):
    """Grants no permit to start, so that the leased slots are not used."""

    async def acquire(self, request: PermitRequest) -> Permit:
        if request.operation != START:
            return await super().acquire(request)
        await asyncio.get_running_loop().create_future()
        raise AssertionError


def test_returned_lease_wakes_a_waiting_host(server: Server) -> None:
    """Without the message, the host would look five seconds later."""
    service = service_of(LIMIT)

    async def main() -> None:
        async with running_hosts(server, service) as (first, second):
            fleet = Fleet(client_of(service, rate_limiter=_NoStarts(), total=1000), slots=first.slots)
            leasing = asyncio.create_task(fleet.start(labels(LIMIT)))
            await asyncio.sleep(4)
            waiting = asyncio.create_task(second.fleet.submit(label("camera-0")))
            await asyncio.sleep(1)
            assert not waiting.done()
            leasing.cancel()
            assert isinstance(await waiting, rks.Started)
            assert now() < 6

    run(main())


def test_lease_of_a_dead_host_is_free_again(server: Server) -> None:
    service = service_of(LIMIT)

    async def main() -> None:
        async with running_hosts(server, service) as (first, second):
            fleet = Fleet(client_of(service, rate_limiter=_NoStarts(), total=1000), slots=first.slots)
            dying = asyncio.create_task(fleet.start(labels(LIMIT)))
            await asyncio.sleep(4)
            first.redis.trouble = "dead"
            report = await second.fleet.start(labels(LIMIT))
            assert len(report.started) == LIMIT
            assert now() < 30
            dying.cancel()
            await asyncio.wait([dying])

    run(main())


def test_face_search_of_a_dead_host_is_found_at_rest(server: Server) -> None:
    service = service_of(2)

    async def main() -> None:
        async with running_hosts(server, service) as (first, second):
            await first.fleet.submit(faces(1)[0])
            first.redis.trouble = "dead"
            waiting = asyncio.create_task(second.fleet.submit(faces(2)[1]))
            await asyncio.sleep(600)
            assert not waiting.done()
            service.act("StopStreamProcessor", "face-0")
            assert isinstance(await waiting, rks.Started)

    run(main())
    assert service.most[FACES] == 1


def test_one_host_at_a_time_looks_for_ended_sessions(server: Server) -> None:
    service = service_of(LIMIT + 5)

    async def main() -> None:
        async with running_hosts(server, service, 6) as hosts:
            await hosts[0].fleet.start(labels(LIMIT, 100))
            before = len(service.calls)
            waits = [
                asyncio.create_task(host.fleet.submit(label(f"camera-{LIMIT + number}")))
                for number, host in enumerate(hosts[1:])
            ]
            await asyncio.sleep(60)
            assert 10 * LIMIT <= len(service.calls) - before <= 13 * LIMIT
            for wait in waits:
                wait.cancel()
            await asyncio.wait(waits)

    run(main())


def test_end_that_another_host_sees_is_reported(server: Server) -> None:
    service = service_of(LIMIT)

    async def main() -> None:
        async with running_hosts(server, service) as (first, second):
            await first.fleet.submit(label("camera-0", 100))
            await second.fleet.sync_sessions()
            ends = first.fleet.session_ends()
            await second.fleet.stop(["camera-0"])
            await second.fleet.ensure_stopped(["camera-0"])
            end = await anext(ends)
            assert (end.name, end.status) == ("camera-0", Status.STOPPED)
            assert end.session is not None
            assert first.fleet.running == 0

    run(main())


def test_synchronized_sessions_include_those_of_otherrunning_hosts(server: Server) -> None:
    service = service_of(LIMIT)

    async def main() -> None:
        async with running_hosts(server, service) as (first, second):
            outcome = await first.fleet.submit(label("camera-0", 100))
            assert isinstance(outcome, rks.Started)
            await asyncio.sleep(2)
            sessions = await second.fleet.sync_sessions()
            assert sessions["camera-0"].session == outcome.session
            assert service.count("DescribeStreamProcessor") == 0, "the host knows the kind"

    run(main())


def test_request_for_a_processor_of_another_host_finds_its_session(server: Server) -> None:
    service = service_of(LIMIT + 1)

    async def main() -> None:
        async with running_hosts(server, service) as (first, second):
            await first.fleet.start(labels(LIMIT - 1, 60))
            assert isinstance(await second.fleet.submit(label("camera-0")), AlreadyRunning)
            report = await second.fleet.start(labels(LIMIT + 1)[LIMIT - 1 :])
            assert len(report.started) == 2

    run(main())
    assert service.most[LABELS] == LIMIT


def test_notification_at_another_host_frees_the_slot(server: Server) -> None:
    service = service_of(LIMIT + 1)

    async def main() -> None:
        async with running_hosts(server, service) as (first, second):
            monitor = _NotifiedMonitor()
            hearing = Fleet(client_of(service), slots=second.slots, session_monitor=monitor)
            report = await first.fleet.start(labels(LIMIT, 60))
            waiting = asyncio.create_task(hearing.submit(label(f"camera-{LIMIT}")))
            [session] = [each.session for each in report.started if each.request.name == "camera-0"]
            service.act("StopStreamProcessor", "camera-0")
            await asyncio.sleep(2)
            assert not monitor.report(SessionEnd("camera-0", session=rks.StartedSession("another-session")))
            assert not monitor.report(SessionEnd("camera-0", session=session)), "the session is of another host"
            assert isinstance(await waiting, rks.Started)
            assert now() < 30
            await hearing.aclose()

    run(main())
    assert service.most[LABELS] == LIMIT


def test_stop_at_another_host_bounds_the_session(server: Server) -> None:
    """Nothing sees its end, so its slot is free 20 seconds after the stop."""
    service = service_of(LIMIT + 1)

    async def main() -> None:
        async with running_hosts(server, service) as (first, second):
            await first.fleet.start(labels(LIMIT, 120))
            waiting = Fleet(client_of(service), slots=second.slots, session_monitor=_SilentMonitor())
            await second.fleet.stop(["camera-0"])
            stopped_at = now()
            assert isinstance(await waiting.submit(label(f"camera-{LIMIT}")), rks.Started)
            assert 19 < now() - stopped_at < 26
            await waiting.aclose()

    run(main())
