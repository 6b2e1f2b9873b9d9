"""The sessions of a fleet: which it polls, and which it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs
import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.fleet import Fleet, FleetEvent, FleetEventType, Started, Unknown
from aiorekostream.testing import MemoryTransport, Reply
from tests.fleet.service import DESCRIBE, START, STOP, Service, faces, label, labels, lost, names, run, stream

if TYPE_CHECKING:
    from collections.abc import Collection


@attrs.define
class RecordingMonitor:
    """A session monitor that keeps what it was asked, and shows no end."""

    service: Service
    asked: list[tuple[float, set[str]]] = attrs.field(factory=list)

    async def ended(self, names: Collection[str]) -> Collection[str]:
        self.asked.append((self.service.clock.now(), set(names)))
        return ()


def test_sessions_that_have_just_begun_are_not_polled() -> None:
    service = Service()
    service.create(*names(30))
    begun: dict[str, float] = {}
    monitor = RecordingMonitor(service)

    def listen(event: FleetEvent) -> None:
        if isinstance(event.outcome, Started):
            begun[event.name] = service.clock.now()

    run(
        Fleet(service.client(), session_monitor=monitor, on_event=listen).start(stream(labels(30, 60), every=0.45)),
    )
    assert monitor.asked
    assert min(at - begun[name] for at, asked in monitor.asked for name in asked) > 1


def test_ends_of_other_processors_are_ignored() -> None:
    service = Service(region="eu-west-1")
    service.create(*names(41))

    class MistakenMonitor:
        async def ended(self, names: Collection[str]) -> Collection[str]:
            return ["another" for _ in names]

    assert len(run(Fleet(service.client(), session_monitor=MistakenMonitor()).start(labels(41, 10))).started) == 41


def test_stop_that_finds_nothing_frees_the_slot() -> None:
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


def test_synchronizing_skips_processors_that_are_gone_or_at_rest() -> None:
    service = Service()
    service.create(*names(3))

    async def handle(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        if operation == DESCRIBE and body["Name"] == "camera-0":
            return errors.ResourceNotFoundError("", operation=operation, code="R", http_status=400, retry_safe=True)
        answer = await service.answer(operation, body)
        if operation == DESCRIBE and body["Name"] == "camera-1" and not isinstance(answer, Exception):
            return Reply({**answer.body, "Status": "STOPPED"})  # it has just ended
        return answer

    async def main() -> int:
        client = service.client(transport=MemoryTransport(handle))
        for request in labels(3, 100):
            await client.start_stream_processor(request)
        fleet = Fleet(client)
        await fleet.sync_sessions()
        return fleet.running

    assert run(main()) == 1


@pytest.mark.parametrize("longest", [120, 300])
def test_session_of_another_client_counts_as_long_as_the_limits_allow(longest: int) -> None:
    """No poll shows its end, and the slot is needed."""
    one = {"us-east-1": 1}
    limits = rks.Limits(concurrent_label_detection=one, max_duration_in_seconds=longest)
    service = Service()
    service.create(*names(2))

    async def main() -> float:
        client = service.client(limits=limits)
        await client.start_stream_processor(label("camera-0", 10))
        fleet = Fleet(client, session_monitor=RecordingMonitor(service))
        await fleet.sync_sessions()
        await fleet.start([label("camera-1")])
        return service.starts("camera-1")[0]

    assert run(main()) == pytest.approx(longest + 20, abs=1)


@attrs.define
class LateService(Service):
    """Gives the answers of one operation later than it acts."""

    late: Mapping[str, float] = attrs.field(factory=dict[str, float])

    async def answer(self, operation: str, body: Mapping[str, object]) -> Reply | Exception:
        answer = await Service.answer(self, operation, body)
        await asyncio.sleep(self.late.get(operation, 0))
        return answer


def test_late_answer_to_a_stop_does_not_end_the_next_session() -> None:
    service = LateService(late={STOP: 12})
    service.create("camera-0")

    async def main() -> int:
        fleet = Fleet(service.client())
        await fleet.start([label("camera-0", 60)])
        await asyncio.sleep(3)
        stopping = asyncio.create_task(fleet.stop(["camera-0"]))
        await fleet.start([label("camera-0", 120)])
        await stopping
        await asyncio.sleep(100)  # longer than a stop may take
        await fleet.start([])
        return fleet.running

    assert run(main()) == 1
    assert len(service.starts()) == 2


# ------------------------------------------------------------------------------------------------------------- unknown


def _unknown(service: Service) -> rks.Client:
    """A client whose starts get no answer and are not applied, and whose polls fail until the time is up."""

    async def handle(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        if operation == START and body["Name"] == "face-0":
            service.calls.append((operation, "face-0", service.clock.now()))
            return lost()
        if operation == DESCRIBE:
            return errors.AccessDeniedError("", operation=operation, code="A", http_status=400, retry_safe=True)
        return await service.answer(operation, body)

    return service.client(transport=MemoryTransport(handle), limits=rks.Limits(concurrent_face_search={"us-east-1": 1}))


def test_unknown_start_keeps_its_slot_until_it_can_no_longer_be_applied() -> None:
    """The service may still apply it for 30 seconds; the first poll after that shows the processor at rest."""
    service = Service(quotas=False)
    service.create("face-0", "face-1", faces=True)

    async def main() -> tuple[object, float]:
        fleet = Fleet(_unknown(service))
        first, second = faces(2)
        (outcome,) = await fleet.start([first])
        assert fleet.running == 1
        assert (await fleet.start([second])).counts == {"started": 1}
        return outcome, service.clock.wall().timestamp()

    outcome, _ = run(main())
    assert isinstance(outcome, Unknown)
    assert 30 < service.starts("face-1")[0] < 30 + 1 + 5 + 1


def test_unknown_start_has_the_time_of_a_safe_retry() -> None:
    service = Service(quotas=False)
    service.create("face-0", faces=True)
    report = run(Fleet(_unknown(service)).start(faces(1)))
    (unknown,) = report.unknown
    assert unknown.retry_safe_at is not None
    assert unknown.retry_safe_at.timestamp() == pytest.approx(1767225600 + 30, abs=0.01)
    assert isinstance(unknown.error, errors.UnknownOutcomeError)
    assert not unknown.error.retry_safe


@pytest.mark.parametrize("harm", ["cancelled twice", "a bug of the transport"])
def test_interrupted_start_keeps_its_slot_until_it_cannot_be_applied(harm: str) -> None:
    service = Service(quotas=False)
    service.create("face-0", "face-1", faces=True)

    async def handle(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        if operation == START and body["Name"] == "face-0":
            if harm == "a bug of the transport":
                raise ZeroDivisionError
            await asyncio.sleep(1000)
        return await service.answer(operation, body)

    async def main() -> dict[str, int]:
        limits = rks.Limits(concurrent_face_search={"us-east-1": 1})
        fleet = Fleet(service.client(transport=MemoryTransport(handle), limits=limits))
        first, second = faces(2)
        starting = fleet.iter_start([first])
        waiting = asyncio.create_task(starting.wait())
        for _ in range(2):
            await asyncio.sleep(0.1)
            waiting.cancel()
        await asyncio.wait([waiting])
        assert (await fleet.start([second])).counts == {"started": 1}
        return starting.report.counts

    assert run(main()) == {"unknown": 1}
    assert 30 < service.starts("face-1")[0] < 30 + 1 + 5 + 1


def test_unknown_start_that_was_applied_counts_until_it_ends() -> None:
    service = Service(quotas=False)
    service.create("face-0", "face-1", faces=True)

    async def handle(operation: str, body: Mapping[str, object]) -> Reply | Exception:
        if operation == START and body["Name"] == "face-0":
            await asyncio.sleep(1000)
        return await service.answer(operation, body)

    async def apply_late() -> None:
        await asyncio.sleep(20)
        service.ask(START, {"Name": "face-0"})

    ended: list[float] = []

    def listen(event: FleetEvent) -> None:
        if event.type is FleetEventType.SESSION_ENDED:
            ended.append(service.clock.now())

    async def main() -> None:
        client = service.client(
            transport=MemoryTransport(handle), limits=rks.Limits(concurrent_face_search={"us-east-1": 1})
        )
        fleet = Fleet(client, on_event=listen)
        first, second = faces(2)
        waiting = asyncio.create_task(fleet.start([first]))
        for _ in range(2):
            await asyncio.sleep(0.1)
            waiting.cancel()
        await asyncio.wait([waiting])
        later = asyncio.create_task(apply_late())
        starting = asyncio.create_task(fleet.start([second]))
        await asyncio.sleep(200)
        await later
        assert not starting.done()
        await client.stop_stream_processor("face-0")
        await starting

    run(main())
    assert service.most[ProcessorKind.FACE_SEARCH] == 1
    assert len(ended) == 1
