"""Lost responses, in virtual time over a simulated service: each outcome is compared with the service's state."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from aiorekostream.client import reconcile
from aiorekostream.domain.responses import CreatedStreamProcessor
from aiorekostream.emulator import Timings
from aiorekostream.errors import CallError, ConnectionLostError, InternalServerError, RateLimitedError
from aiorekostream.operations import START
from aiorekostream.pipeline import CallEvent, CallTrace
from aiorekostream.testing import MemoryTransport, Reply
from tests.emulator.samples import faces, labels, session, video
from tests.simulation.fates import LOSSES, Effect, Fate
from tests.simulation.scenes import Answer, label_start, make_client, outcome_of
from tests.simulation.service import EPOCH, Network, SimulatedService
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiorekostream.testing.memory_transport import Handler

_START, _STOP = "StartStreamProcessor", "StopStreamProcessor"
_CREATE, _DELETE, _DESCRIBE = "CreateStreamProcessor", "DeleteStreamProcessor", "DescribeStreamProcessor"
_DONE = [fate for fate in LOSSES if fate.effect is Effect.AT_ONCE]
_NOT_DONE = [fate for fate in LOSSES if fate.effect is Effect.NEVER and fate is not Fate.NO_CONNECTION]
_LOSSES = [*_DONE, *_NOT_DONE]


def _fated(*fates: Fate, describes: Fate = Fate.ANSWERED) -> Callable[[str, Mapping[str, object]], Fate]:
    """The first requests that change something meet these fates, the others are answered."""
    script = iter(fates)

    def fate(operation: str, _members: Mapping[str, object]) -> Fate:
        return describes if operation == _DESCRIBE else next(script, Fate.ANSWERED)

    return fate


def _always(harm: Fate) -> Callable[[str, Mapping[str, object]], Fate]:
    return lambda operation, _members: Fate.ANSWERED if operation == _DESCRIBE else harm


def _settled(
    service: SimulatedService,
    call: Callable[[rks.Client], Awaitable[Answer]],
    *,
    before: Callable[[], None] = lambda: None,
    total: float = 60,
) -> tuple[Answer, float]:
    """What a call at second 100 comes to, and how long that takes; ``before`` happens at second 0."""

    async def scene() -> tuple[Answer, float]:
        service.create(labels("door"), faces("lobby"))
        before()
        await asyncio.sleep(100)
        answer = await outcome_of(call(make_client(service, total=total)))
        return answer, service.now - 100

    return run(scene())


def _start_door(client: rks.Client) -> Awaitable[Answer]:
    return client.start_stream_processor(label_start("door", 60))


def _start_lobby(client: rks.Client) -> Awaitable[Answer]:
    return client.start_stream_processor(rks.FaceSearchStart("lobby"))


# ------------------------------------------------------------------------------------------------------------- starts


@pytest.mark.parametrize("fate", _DONE)
@pytest.mark.parametrize(("call", "name"), [(_start_door, "door"), (_start_lobby, "lobby")])
def test_start_that_was_applied_is_reconciled(
    fate: Fate, call: Callable[[rks.Client], Awaitable[Answer]], name: str
) -> None:
    service = SimulatedService(fates=_fated(fate))
    answer, _ = _settled(service, call)
    assert answer == rks.StartedSession(session_id=None, reconciled=True)
    assert len(service.applied(_START, name)) == 1
    assert service.sent[_START] == 1


@pytest.mark.parametrize("fate", _NOT_DONE)
def test_start_that_was_not_applied_is_retried(fate: Fate) -> None:
    service = SimulatedService(fates=_fated(fate))
    answer, _ = _settled(service, _start_door)
    assert isinstance(answer, rks.StartedSession)
    assert (answer.session_id, answer.reconciled) == (service.applied(_START, "door")[0].session_id, False)
    assert len(service.applied(_START, "door")) == 1


def test_start_is_not_reconciled_when_the_connection_was_refused() -> None:
    service = SimulatedService(fates=_fated(Fate.NO_CONNECTION, Fate.NO_CONNECTION))
    answer, _ = _settled(service, _start_door)
    assert isinstance(answer, rks.StartedSession)
    assert service.sent == {_START: 3}


@pytest.mark.parametrize("fate", _LOSSES)
def test_start_is_in_use_when_another_client_runs_the_processor(fate: Fate) -> None:
    service = SimulatedService(fates=_fated(fate))

    def before() -> None:
        service.act(_START, session("door", seconds=120), after=90)

    answer, seconds = _settled(service, _start_door, before=before)
    assert isinstance(answer, rks.ResourceInUseError)
    assert "STARTING, last changed at" in str(answer)
    assert answer.retry_safe
    assert seconds >= 3  # the service may apply the lost request until then
    assert service.applied(_START, "door") == []


def _fail(service: SimulatedService) -> None:
    service.fail("door", after=1)
    service.act(_START, session("door"))


def _start_and_stop(service: SimulatedService) -> None:
    service.act(_START, session("door", seconds=120), after=50)
    service.act(_STOP, {"Name": "door"}, after=98.5)


def _end_a_second_before(service: SimulatedService) -> None:
    service.act(_START, session("door", seconds=10), after=88.9)


@pytest.mark.parametrize(
    ("before", "fate"),
    [
        *((before, fate) for before in (_fail, _start_and_stop) for fate in _LOSSES),
        *((_end_a_second_before, fate) for fate in _NOT_DONE),
    ],
)
def test_start_is_retried_when_an_earlier_session_is_over(
    before: Callable[[SimulatedService], None], fate: Fate
) -> None:
    service = SimulatedService(fates=_fated(fate))
    answer, _ = _settled(service, _start_door, before=lambda: before(service))
    assert isinstance(answer, rks.StartedSession)
    assert len(service.applied(_START, "door")) == 1


@pytest.mark.parametrize("media", [1.0, 2.0, 3.5])
@pytest.mark.parametrize("fate", _DONE)
def test_session_that_found_no_more_video_is_not_begun_a_second_time(fate: Fate, media: float) -> None:
    service = SimulatedService(fates=_fated(fate), timings=_timings(media=media), network=Network(latency=1))
    _settled(service, _start_door)
    assert len(service.applied(_START, "door")) == 1


def test_start_is_unknown_when_a_late_session_may_be_over() -> None:
    network = Network(lateness=0.2)
    service = SimulatedService(
        fates=_fated(Fate.CLOSED_LATE, Fate.CLOSED_NOT_APPLIED), timings=_timings(media=2.5), network=network
    )
    service.chance = lambda: 0.99
    patient = rks.RetryPolicy(base_delay=2.8, max_delay=2.8)
    answer, _ = _settled(
        service, lambda client: client.with_options(retry=patient).start_stream_processor(label_start("door", 60))
    )
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert len(service.applied(_START, "door")) == 1


@pytest.mark.parametrize("fate", [Fate.CLOSED_NOT_APPLIED, Fate.SERVER_ERROR_NOT_APPLIED])
def test_loss_that_shows_at_once_leaves_no_time_for_a_session_to_be_over(fate: Fate) -> None:
    service = SimulatedService(fates=_fated(fate))

    def before() -> None:
        service.act(_START, session("door", seconds=10), after=89.99)

    answer, _ = _settled(service, _start_door, before=before)
    assert isinstance(answer, rks.StartedSession)
    assert len(service.applied(_START, "door")) == 1


def test_start_is_unknown_when_a_session_may_end_in_a_slow_describe() -> None:
    async def handler(operation: str, _body: Mapping[str, object]) -> Reply | Exception:
        if operation == _START:
            return _lost(operation)
        await asyncio.sleep(4)
        return _shown("STOPPED", changed=2)

    assert isinstance(_door_of(handler), rks.UnknownOutcomeError)


def test_processor_unchanged_since_its_creation_had_no_session() -> None:
    service = SimulatedService(fates=_fated(Fate.READ_TIMEOUT_NOT_APPLIED))

    def before() -> None:
        service.act(_CREATE, labels("porch"), after=99.99)

    answer, _ = _settled(service, lambda client: client.start_stream_processor(label_start("porch")), before=before)
    assert isinstance(answer, rks.StartedSession)
    assert len(service.applied(_START, "porch")) == 1


@pytest.mark.parametrize("fate", [Fate.READ_TIMEOUT_APPLIED, Fate.READ_TIMEOUT_NOT_APPLIED])
def test_face_search_that_another_client_stopped_is_not_started_again(fate: Fate) -> None:
    """Describe shows the same whether the stop ended an older session or that of the lost start."""
    service = SimulatedService(fates=_fated(fate))

    def before() -> None:
        if fate is Fate.READ_TIMEOUT_NOT_APPLIED:
            service.act(_START, {"Name": "lobby"}, after=50)
        service.act(_STOP, {"Name": "lobby"}, after=100.5)

    answer, _ = _settled(service, _start_lobby, before=before)
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert service.sent[_START] == 1


@pytest.mark.parametrize(("begun", "status"), [(-9, "STOPPED"), (115, "STARTING")], ids=["ended", "later"])
def test_session_of_another_client_is_not_claimed(begun: float, status: str) -> None:
    service = SimulatedService(fates=_fated(Fate.READ_TIMEOUT_NOT_APPLIED))

    def before() -> None:
        service.act(_START, session("door", seconds=120), after=begun)

    answer, _ = _settled(service, _start_door, before=before)
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert f"it is {status}, last changed at" in str(answer)


def test_start_of_another_client_in_the_same_seconds_is_claimed() -> None:
    """The one thing that is told wrongly, because nothing can be seen by which the two could be told apart."""
    service = SimulatedService(fates=_fated(Fate.CLOSED_NOT_APPLIED))

    def before() -> None:
        service.act(_START, session("door", seconds=120), after=99.5)

    answer, _ = _settled(service, _start_door, before=before)
    assert answer == rks.StartedSession(reconciled=True)
    assert service.applied(_START, "door") == []


def test_start_of_another_client_is_not_claimed_after_a_throttle() -> None:
    class Throttling:
        def __init__(self) -> None:
            self.script = [Fate.ANSWERED, Fate.CLOSED_NOT_APPLIED]

        def __call__(self, operation: str, _members: Mapping[str, object]) -> Fate:
            return self.script.pop(0) if operation == _START and self.script else Fate.ANSWERED

    # The first attempt is throttled, and the second one goes out some 10 seconds later and is lost.
    service = SimulatedService(fates=Throttling(), quotas={_START: rks.Quota(0.1, 1, "")}, others={_START: 0.05})

    def before() -> None:
        service.act(_START, session("door", seconds=120), after=103)

    answer, _ = _settled(service, _start_door, before=before)
    assert service.decisions[0].code or service.decisions[1].code
    assert isinstance(answer, rks.ResourceInUseError)


@pytest.mark.parametrize("skew", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("begun", [97.1, 97.5, 97.9])
@pytest.mark.parametrize("fate", _LOSSES)
def test_face_search_that_ran_before_the_start_was_sent_is_not_claimed(fate: Fate, begun: float, skew: float) -> None:
    service = SimulatedService(fates=_fated(fate), skew=skew)
    answer, _ = _settled(service, _start_lobby, before=lambda: service.act(_START, {"Name": "lobby"}, after=begun))
    assert isinstance(answer, rks.ResourceInUseError | rks.UnknownOutcomeError)


def test_face_search_that_came_to_run_meanwhile_is_reconciled() -> None:
    service = SimulatedService(fates=_fated(Fate.READ_TIMEOUT_APPLIED), timings=_timings(starting=8))
    answer, _ = _settled(service, _start_lobby)
    assert answer == rks.StartedSession(reconciled=True)


def test_ended_session_is_reconciled_by_its_length() -> None:
    service = SimulatedService(fates=_fated(Fate.READ_TIMEOUT_APPLIED))
    answer, _ = _settled(service, lambda client: client.start_stream_processor(label_start("door", 10)))
    assert answer == rks.StartedSession(reconciled=True)
    assert len(service.applied(_START, "door")) == 1


def test_session_that_overran_is_reconciled_by_its_length() -> None:
    service = SimulatedService(fates=_fated(Fate.READ_TIMEOUT_APPLIED), timings=_timings(overshoot=7))
    answer, _ = _settled(service, lambda client: client.start_stream_processor(label_start("door", 10)))
    assert answer == rks.StartedSession(reconciled=True)


def test_face_search_that_came_to_run_much_later_is_not_claimed() -> None:
    service = SimulatedService(fates=_fated(Fate.READ_TIMEOUT_APPLIED), timings=_timings(starting=20))
    answer, _ = _settled(service, _start_lobby)
    assert isinstance(answer, rks.UnknownOutcomeError)


def test_failed_session_is_not_reconciled_by_its_length() -> None:
    service = SimulatedService(fates=_fated(Fate.READ_TIMEOUT_APPLIED))
    answer, _ = _settled(
        service,
        lambda client: client.start_stream_processor(label_start("door", 10)),
        before=lambda: service.fail("door", after=9.8),
    )
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert "it is FAILED" in str(answer)


def test_change_between_two_lost_starts_is_not_claimed() -> None:
    service = SimulatedService(fates=_fated(Fate.CLOSED_NOT_APPLIED, Fate.CLOSED_NOT_APPLIED))
    service.chance = lambda: 0.99
    patient = rks.RetryPolicy(base_delay=20, max_delay=20)
    answer, _ = _settled(
        service,
        lambda client: _start_door(client.with_options(retry=patient)),
        before=lambda: service.act(_START, session("door", seconds=120), after=110),
    )
    assert isinstance(answer, rks.UnknownOutcomeError)


def test_session_that_ended_early_is_unknown() -> None:
    service = SimulatedService(fates=_fated(Fate.READ_TIMEOUT_APPLIED), timings=_timings(media=12))
    answer, _ = _settled(service, _start_door)
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert not answer.retry_safe


@pytest.mark.parametrize("lateness", [0.01, 0.3, 1.0, 2.5])
def test_request_that_is_applied_late_begins_no_second_session(lateness: float) -> None:
    service = SimulatedService(fates=_fated(Fate.CLOSED_LATE), network=Network(lateness=lateness))
    answer, _ = _settled(service, _start_door)
    assert isinstance(answer, rks.StartedSession)
    assert len(service.applied(_START, "door")) == 1


def test_start_applied_after_its_retry_is_refused() -> None:
    quick = rks.RetryPolicy(max_apply_delay_after_close=0)
    service = SimulatedService(fates=_fated(Fate.CLOSED_LATE), network=Network(lateness=3))

    async def scene() -> Answer:
        service.create(labels("door"))
        answer = await outcome_of(_start_door(make_client(service, retry=quick)))
        await asyncio.sleep(30)
        return answer

    assert isinstance(run(scene()), rks.StartedSession)
    assert [decision.code for decision in service.decisions] == ["", "ResourceInUseException"]


@pytest.mark.parametrize("stale", [0.5, 3.0, 5.0])
@pytest.mark.parametrize("changed", [-50.0, -0.5, 0.0])
def test_start_that_describe_does_not_show_at_once_is_reconciled(stale: float, changed: float) -> None:
    """The second start is refused, and so Describe is not believed that shows the processor at rest."""

    def handler(operation: str, _body: Mapping[str, object]) -> Reply | Exception:
        now = asyncio.get_running_loop().time()
        if operation == _START:
            return _in_use(_START) if now else _lost(_START)
        return _shown("STOPPED", changed=changed) if now < stale else _shown("STARTING", changed=0)

    transport = MemoryTransport(handler)
    answer = run(outcome_of(_start_door(rks.Client(transport=transport))))
    assert answer == rks.StartedSession(reconciled=True)
    assert len(transport.calls) <= 7


def test_start_that_stays_refused_is_in_use() -> None:
    def handler(operation: str, _body: Mapping[str, object]) -> Reply | Exception:
        if operation == _START:
            return _in_use(_START) if asyncio.get_running_loop().time() else _lost(_START)
        return _shown("STOPPED", changed=-50)

    transport = MemoryTransport(handler)
    answer = run(outcome_of(_start_door(rks.Client(transport=transport))))
    assert isinstance(answer, rks.ResourceInUseError)
    assert "was not applied" not in answer.hint  # said of lost calls
    assert [operation for operation, _ in transport.calls] == [_START, *[_DESCRIBE] * 2, _START, *[_DESCRIBE] * 4]


def test_reconciling_ends_at_the_deadline_of_the_call() -> None:
    def handler(operation: str, _body: Mapping[str, object]) -> Reply | Exception:
        if operation == _START:
            return _in_use(_START) if asyncio.get_running_loop().time() else _lost(_START)
        return _shown("STOPPED", changed=-50)

    async def scene() -> float:
        client = rks.Client(transport=MemoryTransport(handler), timeout=rks.Timeout(total=6))
        assert isinstance(await outcome_of(_start_door(client)), rks.ResourceInUseError)
        return asyncio.get_running_loop().time()

    assert 4 < run(scene()) < 6


@pytest.mark.parametrize(
    "harm", [Fate.CLOSED_NOT_APPLIED, Fate.SERVER_ERROR_NOT_APPLIED, Fate.READ_TIMEOUT_NOT_APPLIED, Fate.NO_CONNECTION]
)
@pytest.mark.parametrize("fate", _LOSSES)
def test_start_is_unknown_when_its_describe_is_lost_too(fate: Fate, harm: Fate) -> None:
    service = SimulatedService(fates=_fated(fate, describes=harm))
    answer, seconds = _settled(service, _start_door)
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert "DescribeStreamProcessor failed, too" in str(answer)
    assert not answer.retry_safe
    assert seconds <= 60


@pytest.mark.parametrize("skew", [-3600.0, -0.9, 0.9, 3600.0])
@pytest.mark.parametrize("fate", _LOSSES)
def test_reconciling_ignores_the_clock_of_the_machine(fate: Fate, skew: float) -> None:
    service = SimulatedService(fates=_fated(fate), skew=skew)
    answer, _ = _settled(service, _start_door)
    assert isinstance(answer, rks.StartedSession)
    assert answer.reconciled is (fate in _DONE)


@pytest.mark.parametrize("status", ["STARTING", "STOPPED", "RUNNING", "FAILED"])
def test_changes_have_no_age_when_the_response_has_no_date(status: str) -> None:
    def handler(operation: str, _body: Mapping[str, object]) -> Reply | Exception:
        if operation != _DESCRIBE:
            return _lost(operation)
        now = datetime.datetime.now(datetime.UTC)
        found = {"Name": "door", "StreamProcessorArn": "arn", "Status": status, "LastUpdateTimestamp": now}
        return Reply(found)

    transport = MemoryTransport(handler)
    assert isinstance(run(outcome_of(_start_door(rks.Client(transport=transport)))), rks.UnknownOutcomeError)
    assert len(transport.calls) == 2


@pytest.mark.parametrize("latency", [0.001, 0.2, 2.0, 4.0])
@pytest.mark.parametrize("fate", [Fate.CLOSED_APPLIED, Fate.CLOSED_NOT_APPLIED])
def test_slow_network_does_not_move_the_send_window(fate: Fate, latency: float) -> None:
    service = SimulatedService(fates=_fated(fate), network=Network(latency=latency, jitter=0))

    def before() -> None:
        service.act(_START, {"Name": "lobby"}, after=88)

    # A face search of another client began twelve seconds before.
    answer, _ = _settled(service, _start_lobby, before=before)
    assert not isinstance(answer, rks.StartedSession)
    assert service.applied(_START, "lobby") == []


# ------------------------------------------------------------------------------------------------- stops and the rest


def _stop_lobby(client: rks.Client) -> Awaitable[Answer]:
    return client.stop_stream_processor("lobby")


@pytest.mark.parametrize("fate", _LOSSES)
def test_lost_stop_is_applied_once(fate: Fate) -> None:
    service = SimulatedService(fates=_fated(fate))
    answer, _ = _settled(service, _stop_lobby, before=lambda: service.act(_START, {"Name": "lobby"}))
    assert answer is None
    assert len(service.applied(_STOP, "lobby")) == 1


def test_session_that_began_after_a_lost_stop_is_not_stopped() -> None:
    service = SimulatedService(fates=_fated(Fate.READ_TIMEOUT_APPLIED), timings=_timings(starting=60))

    def before() -> None:
        service.act(_START, {"Name": "lobby"})
        service.act(_START, {"Name": "lobby"}, after=110)

    answer, _ = _settled(service, _stop_lobby, before=before)
    assert answer is None
    assert len(service.applied(_STOP, "lobby")) == 1


@pytest.mark.parametrize("fate", [Fate.READ_TIMEOUT_NOT_APPLIED, Fate.READ_TIMEOUT_APPLIED])
def test_session_begun_after_a_lost_stop_is_not_stopped_by_a_retry(fate: Fate) -> None:
    service = SimulatedService(fates=_fated(fate))

    def before() -> None:
        service.act(_START, {"Name": "lobby"})
        service.act(_STOP, {"Name": "lobby"}, after=112)
        service.act(_START, {"Name": "lobby"}, after=115)

    answer, _ = _settled(service, _stop_lobby, before=before)
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert "it is RUNNING, last changed at" in str(answer)
    assert service.sent[_STOP] == 1


def test_lost_stop_of_a_starting_face_search_is_retried() -> None:
    service = SimulatedService(fates=_fated(Fate.READ_TIMEOUT_NOT_APPLIED), timings=_timings(starting=8))
    answer, _ = _settled(service, _stop_lobby, before=lambda: service.act(_START, {"Name": "lobby"}, after=99))
    assert answer is None
    assert len(service.applied(_STOP, "lobby")) == 1


def _start_nowhere(client: rks.Client) -> Awaitable[Answer]:
    return client.start_stream_processor(label_start("nowhere"))


def _stop_nowhere(client: rks.Client) -> Awaitable[Answer]:
    return client.stop_stream_processor("nowhere")


@pytest.mark.parametrize("call", [_start_nowhere, _stop_nowhere], ids=["start", "stop"])
@pytest.mark.parametrize("fate", _NOT_DONE)
def test_missing_processor_is_not_found_after_a_lost_answer(
    fate: Fate, call: Callable[[rks.Client], Awaitable[Answer]]
) -> None:
    service = SimulatedService(fates=_fated(fate))
    answer, _ = _settled(service, call)
    assert isinstance(answer, rks.ResourceNotFoundError)
    assert answer.attempts == 2


def test_stop_that_stays_refused_is_in_use() -> None:
    """UNCERTAIN whether AWS lets a label detection be stopped; if it does not, asking again and again does not help."""

    def handler(operation: str, _body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        if operation == _DESCRIBE:
            return {"Name": "door", "StreamProcessorArn": "arn", "Status": "STARTING"}
        return next(answers)

    answers = iter([_lost(_STOP), _in_use(_STOP)])
    transport = MemoryTransport(handler)
    answer = run(outcome_of(rks.Client(transport=transport).stop_stream_processor("door")))
    assert isinstance(answer, rks.ResourceInUseError)
    # It is polled again, for Describe may show for a while what was before.
    assert [operation for operation, _ in transport.calls] == [_STOP, *[_DESCRIBE] * 2, _STOP, *[_DESCRIBE] * 4]


def _hall() -> rks.FaceSearchProcessor:
    return rks.FaceSearchProcessor(
        name="hall",
        kinesis_video_stream_arn=video("hall"),
        kinesis_data_stream_arn="arn:aws:kinesis:us-east-1:111122223333:stream/hall",
        role_arn="arn:aws:iam::111122223333:role/rekognition",
        collection_id="staff",
    )


@pytest.mark.parametrize("fate", _LOSSES)
def test_lost_create_is_applied_once_and_returns_the_arn(fate: Fate) -> None:
    service = SimulatedService(fates=_fated(fate))
    answer, _ = _settled(service, lambda client: client.create_stream_processor(_hall()))
    arn = "arn:aws:rekognition:us-east-1:111122223333:streamprocessor/hall"
    assert answer == CreatedStreamProcessor(arn)
    assert len(service.applied(_CREATE, "hall")) == 1


@pytest.mark.parametrize("fate", _LOSSES)
def test_create_whose_name_was_taken_before_is_in_use(fate: Fate) -> None:
    service = SimulatedService(fates=_fated(fate))
    answer, _ = _settled(
        service, lambda client: client.create_stream_processor(_hall()), before=lambda: service.create(faces("hall"))
    )
    assert isinstance(answer, rks.ResourceInUseError)
    assert service.applied(_CREATE, "hall") == []


@pytest.mark.parametrize("fate", _LOSSES)
def test_create_is_in_use_when_an_older_processor_changed_just_now(fate: Fate) -> None:
    service = SimulatedService(fates=_fated(fate))

    def before() -> None:
        service.create(faces("hall"))
        service.act(_START, {"Name": "hall"}, after=100)

    answer, _ = _settled(service, lambda client: client.create_stream_processor(_hall()), before=before)
    assert isinstance(answer, rks.ResourceInUseError)


def test_retry_of_a_lost_create_is_in_use_at_once_when_the_name_is_taken() -> None:
    service = SimulatedService(fates=_fated(Fate.CLOSED_NOT_APPLIED))
    service.chance = lambda: 0.99
    patient = rks.RetryPolicy(base_delay=5, max_delay=5)
    answer, seconds = _settled(
        service,
        lambda client: client.with_options(retry=patient).create_stream_processor(_hall()),
        before=lambda: service.act(_CREATE, labels("hall"), after=105),
    )
    assert isinstance(answer, rks.ResourceInUseError)
    assert "in use by another client" in str(answer)
    assert seconds < 10


@pytest.mark.parametrize("fate", _LOSSES)
def test_create_is_in_use_when_its_stream_is_taken(fate: Fate) -> None:
    service = SimulatedService(fates=_fated(fate))
    taken = {"KinesisVideoStream": {"Arn": video("hall")}}
    answer, _ = _settled(
        service,
        lambda client: client.create_stream_processor(_hall()),
        before=lambda: service.create(faces("other", Input=taken)),
    )
    assert isinstance(answer, rks.ResourceInUseError)
    assert service.sent[_CREATE] == 2


def _delete_door(client: rks.Client) -> Awaitable[Answer]:
    return client.delete_stream_processor("door")


@pytest.mark.parametrize("deleting", [0.0, 5.0])
@pytest.mark.parametrize("fate", _LOSSES)
def test_delete_whose_answer_was_lost_deletes_once(fate: Fate, deleting: float) -> None:
    service = SimulatedService(fates=_fated(fate), timings=_timings(deleting=deleting))
    answer, _ = _settled(service, _delete_door)
    assert answer is None
    assert len(service.applied(_DELETE, "door")) == 1


def test_lost_delete_of_a_missing_processor_is_not_found() -> None:
    answer, _ = _settled(SimulatedService(), lambda client: client.delete_stream_processor("nowhere"))
    assert isinstance(answer, rks.ResourceNotFoundError)


def test_processor_that_was_created_anew_after_a_lost_delete_is_left_alone() -> None:
    service = SimulatedService(fates=_fated(Fate.READ_TIMEOUT_APPLIED))
    answer, _ = _settled(service, _delete_door, before=lambda: service.act(_CREATE, labels("door"), after=110))
    assert answer is None
    assert service.sent[_DELETE] == 1


def test_retry_of_a_lost_delete_that_finds_nothing_is_applied() -> None:
    """The processor may have been deleted by the request whose response was lost, later than is assumed."""
    service = SimulatedService(fates=_fated(Fate.CLOSED_NOT_APPLIED))
    service.chance = lambda: 0.99
    patient = rks.RetryPolicy(base_delay=5, max_delay=5)
    answer, _ = _settled(
        service,
        lambda client: _delete_door(client.with_options(retry=patient)),
        before=lambda: service.act(_DELETE, {"Name": "door"}, after=115),
    )
    assert answer is None
    assert service.decisions[-1].code == "ResourceNotFoundException"


@pytest.mark.parametrize("fate", _LOSSES)
def test_delete_of_a_busy_processor_is_refused(fate: Fate) -> None:
    service = SimulatedService(fates=_fated(fate))

    def before() -> None:
        service.act(_START, {"Name": "lobby"})

    answer, _ = _settled(service, lambda client: client.delete_stream_processor("lobby"), before=before)
    assert isinstance(answer, rks.ResourceInUseError)
    assert service.sent[_DELETE] == 2


# ------------------------------------------------------------------------------------------------ time, and how often


@pytest.mark.parametrize("total", [0.5, 3.0, 31.0, 60.0])
@pytest.mark.parametrize("fate", [*_LOSSES, Fate.CLOSED_LATE])
def test_call_ends_by_its_deadline_with_any_fault(fate: Fate, total: float) -> None:
    service = SimulatedService(fates=_always(fate))
    answer, seconds = _settled(service, _start_door, total=total)
    assert seconds <= total + 1e-9
    assert isinstance(answer, rks.StartedSession | CallError)
    if isinstance(answer, rks.StartedSession) or answer.retry_safe:
        assert len(service.applied(_START, "door")) == isinstance(answer, rks.StartedSession)


def test_start_that_was_never_applied_raises_its_last_error() -> None:
    service = SimulatedService(fates=_always(Fate.SERVER_ERROR_NOT_APPLIED))
    answer, _ = _settled(service, _start_door, total=600)
    assert isinstance(answer, InternalServerError)
    assert answer.retry_safe
    assert answer.attempts == service.sent[_START] == 12
    assert "DescribeStreamProcessor shows that it was not applied" in str(answer)
    assert service.applied(_START, "door") == []


def test_call_is_unknown_when_in_flight_at_its_deadline() -> None:
    service = SimulatedService(fates=_always(Fate.READ_TIMEOUT_NOT_APPLIED))
    answer, seconds = _settled(service, _start_door, total=20)
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert "the service may still apply the call" in str(answer)
    assert answer.retry_safe_at is not None
    assert answer.retry_safe_at.timestamp() == EPOCH + 100 + 30
    assert seconds <= 20


def test_reconciled_retries_take_retry_tokens_without_a_limiter() -> None:
    service = SimulatedService(fates=_always(Fate.CLOSED_NOT_APPLIED))

    async def scene() -> int:
        names = [f"door-{number}" for number in range(60)]
        service.create(*map(labels, names))
        client = make_client(service, rate_limiter=None)
        await asyncio.gather(*(outcome_of(client.start_stream_processor(label_start(name))) for name in names))
        return client.pipeline.retry_tokens.tokens

    assert run(scene()) < 5
    # A retry takes 5 tokens of 500, and each poll that succeeds at once gives one back.
    assert service.sent[_START] <= 60 + (500 + service.sent[_DESCRIBE]) / 5


def test_call_that_is_retried_after_reconciling_keeps_its_place() -> None:
    service = SimulatedService(quotas={_START: rks.Quota(1, 1, "")}, fates=_fated(Fate.CLOSED_NOT_APPLIED))

    async def scene() -> list[str]:
        names = [f"door-{number}" for number in range(8)]
        service.create(*map(labels, names))
        client = make_client(service)

        async def start(number: int) -> None:
            await asyncio.sleep(number / 1000)
            await client.start_stream_processor(label_start(names[number]))

        await asyncio.gather(*map(start, range(len(names))))
        return [decision.name for decision in service.decisions if not decision.code]

    started = run(scene())
    assert started.index("door-0") <= 4


def test_limiter_without_waiting_grants_describes_of_reconciling() -> None:
    quotas = {_START: rks.Quota(10, 10, ""), _DESCRIBE: rks.Quota(1, 1, "")}
    service = SimulatedService(quotas=quotas, fates=_fated(Fate.CLOSED_APPLIED))

    async def call(client: rks.Client) -> Answer:
        impatient = client.with_options(rate_limiter=rks.LocalRateLimiter(wait=False))
        await impatient.describe_stream_processor("door")
        return await impatient.start_stream_processor(label_start("door"))

    answer, _ = _settled(service, call)
    assert answer == rks.StartedSession(reconciled=True)


def test_reconciling_pauses_when_the_limiter_always_refuses() -> None:
    def handler(operation: str, _body: Mapping[str, object]) -> Reply | Exception:
        if operation == _START:
            return _lost(_START)
        return RateLimitedError("not now", operation=_DESCRIBE, retry_after=0)

    transport = MemoryTransport(handler)
    client = rks.Client(transport=transport, timeout=rks.Timeout(total=10))
    answer = run(outcome_of(_start_door(client)))
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert len(transport.calls) <= 102


def test_describe_of_reconciling_goes_before_others() -> None:
    quotas = {_START: rks.Quota(10, 10, ""), _DESCRIBE: rks.Quota(1, 1, "")}
    service = SimulatedService(quotas=quotas, fates=_fated(Fate.CLOSED_APPLIED))

    async def call(client: rks.Client) -> Answer:
        others = [asyncio.create_task(client.describe_stream_processor("lobby")) for _ in range(20)]
        await asyncio.sleep(0)
        answer = await client.start_stream_processor(label_start("door"))
        assert not all(other.done() for other in others)
        await asyncio.gather(*others)
        return answer

    answer, _ = _settled(service, call)
    assert answer == rks.StartedSession(reconciled=True)


def test_wait_that_would_outlast_the_call_is_not_begun() -> None:
    service = SimulatedService(fates=_always(Fate.CLOSED_NOT_APPLIED))
    patient = rks.RetryPolicy(base_delay=100, max_delay=100)

    async def call(client: rks.Client) -> Answer:
        return await client.with_options(retry=patient).start_stream_processor(label_start("door"))

    answer, seconds = _settled(service, call, total=10)
    assert isinstance(answer, ConnectionLostError)
    assert answer.retry_safe
    assert seconds <= 4


def test_slow_describe_request_does_not_age_the_start() -> None:
    async def handler(operation: str, _body: Mapping[str, object]) -> Reply | Exception:
        loop = asyncio.get_running_loop()
        if operation == _START:
            return _lost(_START)
        await asyncio.sleep(8)
        began, date = (datetime.datetime.fromtimestamp(EPOCH + at, datetime.UTC) for at in (0, int(loop.time())))
        found = {"Name": "door", "StreamProcessorArn": "arn", "Status": "STARTING", "LastUpdateTimestamp": began}
        return Reply(found, date=date)

    client = rks.Client(transport=MemoryTransport(handler))
    assert run(client.start_stream_processor(label_start("door"))) == rks.StartedSession(reconciled=True)


def test_poll_asked_while_a_start_may_be_applied_is_not_conclusive() -> None:
    """However late its answer comes: it shows what was before."""

    async def handler(operation: str, _body: Mapping[str, object]) -> Reply | Exception:
        if operation == _START:
            return _lost(_START)
        if asyncio.get_running_loop().time() > 3:
            return _shown("STARTING", changed=2)
        answer = _shown("STOPPED", changed=-50)
        await asyncio.sleep(8)
        return answer

    transport = MemoryTransport(handler)
    answer = run(rks.Client(transport=transport).start_stream_processor(label_start("door")))
    assert answer == rks.StartedSession(name="door", reconciled=True)
    assert [operation for operation, _ in transport.calls] == [_START, _DESCRIBE, _DESCRIBE]


def _door_of(handler: Handler, *, after: float = 0.0) -> Answer:
    """What a start of the door at this second comes to, over what the handler answers."""

    async def scene() -> Answer:
        await asyncio.sleep(after)
        return await outcome_of(_start_door(rks.Client(transport=MemoryTransport(handler))))

    return run(scene())


def test_start_applied_after_some_seconds_is_reconciled() -> None:
    def handler(operation: str, _body: Mapping[str, object]) -> Reply | Exception:
        return _lost(operation) if operation == _START else _shown("STARTING", changed=2.9)

    assert _door_of(handler) == rks.StartedSession(reconciled=True)


def test_date_of_the_service_may_be_a_second_old() -> None:
    async def handler(operation: str, _body: Mapping[str, object]) -> Reply | Exception:
        if operation == _START:
            await asyncio.sleep(3.04)
            return _lost(operation)
        # Sent at 0.95, changed at 3.5, asked at 3.99: a date of 3.
        return _shown("STARTING", changed=3.5)

    assert _door_of(handler, after=0.95) == rks.StartedSession(reconciled=True)


def test_slow_describe_response_does_not_age_the_start() -> None:
    async def handler(operation: str, _body: Mapping[str, object]) -> Reply | Exception:
        if operation == _START:
            return _lost(operation)
        shown = _shown("STARTING", changed=0)
        await asyncio.sleep(8)
        return shown

    assert _door_of(handler) == rks.StartedSession(reconciled=True)


def test_retried_describe_counts_from_its_last_attempt() -> None:
    questions = 0

    async def handler(operation: str, _body: Mapping[str, object]) -> Reply | Exception:
        nonlocal questions
        if operation == _START:
            return _lost(operation)
        questions += 1
        if questions == 1:
            await asyncio.sleep(10)
            return ConnectionLostError("reset", operation=operation, retry_safe=True)
        return _shown("STARTING", changed=8)  # of another client

    assert isinstance(_door_of(handler), rks.UnknownOutcomeError)


def test_part_of_the_time_is_kept_for_reconciling() -> None:
    for total, left in ((60, "50"), (20, "15")):
        service = SimulatedService(fates=_always(Fate.READ_TIMEOUT_NOT_APPLIED), network=Network(read_timeout=1000))
        answer, _ = _settled(service, _start_door, total=total)
        assert f"no answer came within {left} s" in str(answer)


def test_deadline_counts_from_the_beginning_of_the_call() -> None:
    service = SimulatedService(quotas={_START: rks.Quota(0.05, 1, "")}, fates=_fated(Fate.CLOSED_NOT_APPLIED))
    answer, seconds = _settled(service, _start_door, total=16)
    assert isinstance(answer, rks.DeadlineExceededError)
    assert answer.deadline == pytest.approx(seconds, abs=0.01)
    assert answer.attempts == 1


def test_reconciled_call_returns_its_retry_tokens() -> None:
    service = SimulatedService(fates=_fated(Fate.CLOSED_NOT_APPLIED))
    clients: list[rks.Client] = []

    async def call(client: rks.Client) -> Answer:
        clients.append(client)
        return await _start_door(client)

    _settled(service, call)
    assert clients[0].pipeline.retry_tokens.tokens == 500


def test_call_fails_when_no_time_is_left_to_reconcile() -> None:
    quotas = {_START: rks.Quota(10, 10, ""), _DESCRIBE: rks.Quota(0.01, 1, "")}
    service = SimulatedService(quotas=quotas, fates=_fated(Fate.CLOSED_APPLIED))

    async def call(client: rks.Client) -> Answer:
        impatient = client.with_options(rate_limiter=rks.LocalRateLimiter(wait=False))
        await impatient.describe_stream_processor("door")
        return await _start_door(impatient)

    answer, seconds = _settled(service, call, total=10)
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert "there was no time to ask" in str(answer)
    assert seconds <= 10


def test_call_that_was_reconciled_waits_before_it_is_retried() -> None:
    service = SimulatedService(fates=_fated(Fate.CLOSED_NOT_APPLIED))
    service.chance = lambda: 0.99
    patient = rks.RetryPolicy(base_delay=5, max_delay=5)
    _settled(service, lambda client: _start_door(client.with_options(retry=patient)))
    first, second = service.sendings["door"]
    assert second - first >= 4.9


def test_trace_is_notified_of_reconciling() -> None:
    service, events = SimulatedService(fates=_fated(Fate.CLOSED_NOT_APPLIED)), list[CallEvent]()

    async def call(client: rks.Client) -> Answer:
        trace = CallTrace(on_event=events.append)
        return await reconcile.call(client.pipeline, START, label_start("door"), trace=trace)

    _settled(service, call)
    assert events == ["sent", "reconciling", "retried", "sent"]


def test_attempts_count_every_request_of_the_call() -> None:
    service = SimulatedService(fates=_fated(Fate.CLOSED_NOT_APPLIED, Fate.NO_CONNECTION, Fate.CLOSED_NOT_APPLIED))
    answer, _ = _settled(service, lambda client: client.start_stream_processor(label_start("nowhere")))
    assert isinstance(answer, CallError)
    assert answer.attempts == service.sent[_START]


def _timings(**changes: float) -> Timings:
    return Timings(**changes)


def _at(second: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(EPOCH + second, datetime.UTC)


def _shown(status: str, *, changed: float) -> Reply:
    """What Describe shows of a door, at this moment by its own clock."""
    found = {"Name": "door", "StreamProcessorArn": "arn", "Status": status, "LastUpdateTimestamp": _at(changed)}
    return Reply(found, date=_at(int(asyncio.get_running_loop().time())))


def _lost(operation: str) -> ConnectionLostError:
    return ConnectionLostError("reset", operation=operation, closed=True)


def _in_use(operation: str) -> rks.ResourceInUseError:
    return rks.ResourceInUseError(
        "", operation=operation, code="ResourceInUseException", http_status=400, retry_safe=True
    )
