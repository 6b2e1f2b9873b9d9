"""Requests that come one by one: one awaited outcome each."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING, Any

import attrs
import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.errors import InvalidRequestError, RequestCancelledError
from aiorekostream.fleet import (
    AlreadyRunning,
    Expired,
    Failed,
    Fleet,
    FleetEvent,
    FleetEventType,
    FleetRequest,
    Started,
    Unknown,
)
from aiorekostream.testing import MemoryTransport, Reply
from tests.fleet.service import (
    BEGINNING,
    DESCRIBE,
    START,
    Service,
    label,
    labels,
    leave,
    lost,
    names,
    once,
    run,
    service_of,
    throttling,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiorekostream.fleet import StartOutcome, WhenBusy
    from aiorekostream.rate_limiting.port import Permit, PermitRequest


def deadline(seconds: float) -> datetime.datetime:
    return BEGINNING + datetime.timedelta(seconds=seconds)


# ------------------------------------------------------------------------------------------------------------ outcomes


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, Started),
        (lost(), Started),
        (errors.ResourceInUseError("", operation=START, code="R", http_status=400, retry_safe=True), AlreadyRunning),
        (errors.AccessDeniedError("", operation=START, code="A", http_status=400, retry_safe=True), Failed),
        (errors.ConfigurationError("closed"), Failed),
    ],
    ids=["none", "lost", "in use", "denied", "configuration"],
)
def test_submit_returns_the_outcome(error: Exception | None, outcome: type) -> None:
    service = service_of(1)
    service.before = (lambda _operation, _name: None) if error is None else once(error)
    assert type(run(Fleet(service.client()).submit(label("camera-0")))) is outcome


def test_submit_has_an_unknown_outcome_when_no_call_determines_it() -> None:
    service = service_of(1)
    service.before = lambda operation, _: lost(operation) if operation in {START, DESCRIBE} else None
    assert isinstance(run(Fleet(service.client()).submit(label("camera-0"))), Unknown)


def test_thousand_submits_are_sent_once_each_at_the_rate_of_the_quota() -> None:
    service = Service(region="us-east-1")
    service.create(*names(1000))

    async def main() -> tuple[list[StartOutcome], float]:
        fleet = Fleet(service.client())
        outcomes = await asyncio.gather(*(fleet.submit(label(name, 5)) for name in names(1000)))
        return outcomes, service.clock.now()

    outcomes, seconds = run(main())
    assert [it.name for it in outcomes] == names(1000), "each caller has the outcome of its own request"
    assert {type(it) for it in outcomes} == {Started}
    assert sorted(service.order()) == sorted(names(1000))
    assert 49 < seconds < 60


@pytest.mark.parametrize(("policy", "starts"), [("queue", 2), ("share", 1), ("reject", 1)])
def test_submits_for_one_processor_follow_when_busy(policy: WhenBusy, starts: int) -> None:
    service = service_of(1)

    async def main() -> tuple[StartOutcome, StartOutcome]:
        fleet = Fleet(service.client(), when_busy=policy)
        return await asyncio.gather(fleet.submit(label("camera-0", 5)), fleet.submit(label("camera-0", 5)))

    first, second = run(main())
    assert isinstance(first, Started)
    assert isinstance(second, Failed if policy == "reject" else Started)
    assert (attrs.evolve(first, shared=True) == second) is (policy == "share")
    assert len(service.starts()) == starts


def test_submit_shares_the_queue_with_the_runs_of_its_fleet() -> None:
    service = service_of(40)

    async def main() -> StartOutcome:
        fleet = Fleet(service.client())
        starting = asyncio.create_task(fleet.start(labels(40)[:39]))
        await asyncio.sleep(0.1)
        outcome = await fleet.submit(label("camera-39"))
        await starting
        return outcome

    assert isinstance(run(main()), Started)
    assert service.order()[-1] == "camera-39"


# --------------------------------------------------------------------------------------------- deadlines and priorities


def test_submit_expires_while_it_is_queued() -> None:
    service = service_of(41)

    async def main() -> tuple[StartOutcome, float]:
        fleet = Fleet(service.client())
        starting = asyncio.create_task(fleet.start(labels(40, 60)))
        await asyncio.sleep(0.1)
        outcome = await fleet.submit(label("camera-40"), expires_at=deadline(0.5))
        now = service.clock.now()
        await starting
        return outcome, now

    outcome, now = run(main())
    assert isinstance(outcome, Expired)
    assert outcome.waited == pytest.approx(0.4)
    assert now == pytest.approx(0.5)
    assert "camera-40" not in service.order()


@pytest.mark.parametrize(("own", "general", "waited"), [(2, 5, 2), (5, 2, 2), (None, 2, 2), (2, None, 2), (-1, 5, 0)])
def test_submit_expires_at_the_earlier_deadline(own: float | None, general: float | None, waited: float) -> None:
    service = service_of(1)
    service.before = lambda operation, _: throttling(retry_after=10) if operation == START else None

    async def main() -> StartOutcome:
        fleet = Fleet(service.client(), expires_after=general)
        return await fleet.submit(label("camera-0"), expires_at=None if own is None else deadline(own))

    outcome = run(main())
    assert isinstance(outcome, Expired)
    assert outcome.waited == pytest.approx(waited)


def test_urgent_submit_overtakes() -> None:
    service = service_of(40)

    async def main() -> None:
        fleet = Fleet(service.client())
        others = [asyncio.create_task(fleet.submit(label(name))) for name in names(39)]
        await asyncio.sleep(0.1)
        await fleet.submit(label("camera-39"), urgent=True)
        await asyncio.gather(*others)

    run(main())
    assert service.order().index("camera-39") < 25


# --------------------------------------------------------------------------------------------------------- cancellation


def _events(listened: list[FleetEvent], name: str) -> list[FleetEventType]:
    return [event.type for event in listened if event.name == name]


@pytest.mark.parametrize("state", ["waits for a permit", "backs off", "is blocked", "waits for the opening"])
def test_queued_submit_is_never_sent_when_cancelled(state: str) -> None:
    service = service_of(1)
    listened: list[FleetEvent] = []

    class NeverGranting:
        async def acquire(self, request: PermitRequest) -> Permit:
            await asyncio.sleep(3600)
            raise AssertionError(request)

    class NeverOpened(MemoryTransport):
        async def open(self) -> None:
            await asyncio.sleep(3600)

    async def main() -> int:
        limiter = NeverGranting() if state == "waits for a permit" else None
        transport = NeverOpened(service.answer) if state == "waits for the opening" else None
        fleet = Fleet(service.client(rate_limiter=limiter, transport=transport, total=3600), on_event=listened.append)
        if state == "is blocked":
            assert isinstance(await fleet.submit(label("camera-0", 60)), Started)
            listened.clear()
        if state == "backs off":
            service.before = once(throttling(retry_after=30))
        sent = len(service.starts())
        await leave(fleet.submit(label("camera-0")), after=1)
        return len(service.starts()) - sent

    assert run(main()) == (1 if state == "backs off" else 0)
    assert _events(listened, "camera-0")[-1] is FleetEventType.COMPLETED
    outcome = listened[-1].outcome
    assert isinstance(outcome, Failed)
    assert isinstance(outcome.error, RequestCancelledError)


def test_dispatched_submit_is_reported_as_an_event_when_cancelled() -> None:
    service = service_of(1, latency=4)
    listened: list[FleetEvent] = []

    async def main() -> int:
        fleet = Fleet(service.client(), on_event=listened.append)
        await leave(fleet.submit(label("camera-0", 60)), after=1)
        assert service.clock.now() == 1, "the cancellation does not wait for the answer"
        await asyncio.sleep(10)
        return fleet.running

    assert run(main()) == 1
    assert _events(listened, "camera-0") == [FleetEventType.QUEUED, FleetEventType.SENT, FleetEventType.STARTED]
    assert isinstance(listened[-1].outcome, Started)


def test_lost_submit_is_reconciled_when_cancelled() -> None:
    service = service_of(1, latency=2)
    service.before = once(lost())
    listened: list[FleetEvent] = []

    async def main() -> None:
        fleet = Fleet(service.client(), on_event=listened.append)
        await leave(fleet.submit(label("camera-0", 60)), after=3)
        await fleet.aclose()

    run(main())
    assert listened[-1].type is FleetEventType.STARTED
    assert len(service.starts()) == 1


def test_submit_of_another_task_is_sent_when_the_first_is_cancelled() -> None:
    service = service_of(2, latency=3)

    async def main() -> StartOutcome:
        fleet = Fleet(service.client(), when_busy="share", max_in_flight=1)
        busy = asyncio.create_task(fleet.submit(label("camera-1")))
        await asyncio.sleep(0.1)
        first = asyncio.create_task(fleet.submit(label("camera-0")))
        second = asyncio.create_task(fleet.submit(label("camera-0")))
        await asyncio.sleep(0.1)
        first.cancel()
        await busy
        return await second

    assert isinstance(run(main()), Started)


# -------------------------------------------------------------------------------------------------------------- closing


def test_closing_gives_every_submit_its_outcome() -> None:
    service = service_of(6, latency=2)

    async def main() -> list[StartOutcome]:
        async with Fleet(service.client(), max_in_flight=2) as fleet:
            submits = [asyncio.create_task(fleet.submit(label(name))) for name in names(6)]
            await asyncio.sleep(1)
        assert service.clock.now() == pytest.approx(2, abs=0.2)
        return await asyncio.gather(*submits)

    outcomes = run(main())
    assert [type(it) for it in outcomes] == [Started] * 2 + [Failed] * 4
    assert {type(it.error) for it in outcomes if isinstance(it, Failed)} == {RequestCancelledError}
    assert len(service.starts()) == 2


def test_closing_ends_while_requests_keep_coming() -> None:
    """As in a web service whose requests are not held up while it shuts down."""
    service = service_of(100)

    async def main() -> float:
        fleet = Fleet(service.client())

        async def keep_submitting() -> None:
            for name in names(100):
                tasks.append(asyncio.create_task(fleet.submit(label(name))))
                await asyncio.sleep(0.02)

        tasks: list[asyncio.Task[StartOutcome]] = []
        submitting = asyncio.create_task(keep_submitting())
        await asyncio.sleep(0.5)
        await fleet.aclose()
        closed_at = service.clock.now()
        await submitting
        await asyncio.gather(*tasks)
        return closed_at

    assert run(main()) < 0.7


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_closing_cancels_starts_and_stops_at_once(verb: str) -> None:
    """Neither waits for the calls of the other."""
    service = service_of(8, latency=2)

    async def main() -> int:
        fleet = Fleet(service.client(rate_limiter=None), max_in_flight=1)
        slow = asyncio.create_task(fleet.stop(["camera-0"]) if verb == "start" else fleet.submit(label("camera-0")))
        await asyncio.sleep(0.1)
        service.latency = 0.5
        others = [
            asyncio.create_task(fleet.submit(label(name)) if verb == "start" else fleet.stop([name]))
            for name in names(8)[1:]
        ]
        await asyncio.sleep(0.1)
        await fleet.aclose()
        await asyncio.gather(slow, *others)
        return len(service.order("StartStreamProcessor" if verb == "start" else "StopStreamProcessor"))

    assert run(main()) == 1


# ---------------------------------------------------------------------------------------------------------------- input


@pytest.mark.parametrize(
    ("arguments", "paths"),
    [
        ({"start": "camera-0"}, ["request"]),
        ({"start": {"Name": "camera-0"}}, ["request"]),
        ({"start": [label("camera-0")]}, ["request"]),
        ({"start": FleetRequest(label("camera-0"))}, ["request"]),
        ({"start": None, "urgent": 1, "expires_at": 5}, ["request", "expires_at", "urgent"]),
        ({"start": label("camera-0"), "expires_at": datetime.datetime(2026, 1, 1)}, ["expires_at"]),  # noqa: DTZ001
    ],
)
def test_submit_reports_all_issues_before_anything_is_sent(arguments: dict[str, Any], paths: list[str]) -> None:
    service = service_of(1)
    with pytest.raises(InvalidRequestError) as caught:
        run(Fleet(service.client()).submit(**arguments))
    assert [issue.path for issue in caught.value.issues] == paths
    assert service.calls == []


@attrs.define
class WritesInATask(MemoryTransport):
    """Writes a request in a task of its own, as aiohttp does, which a cancellation does not reach at once."""

    written: list[str] = attrs.field(factory=list, kw_only=True)
    writers: list[asyncio.Task[None]] = attrs.field(factory=list, kw_only=True)

    async def send(
        self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = lambda: None
    ) -> Reply:
        async def write() -> None:
            await asyncio.sleep(0.1)
            on_sent()
            self.written.append(f"{operation} of {body['Name']}")

        self.writers.append(asyncio.create_task(write()))
        await asyncio.Event().wait()
        raise AssertionError("never")


@pytest.mark.parametrize("how", ["cancelled", "closed"])
def test_start_is_not_written_after_its_outcome_is_not_sent(how: str) -> None:
    transport = WritesInATask(lambda _operation, _body: {})

    async def main() -> list[str]:
        fleet = Fleet(rks.Client(transport=transport))
        task = asyncio.create_task(fleet.submit(label("camera-0")))
        await asyncio.sleep(0.05)
        if how == "cancelled":
            task.cancel()
            await asyncio.wait([task])
        else:
            await fleet.aclose()
            assert isinstance((await task), rks.Failed)
        await asyncio.wait(transport.writers)
        assert isinstance(transport.writers[0].exception(), errors.RequestCancelledError)
        return transport.written

    assert run(main()) == []
