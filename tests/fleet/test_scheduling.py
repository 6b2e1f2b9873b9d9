"""Order and permits: first come, first served across fleets and clients, and every permit is reported once."""

from __future__ import annotations

import asyncio
import datetime
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

import attrs
import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.fleet import Expired, Fleet, FleetRequest, Started, StartReport
from aiorekostream.rate_limiting.limiter import LocalRateLimiter
from aiorekostream.rate_limiting.port import PermitRequest, Priority
from aiorekostream.testing import MemoryTransport, Reply
from tests.fleet.service import (
    FACE,
    START,
    STOP,
    Service,
    faces,
    label,
    labels,
    leave,
    lost,
    names,
    once,
    run,
    throttling,
    unlimited_service_of,
)

SLOW = rks.Limits(quotas={START: rks.Quota(1, 1, ""), STOP: rks.Quota(1, 1, "")})


@attrs.define(eq=False)
class RecordedPermit:
    """What was reported of a permit."""

    operation: str
    reports: list[str] = attrs.field(factory=list)

    def allowed(self) -> None:
        self.reports.append("allowed")

    def throttled(self) -> None:
        self.reports.append("throttled")

    def cancel(self) -> None:
        self.reports.append("cancel")


@attrs.define(eq=False)
class RecordingLimiter:
    """A rate limiter that keeps its requests and permits; the next permit comes after `interval` seconds.

    Attributes:
        interval: seconds until each permit is granted.
        failure: given the number of the request from 0, an error to raise instead, or the seconds that it hangs.
        requests: what was asked for.
        permits: what was granted.
        waiting: how many callers wait now.
    """

    interval: float = 0.0
    failure: Callable[[int], Exception | float | None] = lambda _: None
    requests: list[PermitRequest] = attrs.field(factory=list)
    permits: list[RecordedPermit] = attrs.field(factory=list)
    waiting: int = 0

    async def acquire(self, request: PermitRequest) -> RecordedPermit:
        is_counted = request.operation in {START, STOP}
        failure = self.failure(len(self.requests)) if is_counted else None
        if is_counted:
            self.requests.append(request)
        self.waiting += 1
        try:
            if isinstance(failure, Exception):
                raise failure
            await request.clock.sleep(self.interval if failure is None else failure)
        finally:
            self.waiting -= 1
        self.permits.append(RecordedPermit(request.operation))
        return self.permits[-1]

    @property
    def reports(self) -> Counter[str]:
        """How often there is each first report, for the permits of starts and stops."""
        return Counter(
            "+".join(permit.reports) or "none" for permit in self.permits if permit.operation in {START, STOP}
        )


# --------------------------------------------------------------------------------------------------------------- order


def test_two_fleets_and_a_client_are_served_in_the_order_of_arrival() -> None:
    """They share one account, and so one rate limiter."""
    service = unlimited_service_of(12)

    async def main() -> None:
        client = service.client(limits=SLOW)
        one, two = Fleet(client), Fleet(client)
        tasks: list[asyncio.Task[object]] = []
        for number, request in enumerate(labels(12)):
            if number % 3 == 2:
                tasks.append(asyncio.create_task(client.start_stream_processor(request)))
            else:
                tasks.append(asyncio.create_task((one, two)[number % 3].start([request])))
            await asyncio.sleep(0.01)
        await asyncio.gather(*tasks)

    run(main())
    assert service.order() == names(12)


def test_requests_of_one_fleet_do_not_overtake_those_of_another() -> None:
    service = unlimited_service_of(20)

    async def main() -> None:
        client = service.client(limits=SLOW)
        first = asyncio.create_task(Fleet(client).start(labels(20)[:10]))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(Fleet(client).start(labels(20)[10:]))
        await asyncio.gather(first, second)

    run(main())
    assert service.order() == names(20)


def test_urgent_request_overtakes_while_the_scheduler_waits() -> None:
    """The others keep the order of their arrival."""
    service = unlimited_service_of(8)

    async def main() -> None:
        fleet = Fleet(service.client(limits=SLOW))
        starting = asyncio.create_task(fleet.start(labels(8)[:6]))
        await asyncio.sleep(2.5)
        urgent = [FleetRequest(request, urgent=True) for request in labels(8)[6:]]
        await fleet.start(urgent)
        await starting

    run(main())
    order, first = service.order(), service.starts("camera-6")[0]
    assert [name for name in order if name not in {"camera-6", "camera-7"}] == names(6)
    assert order.index("camera-7") == order.index("camera-6") + 1
    assert first < 3.5, "it goes out with the next permit"


def test_urgent_request_overtakes_those_of_another_fleet() -> None:
    service = unlimited_service_of(12)

    async def main() -> None:
        client = service.client(limits=SLOW)
        starting = asyncio.create_task(Fleet(client).start(labels(12)[:10]))
        await asyncio.sleep(2.4)
        fleet = Fleet(client)
        waiting = asyncio.create_task(fleet.start(labels(11)[10:]))  # it waits behind those of the other fleet
        await asyncio.sleep(0.1)
        await fleet.start([FleetRequest(label("camera-11"), urgent=True)])
        await asyncio.gather(starting, waiting)

    run(main())
    assert service.starts("camera-11")[0] < 3.5


def test_urgent_client_makes_every_request_of_its_fleet_urgent() -> None:
    limiter = RecordingLimiter()
    service = unlimited_service_of(2)
    run(Fleet(service.client(rate_limiter=limiter).with_options(urgent=True)).start(labels(2)))
    assert {request.priority for request in limiter.requests} == {Priority.URGENT}


def test_throttled_start_keeps_its_place_in_the_rate_limiter() -> None:
    service = unlimited_service_of(5)
    service.before = once(throttling())

    async def main() -> None:
        client = service.client(limits=SLOW)
        first = asyncio.create_task(Fleet(client).start(labels(5)[:3]))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(Fleet(client).start(labels(5)[3:]))
        await asyncio.gather(first, second)

    run(main())
    order = service.order()
    assert order[:2] == ["camera-0", "camera-0"]
    assert order[1:] == names(5)


def test_scheduler_asks_with_the_arrival_of_the_next_request() -> None:
    limiter = RecordingLimiter(interval=1)
    service = unlimited_service_of(4)

    async def main() -> None:
        fleet = Fleet(service.client(rate_limiter=limiter))
        first = asyncio.create_task(fleet.start(labels(4)[:2]))
        await asyncio.sleep(0.5)
        await fleet.start(labels(4)[2:])
        await first

    run(main())
    assert [request.arrived_at for request in limiter.requests] == [0, 0, 0.5, 0.5]
    assert {request.operation for request in limiter.requests} == {START}


@pytest.mark.parametrize(("way", "seconds"), [("client", 5.25), ("fleet", 7)])
def test_permit_request_has_the_time_quota_and_clock_of_its_caller(way: str, seconds: float) -> None:
    """A call keeps a quarter of its time to reconcile a lost response; a start's time begins with its permit."""
    limiter = RecordingLimiter()
    service = unlimited_service_of(1)
    client = service.client(rate_limiter=limiter, limits=SLOW, total=7)
    start = labels(1)[0]
    run(Fleet(client).submit(start) if way == "fleet" else client.start_stream_processor(start))
    (request,) = limiter.requests
    assert (request.timeout, request.quota, request.clock) == (seconds, SLOW.quotas[START], service.clock)
    assert request.scope == client.pipeline.transport.scope


# ------------------------------------------------------------------------------------------------------------- permits


@pytest.mark.parametrize(
    ("answer", "reports"),
    [
        (None, {"allowed": 1}),
        (errors.ResourceNotFoundError("", operation=START, code="R", http_status=400, retry_safe=True), {"allowed": 1}),
        (errors.ResourceInUseError("", operation=START, code="R", http_status=400, retry_safe=True), {"allowed": 1}),
        (throttling(), {"throttled": 1, "allowed": 1}),
        (errors.LimitExceededError("", operation=START, code="L", http_status=400, retry_safe=True), {"allowed": 2}),
        (lost(), {"none": 1}),
    ],
    ids=["started", "not found", "in use", "throttled", "no capacity", "lost"],
)
def test_permit_is_reported_by_the_answer(answer: Exception | None, reports: dict[str, int]) -> None:
    limiter = RecordingLimiter()
    service = unlimited_service_of(1)
    service.before = once(answer) if answer is not None else service.before
    run(Fleet(service.client(rate_limiter=limiter)).start(labels(1, 60)))
    assert limiter.reports == reports


@pytest.mark.parametrize("way", ["expired", "cancelled", "closed"])
def test_permit_is_given_up_when_no_request_is_left(way: str) -> None:
    """The scheduler no longer waits for it, so that it is not lost to others."""
    limiter = RecordingLimiter(interval=10)
    service = unlimited_service_of(3)

    async def main() -> StartReport:
        fleet = Fleet(service.client(rate_limiter=limiter), expires_after=1 if way == "expired" else None)
        starting = fleet.iter_start(labels(3))
        if way == "expired":
            report = await starting.wait()
        elif way == "cancelled":
            await leave(starting.wait(), after=1)
            report = starting.report
        else:
            waiting = asyncio.create_task(starting.wait())
            await asyncio.sleep(1)
            await fleet.aclose()
            report = await waiting
        await asyncio.sleep(0)
        assert limiter.waiting == 0
        return report

    report = run(main())
    assert report.counts == {"expired" if way == "expired" else "failed": 3}
    assert not limiter.permits
    assert not service.calls


def test_permit_is_cancelled_when_it_comes_with_the_last_deadline() -> None:
    """Both are due at the same moment: the permit is there, and no request is left for it."""
    limiter = RecordingLimiter(interval=1)
    service = unlimited_service_of(1)
    report = run(Fleet(service.client(rate_limiter=limiter), expires_after=1).start(labels(1)))
    assert report.counts == {"expired": 1}
    assert set(limiter.reports) <= {"cancel"}
    assert not service.calls


@attrs.define(eq=False)
class StubbornLimiter(RecordingLimiter):
    """Grants a permit although it is cancelled, so many times, against the contract."""

    times: int = 1000

    async def acquire(self, request: PermitRequest) -> RecordedPermit:
        try:
            return await RecordingLimiter.acquire(self, request)
        except asyncio.CancelledError:
            self.times -= 1
            if self.times < 0:
                raise
            self.permits.append(RecordedPermit(request.operation))
            return self.permits[-1]


def test_permit_is_cancelled_when_no_request_is_left_for_it() -> None:
    limiter = StubbornLimiter(interval=10)
    service = unlimited_service_of(3)

    async def main() -> None:
        fleet = Fleet(service.client(rate_limiter=limiter), expires_after=1)
        for number in range(3):
            starting = asyncio.create_task(fleet.start(labels(3)[number : number + 1]))
            await asyncio.sleep(2)
            assert (await starting).counts == {"expired": 1}
        limiter.interval = 0
        assert (await fleet.start(labels(1))).counts == {"started": 1}

    run(main())
    assert limiter.reports == {"cancel": 3, "allowed": 1}


def test_scheduler_outlives_a_rate_limiter_that_ignores_cancellation_once() -> None:
    """Two urgent requests break the wait off, one after the other."""
    limiter = StubbornLimiter(interval=10, times=1)
    service = unlimited_service_of(3)

    async def main() -> StartReport:
        fleet = Fleet(service.client(rate_limiter=limiter))
        starting = asyncio.create_task(fleet.start(labels(1)))
        for request in labels(3)[1:]:
            await asyncio.sleep(1)
            await fleet.start([FleetRequest(request, urgent=True)])
        return await starting

    assert run(main()).counts == {"started": 1}


def test_permit_is_given_up_while_only_calls_are_under_way() -> None:
    """The one request that is left to send expires."""
    limiter = RecordingLimiter(failure=lambda number: [0, 10][number])
    service = unlimited_service_of(2, latency=5)

    async def main() -> None:
        fleet = Fleet(service.client(rate_limiter=limiter), expires_after=1)
        sent = asyncio.create_task(fleet.submit(label("camera-0")))
        await asyncio.sleep(0.5)
        assert isinstance(await fleet.submit(label("camera-1")), Expired)
        await asyncio.sleep(0)
        assert limiter.waiting == 0
        assert isinstance(await sent, Started)

    run(main())


def test_urgent_request_waits_for_the_opening_that_has_begun() -> None:
    """It is sent first after that; to begin again would only hold both up."""

    class SlowToOpen(MemoryTransport):
        async def open(self) -> None:
            if service.clock.now() < 5:
                await asyncio.sleep(5)

    service = unlimited_service_of(2)

    async def main() -> None:
        client = service.client(limits=SLOW, transport=SlowToOpen(service.answer))
        fleet = Fleet(client)
        starting = asyncio.create_task(fleet.start([label("camera-0")]))
        await asyncio.sleep(3)
        await fleet.start([FleetRequest(label("camera-1"), urgent=True)])
        await starting

    run(main())
    assert service.order() == ["camera-1", "camera-0"]
    assert max(service.starts()) < 7


def test_opening_goes_on_when_nothing_can_be_sent_yet() -> None:
    """Requests that wait for a session do not break it off: each would make it begin again."""
    begun: list[float] = []

    class CountedOpening(MemoryTransport):
        async def open(self) -> None:
            begun.append(service.clock.now())
            await asyncio.sleep(3)

    service = unlimited_service_of(1)

    async def main() -> None:
        fleet = Fleet(service.client(transport=CountedOpening(service.answer), rate_limiter=None))
        await fleet.submit(label("camera-0", 60))
        waiting = asyncio.create_task(fleet.submit(label("camera-0")))
        await asyncio.sleep(1)
        before = len(begun)
        waiting_too = asyncio.create_task(fleet.submit(label("camera-0")))
        await asyncio.sleep(1)
        assert len(begun) == before
        for task in (waiting, waiting_too):
            task.cancel()
        await asyncio.wait([waiting, waiting_too])

    run(main())


@pytest.mark.parametrize("steps", range(6))
def test_cancelled_scheduler_ends_its_queue_when_it_is_interrupted(steps: int) -> None:
    """The program cancels the task before, with or after the urgent request that breaks its wait off."""
    service = unlimited_service_of(2)

    async def main() -> tuple[StartReport, StartReport]:
        fleet = Fleet(service.client(rate_limiter=RecordingLimiter(interval=10)))
        starting = asyncio.create_task(fleet.start([label("camera-0")]))
        await asyncio.sleep(1)
        (scheduler,) = (task for task in asyncio.all_tasks() if task.get_name() == f"aiorekostream {START}")
        urgent = asyncio.create_task(fleet.start([FleetRequest(label("camera-1"), urgent=True)]))
        for _ in range(steps):
            await asyncio.sleep(0)
        scheduler.cancel()
        return await starting, await urgent

    report, urgent = run(main())
    assert [type(it.error) for it in report.failed] == [errors.RequestCancelledError]
    assert len(urgent) == 1
    assert service.order() == [it.name for it in urgent.started]


@pytest.mark.parametrize("steps", range(12))
@pytest.mark.parametrize("way", ["run", "every task"])
def test_permit_and_outcome_are_there_whenever_a_start_is_cancelled(way: str, steps: int) -> None:
    """At each step of the event loop: before the permit, between permit and call, and during the call."""
    limiter = RecordingLimiter()
    service = unlimited_service_of(3, latency=0)

    async def main() -> StartReport:
        starting = Fleet(service.client(rate_limiter=limiter)).iter_start(labels(3, 60))
        waiting = asyncio.create_task(starting.wait())
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            if way == "every task" or task is waiting:
                task.cancel()
        async with asyncio.timeout(100):
            await asyncio.wait([waiting])
        return starting.report

    report = run(main())
    sent = set(service.order())
    assert {it.name for it in report.failed} | {it.name for it in report.started} | {
        it.name for it in report.unknown
    } <= set(names(3))
    assert {it.name for it in report.failed}.isdisjoint(sent)
    reported = limiter.reports
    assert all("+" not in key for key in reported), reported
    assert reported["none"] == len(report.unknown)
    assert reported["allowed"] == len(report.started)
    assert reported.total() == len(limiter.permits)


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_permits_are_neither_lost_nor_leaked_in_a_busy_fleet(verb: str) -> None:
    limiter = RecordingLimiter(interval=0.01)
    service = unlimited_service_of(60)
    operation = START if verb == "start" else STOP
    number = 0

    def trouble(asked: str, _name: str) -> Exception | None:
        nonlocal number
        if asked != operation:
            return None
        number += 1
        return throttling(asked) if number % 5 == 0 else lost(asked) if number % 7 == 0 else None

    service.before = trouble

    async def main() -> None:
        fleet = Fleet(service.client(rate_limiter=limiter))

        def part(first: int) -> Awaitable[object]:
            if verb == "start":
                return fleet.iter_start(labels(60, 60)[first::3]).wait()
            return fleet.iter_stop(names(60)[first::3]).wait()

        await asyncio.gather(leave(part(0), after=0.3), part(1), part(2))

    run(main())
    calls, reports = service.count(operation), limiter.reports
    assert all("+" not in report for report in reports), reports
    assert reports["none"] == sum(n % 7 == 0 and n % 5 != 0 for n in range(1, calls + 1))
    assert reports["throttled"] == calls // 5
    assert reports["allowed"] == calls - reports["none"] - reports["throttled"]


# ------------------------------------------------------------------------------------ rate limiters that do not work


_UNAVAILABLE = ConnectionRefusedError("the store of the quota is gone")


@pytest.mark.parametrize("verb", ["start", "stop"])
@pytest.mark.parametrize("after", [0, 2])
def test_requests_fail_when_the_rate_limiter_fails_and_work_again_later(
    verb: str, after: int, caplog: pytest.LogCaptureFixture
) -> None:
    limiter = RecordingLimiter(failure=lambda number: _UNAVAILABLE if number >= after else None)
    service = unlimited_service_of(5)

    async def main() -> None:
        fleet = Fleet(service.client(rate_limiter=limiter))
        report = await (fleet.start(labels(5)) if verb == "start" else fleet.stop(names(5)))
        assert len(report) == 5
        assert [type(it.error) for it in report.failed] == [ConnectionRefusedError] * (5 - after)
        assert len({id(it.error) for it in report.failed}) == 5 - after
        limiter.failure = lambda _: None
        rest = [it.name for it in report.failed]
        again = await (fleet.start(map(label, rest)) if verb == "start" else fleet.stop(rest))
        assert len(again.failed) == 0

    run(main())
    assert "the scheduler failed in an unexpected way" in caplog.text


def test_request_fails_when_the_limiter_hangs_after_an_interruption() -> None:
    """The urgent request breaks the first wait off."""
    limiter = RecordingLimiter(failure=lambda number: [10, 0, 1e7][number])
    service = unlimited_service_of(2)

    async def main() -> StartReport:
        fleet = Fleet(service.client(rate_limiter=limiter, total=20))
        starting = asyncio.create_task(fleet.start([label("camera-0")]))
        await asyncio.sleep(1)
        assert len((await fleet.start([FleetRequest(label("camera-1"), urgent=True)])).started) == 1
        return await starting

    assert [type(it.error) for it in run(main()).failed] == [errors.DeadlineExceededError]


def test_failed_scheduler_has_no_task_while_calls_are_under_way() -> None:
    """There is nothing to dispatch, and what has failed once would fail again and again."""
    limiter = RecordingLimiter(failure=lambda number: _UNAVAILABLE if number else None)
    service = unlimited_service_of(2, latency=5)

    async def main() -> None:
        fleet = Fleet(service.client(rate_limiter=limiter))
        sent, queued = (asyncio.create_task(fleet.submit(start)) for start in labels(2))
        await queued
        await asyncio.sleep(1)
        assert f"aiorekostream {START}" not in {task.get_name() for task in asyncio.all_tasks()}
        assert isinstance(await sent, Started)

    run(main())


def test_requests_fail_when_the_rate_limiter_hangs() -> None:
    limiter = RecordingLimiter(failure=lambda number: 1e7 if number >= 2 else None)
    service = unlimited_service_of(5)

    async def main() -> tuple[StartReport, float]:
        report = await Fleet(service.client(rate_limiter=limiter, total=10)).start(labels(5))
        return report, service.clock.now()

    report, seconds = run(main())
    assert report.counts == {"started": 2, "failed": 3}
    assert seconds <= 11.1
    for failed in report.failed:
        assert isinstance(failed.error, errors.DeadlineExceededError)
        assert failed.error.retry_safe


def test_requests_wait_when_the_rate_limiter_refuses_for_a_while() -> None:
    refusal = errors.RateLimitedError("", operation=START, retry_after=3)
    limiter = RecordingLimiter(failure=lambda number: refusal if number < 4 else None)
    service = unlimited_service_of(3)
    report = run(Fleet(service.client(rate_limiter=limiter)).start(labels(3)))
    assert report.counts == {"started": 3}
    assert service.starts()[0] == 12


@pytest.mark.parametrize("retry_after", [0.0, 1.0, float("inf"), float("nan")])
def test_requests_expire_while_the_rate_limiter_refuses(retry_after: float) -> None:
    refusal = errors.RateLimitedError("", operation=START, retry_after=retry_after)
    limiter = RecordingLimiter(failure=lambda _: refusal)
    service = unlimited_service_of(3)
    report = run(Fleet(service.client(rate_limiter=limiter), expires_after=5).start(labels(3)))
    assert [it.waited for it in report.expired] == [5.0] * 3
    assert len(limiter.requests) <= 51, "it is asked ten times a second at most"


@pytest.mark.parametrize(
    ("retry_after", "ends_at"), [(0.0, 600), (7.0, 600), (math.inf, 600), (math.nan, 600), (1000.0, 2000)]
)
def test_requests_fail_when_the_rate_limiter_only_refuses(retry_after: float, ends_at: float) -> None:
    refusal = errors.RateLimitedError("no", operation=START, retry_after=retry_after)
    service = unlimited_service_of(2)

    async def main() -> StartReport:
        fleet = Fleet(service.client(rate_limiter=RecordingLimiter(failure=lambda _: refusal)))
        report = await fleet.start(labels(2))
        assert ends_at <= service.clock.now() <= ends_at + 61
        # A later request has as long.
        await fleet.submit(labels(1)[0])
        assert 2 * ends_at <= service.clock.now() <= 2 * ends_at + 122
        return report

    report = run(main())
    assert [type(it.error) for it in report.failed] == [errors.RateLimitedError] * 2
    assert "granted this fleet no permit" in str(report.failed[0].error)


def test_requests_wait_as_long_as_the_limiter_grants_some() -> None:
    """A permit in ten minutes is enough; in two hours, all are sent."""
    refusal = errors.RateLimitedError("busy", operation=START, retry_after=60)
    limiter = RecordingLimiter(failure=lambda number: None if number % 9 == 8 else refusal)
    service = unlimited_service_of(12)
    report = run(Fleet(service.client(rate_limiter=limiter)).start(labels(12)))
    assert report.counts == {"started": 12}
    assert service.starts()[-1] > 5000


def test_requests_wait_for_a_quota_of_few_calls_an_hour() -> None:
    slow = rks.Limits(quotas={START: rks.Quota(1e-3, 1, "")})
    service = unlimited_service_of(4)
    report = run(Fleet(service.client(limits=slow)).start(labels(4)))
    assert report.counts == {"started": 4}


def test_refusals_before_and_after_an_idle_hour_are_not_added() -> None:
    """The request after an hour waits as long as any other for a permit."""
    refusal = errors.RateLimitedError("no", operation=START, retry_after=1)
    limiter = RecordingLimiter(failure=lambda number: None if number in {0, 100} else refusal)
    service = unlimited_service_of(1, face_searches=1)

    async def main() -> None:
        fleet = Fleet(service.client(rate_limiter=limiter))
        service.act(STOP, "face-0", after=3600)
        await fleet.submit(FACE)
        # It keeps the scheduler alive until the session of its processor ends.
        waiting = asyncio.create_task(fleet.submit(FACE))
        short = FleetRequest(label("camera-0"), expires_at=service.clock.wall() + datetime.timedelta(seconds=9))
        assert len((await fleet.start([short])).expired) == 1
        assert isinstance(await waiting, Started)
        assert service.clock.now() > 3600

    run(main())


def test_requests_of_a_limiter_that_does_not_wait_are_all_sent() -> None:
    service = unlimited_service_of(30, quotas=True)
    report = run(Fleet(service.client(rate_limiter=LocalRateLimiter(wait=False))).start(labels(30)))
    assert report.counts == {"started": 30}


def test_stop_with_a_short_total_outlasts_a_refusing_rate_limiter() -> None:
    """Its time begins with the permit, however many stops are ahead of it."""
    limiter = LocalRateLimiter()
    service = Service(limits=SLOW)
    service.create(*names(30, "face"), faces=True)
    report = run(Fleet(service.client(rate_limiter=limiter, total=5)).stop(names(30, "face")))
    assert report.counts == {"already stopped": 30}


def test_fleet_of_another_kind_is_not_held_up_by_a_full_one() -> None:
    """A permit is spent on the next runnable request, not on the oldest."""
    limits = rks.Limits(concurrent_face_search={"us-east-1": 1}, quotas=SLOW.quotas)
    service = unlimited_service_of(3)
    service.create(*names(2, "face"), faces=True)

    async def main() -> None:
        fleet = Fleet(service.client(limits=limits))
        blocked = asyncio.create_task(fleet.start(faces(2)))
        await asyncio.sleep(0.01)
        await fleet.start(labels(3))
        await fleet.stop(["face-0"])
        await blocked

    run(main())
    assert service.order() == ["face-0", *names(3), "face-1"]


def test_answers_do_not_wait_for_the_next_permit() -> None:
    """The handler answers while the scheduler waits for a permit that takes a minute."""
    limiter = RecordingLimiter(failure=lambda number: None if number == 0 else 60.0)

    async def handle(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        return await service.answer(operation, body)

    service = unlimited_service_of(2)

    async def main() -> list[float]:
        fleet = Fleet(service.client(rate_limiter=limiter, transport=MemoryTransport(handle), total=100))
        return [service.clock.now() async for _ in fleet.iter_start(labels(2))]

    first, second = run(main())
    assert first < 1
    assert 60 <= second < 61
