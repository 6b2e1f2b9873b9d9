"""Lost answers, in virtual time over a simulated service: each row, held against what the service really did."""

from __future__ import annotations

import asyncio
import datetime
from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from aiorekostream.emulator import Timings
from aiorekostream.pipeline import CallEvent
from tests.emulator.samples import faces, labels, session, video
from tests.simulation.scenes import Answer, Story, label_start, make_client, outcome_of
from tests.simulation.service import EPOCH, Fate, Network, Service
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiorekostream.transport.memory import Handler

_START, _STOP = "StartStreamProcessor", "StopStreamProcessor"
_CREATE, _DELETE, _DESCRIBE = "CreateStreamProcessor", "DeleteStreamProcessor", "DescribeStreamProcessor"
_DONE = [Fate.LOST_AFTER, Fate.BROKEN_AFTER, Fate.HANGS_AFTER]
_NOT_DONE = [Fate.LOST_BEFORE, Fate.BROKEN, Fate.HANGS]
_LOSSES = [*_DONE, *_NOT_DONE]


def _fated(*fates: Fate, describes: Fate = Fate.FINE) -> Callable[[str, Mapping[str, object]], Fate]:
    """The first requests that change something meet these fates, the others are answered."""
    script = iter(fates)

    def fate(operation: str, _members: Mapping[str, object]) -> Fate:
        return describes if operation == _DESCRIBE else next(script, Fate.FINE)

    return fate


def _always(harm: Fate) -> Callable[[str, Mapping[str, object]], Fate]:
    return lambda operation, _members: Fate.FINE if operation == _DESCRIBE else harm


def _settled(
    service: Service,
    call: Callable[[rks.Client], Awaitable[Answer]],
    *,
    before: Callable[[], None] = lambda: None,
    total: float = 60,
) -> tuple[Answer, float]:
    """What a call at second 100 comes to, and how long that takes; ``before`` happens at second 0."""

    async def scene() -> tuple[Answer, float]:
        service.furnish(labels("door"), faces("lobby"))
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
def test_a_start_that_was_carried_out_is_recovered(
    fate: Fate, call: Callable[[rks.Client], Awaitable[Answer]], name: str
) -> None:
    service = Service(fates=_fated(fate))
    answer, _ = _settled(service, call)
    assert answer == rks.StartedSession(session_id=None, reconciled=True)
    assert len(service.done(_START, name)) == 1
    assert service.sent[_START] == 1


@pytest.mark.parametrize("fate", _NOT_DONE)
def test_a_start_that_was_not_carried_out_is_made_again(fate: Fate) -> None:
    service = Service(fates=_fated(fate))
    answer, _ = _settled(service, _start_door)
    assert isinstance(answer, rks.StartedSession)
    assert (answer.session_id, answer.reconciled) == (service.done(_START, "door")[0].session_id, False)
    assert len(service.done(_START, "door")) == 1


def test_a_refused_connection_is_not_asked_about() -> None:
    service = Service(fates=_fated(Fate.UNREACHED, Fate.UNREACHED))
    answer, _ = _settled(service, _start_door)
    assert isinstance(answer, rks.StartedSession)
    assert service.sent == {_START: 3}


@pytest.mark.parametrize("fate", _LOSSES)
def test_a_processor_that_somebody_else_has_at_work_is_in_use(fate: Fate) -> None:
    service = Service(fates=_fated(fate))

    def before() -> None:
        service.somebody(_START, session("door", seconds=120), after=90)

    answer, _ = _settled(service, _start_door, before=before)
    assert isinstance(answer, rks.ResourceInUseError)
    assert "STARTING, last changed at" in str(answer)
    assert answer.retry_safe
    assert service.done(_START, "door") == []


@pytest.mark.parametrize("fate", _LOSSES)
def test_a_processor_that_failed_before_is_started_like_one_that_was_stopped(fate: Fate) -> None:
    service = Service(fates=_fated(fate))

    def before() -> None:
        service.doom("door", after=1)
        service.somebody(_START, session("door"))

    answer, _ = _settled(service, _start_door, before=before)
    assert isinstance(answer, rks.StartedSession)
    assert len(service.done(_START, "door")) == 1


@pytest.mark.parametrize("fate", _LOSSES)
def test_a_start_right_after_somebody_s_stop_is_not_mistaken_for_a_session_that_is_over(fate: Fate) -> None:
    service = Service(fates=_fated(fate))

    def before() -> None:
        service.somebody(_START, session("door", seconds=120), after=50)
        service.somebody(_STOP, {"Name": "door"}, after=98.5)

    answer, _ = _settled(service, _start_door, before=before)
    assert isinstance(answer, rks.StartedSession)
    assert len(service.done(_START, "door")) == 1


@pytest.mark.parametrize("media", [1.0, 2.0, 3.5])
@pytest.mark.parametrize("fate", _DONE)
def test_a_session_that_found_no_more_video_is_not_begun_a_second_time(fate: Fate, media: float) -> None:
    service = Service(fates=_fated(fate), timings=_timings(media=media), network=Network(latency=1))
    _settled(service, _start_door)
    assert len(service.done(_START, "door")) == 1


def test_the_first_of_two_lost_starts_that_was_late_and_is_over_is_not_made_a_third_time() -> None:
    network = Network(lateness=0.2)
    service = Service(fates=_fated(Fate.LATE, Fate.LOST_BEFORE), timings=_timings(media=2.5), network=network)
    service.chance = lambda: 0.99
    patient = rks.RetryPolicy(base_delay=2.8, max_delay=2.8)
    answer, _ = _settled(
        service, lambda client: client.with_options(retry=patient).start_stream_processor(label_start("door", 60))
    )
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert len(service.done(_START, "door")) == 1


@pytest.mark.parametrize("fate", _NOT_DONE)
def test_a_camera_whose_last_session_ended_a_second_before_is_started_again(fate: Fate) -> None:
    service = Service(fates=_fated(fate))

    def before() -> None:
        service.somebody(_START, session("door", seconds=10), after=88.9)

    answer, _ = _settled(service, _start_door, before=before)
    assert isinstance(answer, rks.StartedSession)
    assert len(service.done(_START, "door")) == 1


@pytest.mark.parametrize("fate", [Fate.LOST_BEFORE, Fate.BROKEN])
def test_a_loss_that_shows_at_once_leaves_no_time_for_a_session_to_be_over(fate: Fate) -> None:
    service = Service(fates=_fated(fate))

    def before() -> None:
        service.somebody(_START, session("door", seconds=10), after=89.99)

    answer, _ = _settled(service, _start_door, before=before)
    assert isinstance(answer, rks.StartedSession)
    assert len(service.done(_START, "door")) == 1


def test_a_question_that_takes_long_to_arrive_leaves_time_for_a_session_to_be_over() -> None:
    async def handler(operation: str, _body: Mapping[str, object]) -> rks.Reply | Exception:
        if operation == _START:
            return _lost(operation)
        await asyncio.sleep(4)
        return _shown("STOPPED", changed=2)

    assert isinstance(_door_of(handler), rks.UnknownOutcomeError)


def test_a_processor_that_nothing_has_changed_since_it_was_created_has_had_no_session() -> None:
    service = Service(fates=_fated(Fate.HANGS))

    def before() -> None:
        service.somebody(_CREATE, labels("gate"), after=99.99)

    answer, _ = _settled(service, lambda client: client.start_stream_processor(label_start("gate")), before=before)
    assert isinstance(answer, rks.StartedSession)
    assert len(service.done(_START, "gate")) == 1


def test_a_face_search_that_is_stopped_was_not_begun_since_it_does_not_end_by_itself() -> None:
    service = Service(fates=_fated(Fate.HANGS))

    def before() -> None:
        service.somebody(_START, {"Name": "lobby"}, after=50)
        service.somebody(_STOP, {"Name": "lobby"}, after=99.01)

    answer, _ = _settled(service, _start_lobby, before=before)
    assert isinstance(answer, rks.StartedSession)
    assert len(service.done(_START, "lobby")) == 1


def test_somebody_else_s_session_that_ended_while_the_answer_was_awaited_is_not_claimed() -> None:
    service = Service(fates=_fated(Fate.HANGS))

    def before() -> None:
        service.somebody(_START, session("door", seconds=120), after=-9)

    answer, _ = _settled(service, _start_door, before=before)
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert "it is STOPPED, last changed at" in str(answer)


def test_a_start_that_somebody_else_made_while_the_answer_was_awaited_is_not_claimed() -> None:
    service = Service(fates=_fated(Fate.HANGS))

    def before() -> None:
        service.somebody(_START, session("door", seconds=120), after=115)

    answer, _ = _settled(service, _start_door, before=before)
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert "it is STARTING, last changed at" in str(answer)


def test_a_start_that_somebody_else_made_in_the_same_seconds_is_taken_for_ours() -> None:
    """The one thing that is told wrongly, because nothing can be seen by which the two could be told apart."""
    service = Service(fates=_fated(Fate.LOST_BEFORE))

    def before() -> None:
        service.somebody(_START, session("door", seconds=120), after=99.5)

    answer, _ = _settled(service, _start_door, before=before)
    assert answer == rks.StartedSession(reconciled=True)
    assert service.done(_START, "door") == []


def test_a_start_that_somebody_else_made_while_ours_was_throttled_is_not_claimed() -> None:
    class Throttling:
        def __init__(self) -> None:
            self.script = [Fate.FINE, Fate.LOST_BEFORE]

        def __call__(self, operation: str, _members: Mapping[str, object]) -> Fate:
            return self.script.pop(0) if operation == _START and self.script else Fate.FINE

    # The first attempt is throttled, and the second one goes out some 10 seconds later and is lost.
    service = Service(fates=Throttling(), quotas={_START: rks.Quota(0.1, 1, "")}, others={_START: 0.05})

    def before() -> None:
        service.somebody(_START, session("door", seconds=120), after=103)

    answer, _ = _settled(service, _start_door, before=before)
    assert service.deeds[0].code or service.deeds[1].code
    assert isinstance(answer, rks.ResourceInUseError)


@pytest.mark.parametrize("skew", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("begun", [97.1, 97.5, 97.9])
@pytest.mark.parametrize("fate", _LOSSES)
def test_a_face_search_that_ran_before_the_start_was_sent_is_not_claimed(fate: Fate, begun: float, skew: float) -> None:
    service = Service(fates=_fated(fate), skew=skew)
    answer, _ = _settled(service, _start_lobby, before=lambda: service.somebody(_START, {"Name": "lobby"}, after=begun))
    assert isinstance(answer, rks.ResourceInUseError | rks.UnknownOutcomeError)


def test_a_face_search_that_came_to_run_meanwhile_is_recovered() -> None:
    service = Service(fates=_fated(Fate.HANGS_AFTER), timings=_timings(starting=8))
    answer, _ = _settled(service, _start_lobby)
    assert answer == rks.StartedSession(reconciled=True)


def test_a_short_session_that_is_over_before_anybody_looks_is_recovered_by_its_length() -> None:
    service = Service(fates=_fated(Fate.HANGS_AFTER))
    answer, _ = _settled(service, lambda client: client.start_stream_processor(label_start("door", 10)))
    assert answer == rks.StartedSession(reconciled=True)
    assert len(service.done(_START, "door")) == 1


def test_a_session_that_ran_over_to_the_end_of_a_fragment_is_recovered_by_its_length() -> None:
    service = Service(fates=_fated(Fate.HANGS_AFTER), timings=_timings(overshoot=7))
    answer, _ = _settled(service, lambda client: client.start_stream_processor(label_start("door", 10)))
    assert answer == rks.StartedSession(reconciled=True)


def test_a_face_search_that_came_to_run_much_later_is_not_claimed() -> None:
    service = Service(fates=_fated(Fate.HANGS_AFTER), timings=_timings(starting=20))
    answer, _ = _settled(service, _start_lobby)
    assert isinstance(answer, rks.UnknownOutcomeError)


def test_a_session_that_failed_when_it_would_have_ended_is_not_told_as_started() -> None:
    service = Service(fates=_fated(Fate.HANGS_AFTER))
    answer, _ = _settled(
        service,
        lambda client: client.start_stream_processor(label_start("door", 10)),
        before=lambda: service.doom("door", after=9.8),
    )
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert "it is FAILED" in str(answer)


def test_what_changed_between_two_lost_starts_is_not_claimed_for_anybody() -> None:
    service = Service(fates=_fated(Fate.LOST_BEFORE, Fate.LOST_BEFORE))
    service.chance = lambda: 0.99
    patient = rks.RetryPolicy(base_delay=20, max_delay=20)
    answer, _ = _settled(
        service,
        lambda client: _start_door(client.with_options(retry=patient)),
        before=lambda: service.somebody(_START, session("door", seconds=120), after=110),
    )
    assert isinstance(answer, rks.UnknownOutcomeError)


def test_a_session_that_ended_before_its_time_cannot_be_told_from_somebody_else_s() -> None:
    service = Service(fates=_fated(Fate.HANGS_AFTER), timings=_timings(media=12))
    answer, _ = _settled(service, _start_door)
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert not answer.retry_safe


@pytest.mark.parametrize("lateness", [0.01, 0.3, 1.0, 2.5])
def test_a_request_that_is_carried_out_late_begins_no_second_session(lateness: float) -> None:
    service = Service(fates=_fated(Fate.LATE), network=Network(lateness=lateness))
    answer, _ = _settled(service, _start_door)
    assert isinstance(answer, rks.StartedSession)
    assert len(service.done(_START, "door")) == 1


def test_a_request_that_is_carried_out_very_late_is_refused_by_the_session_that_took_its_place() -> None:
    service = Service(fates=_fated(Fate.LATE), network=Network(lateness=20))

    async def scene() -> Answer:
        service.furnish(labels("door"))
        answer = await outcome_of(_start_door(make_client(service)))
        await asyncio.sleep(30)
        return answer

    assert isinstance(run(scene()), rks.StartedSession)
    assert [deed.code for deed in service.deeds] == ["", "ResourceInUseException"]


@pytest.mark.parametrize("stale", [0.5, 3.0, 5.0])
@pytest.mark.parametrize("changed", [-50.0, -0.5, 0.0])
def test_a_start_that_describe_does_not_show_at_once_is_recovered(stale: float, changed: float) -> None:
    """The second start is refused, and so Describe is not believed that shows the processor at rest."""

    def handler(operation: str, _body: Mapping[str, object]) -> rks.Reply | Exception:
        now = asyncio.get_running_loop().time()
        if operation == _START:
            return _in_use(_START) if now else _lost(_START)
        return _shown("STOPPED", changed=changed) if now < stale else _shown("STARTING", changed=0)

    transport = rks.MemoryTransport(handler)
    answer = run(outcome_of(_start_door(rks.Client(transport=transport))))
    assert answer == rks.StartedSession(reconciled=True)
    assert len(transport.calls) <= 7


def test_a_start_that_is_refused_whatever_describe_shows_is_in_use_in_the_end() -> None:
    def handler(operation: str, _body: Mapping[str, object]) -> rks.Reply | Exception:
        if operation == _START:
            return _in_use(_START) if asyncio.get_running_loop().time() else _lost(_START)
        return _shown("STOPPED", changed=-50)

    transport = rks.MemoryTransport(handler)
    answer = run(outcome_of(_start_door(rks.Client(transport=transport))))
    assert isinstance(answer, rks.ResourceInUseError)
    assert [operation for operation, _ in transport.calls] == [_START, _DESCRIBE, _START, *[_DESCRIBE] * 4]


def test_looking_again_ends_with_the_time_of_the_call() -> None:
    def handler(operation: str, _body: Mapping[str, object]) -> rks.Reply | Exception:
        if operation == _START:
            return _in_use(_START) if asyncio.get_running_loop().time() else _lost(_START)
        return _shown("STOPPED", changed=-50)

    async def scene() -> float:
        client = rks.Client(transport=rks.MemoryTransport(handler), timeout=rks.Timeout(total=3))
        assert isinstance(await outcome_of(_start_door(client)), rks.ResourceInUseError)
        return asyncio.get_running_loop().time()

    assert run(scene()) < 3


@pytest.mark.parametrize("harm", [Fate.LOST_BEFORE, Fate.BROKEN, Fate.HANGS, Fate.UNREACHED])
@pytest.mark.parametrize("fate", _LOSSES)
def test_what_describe_does_not_tell_is_unknown(fate: Fate, harm: Fate) -> None:
    service = Service(fates=_fated(fate, describes=harm))
    answer, seconds = _settled(service, _start_door)
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert "DescribeStreamProcessor did not tell either" in str(answer)
    assert not answer.retry_safe
    assert seconds <= 60


@pytest.mark.parametrize("skew", [-3600.0, -0.9, 0.9, 3600.0])
@pytest.mark.parametrize("fate", _LOSSES)
def test_the_machine_s_own_clock_has_no_say(fate: Fate, skew: float) -> None:
    service = Service(fates=_fated(fate), skew=skew)
    answer, _ = _settled(service, _start_door)
    assert isinstance(answer, rks.StartedSession)
    assert answer.reconciled is (fate in _DONE)


@pytest.mark.parametrize("status", ["STARTING", "STOPPED", "RUNNING", "FAILED"])
def test_where_the_service_does_not_tell_the_time_nothing_has_an_age(status: str) -> None:
    def handler(operation: str, _body: Mapping[str, object]) -> rks.Reply | Exception:
        if operation != _DESCRIBE:
            return _lost(operation)
        now = datetime.datetime.now(datetime.UTC)
        found = {"Name": "door", "StreamProcessorArn": "arn", "Status": status, "LastUpdateTimestamp": now}
        return rks.Reply(found)

    transport = rks.MemoryTransport(handler)
    assert isinstance(run(outcome_of(_start_door(rks.Client(transport=transport)))), rks.UnknownOutcomeError)
    assert len(transport.calls) == 2


@pytest.mark.parametrize("latency", [0.001, 0.2, 2.0, 4.0])
@pytest.mark.parametrize("fate", [Fate.LOST_AFTER, Fate.LOST_BEFORE])
def test_a_slow_network_does_not_move_the_moment_at_which_it_was_sent(fate: Fate, latency: float) -> None:
    service = Service(fates=_fated(fate), network=Network(latency=latency, jitter=0))

    def before() -> None:
        service.somebody(_START, {"Name": "lobby"}, after=88)

    # Somebody else's face search began twelve seconds before.
    answer, _ = _settled(service, _start_lobby, before=before)
    assert not isinstance(answer, rks.StartedSession)
    assert service.done(_START, "lobby") == []


# ------------------------------------------------------------------------------------------------- stops and the rest


def _stop_lobby(client: rks.Client) -> Awaitable[Answer]:
    return client.stop_stream_processor("lobby")


@pytest.mark.parametrize("fate", _LOSSES)
def test_a_stop_whose_answer_was_lost_ends_with_the_processor_stopped_by_one_stop(fate: Fate) -> None:
    service = Service(fates=_fated(fate))
    answer, _ = _settled(service, _stop_lobby, before=lambda: service.somebody(_START, {"Name": "lobby"}))
    assert answer is None
    assert len(service.done(_STOP, "lobby")) == 1


def test_a_session_that_began_after_a_lost_stop_is_not_stopped() -> None:
    service = Service(fates=_fated(Fate.HANGS_AFTER), timings=_timings(starting=60))

    def before() -> None:
        service.somebody(_START, {"Name": "lobby"})
        service.somebody(_START, {"Name": "lobby"}, after=110)

    answer, _ = _settled(service, _stop_lobby, before=before)
    assert answer is None
    assert len(service.done(_STOP, "lobby")) == 1


@pytest.mark.parametrize("fate", [Fate.HANGS, Fate.HANGS_AFTER])
def test_a_face_search_that_somebody_began_after_a_lost_stop_is_not_stopped(fate: Fate) -> None:
    service = Service(fates=_fated(fate))

    def before() -> None:
        service.somebody(_START, {"Name": "lobby"})
        service.somebody(_STOP, {"Name": "lobby"}, after=112)
        service.somebody(_START, {"Name": "lobby"}, after=115)

    answer, _ = _settled(service, _stop_lobby, before=before)
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert "it is RUNNING, last changed at" in str(answer)
    assert service.sent[_STOP] == 1


def test_a_face_search_that_was_starting_when_its_stop_was_lost_is_stopped_once_it_runs() -> None:
    service = Service(fates=_fated(Fate.HANGS), timings=_timings(starting=8))
    answer, _ = _settled(service, _stop_lobby, before=lambda: service.somebody(_START, {"Name": "lobby"}, after=99))
    assert answer is None
    assert len(service.done(_STOP, "lobby")) == 1


def _start_nowhere(client: rks.Client) -> Awaitable[Answer]:
    return client.start_stream_processor(label_start("nowhere"))


def _stop_nowhere(client: rks.Client) -> Awaitable[Answer]:
    return client.stop_stream_processor("nowhere")


@pytest.mark.parametrize("call", [_start_nowhere, _stop_nowhere], ids=["start", "stop"])
@pytest.mark.parametrize("fate", _NOT_DONE)
def test_what_does_not_exist_is_told_as_such_although_the_first_answer_was_lost(
    fate: Fate, call: Callable[[rks.Client], Awaitable[Answer]]
) -> None:
    service = Service(fates=_fated(fate))
    answer, _ = _settled(service, call)
    assert isinstance(answer, rks.ResourceNotFoundError)
    assert answer.attempts == 2


def test_a_stop_that_is_refused_although_the_processor_works_is_not_made_again_and_again() -> None:
    """UNCERTAIN whether AWS lets a label detection be stopped; if it does not, asking again and again does not help."""

    def handler(operation: str, _body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        if operation == _DESCRIBE:
            return {"Name": "door", "StreamProcessorArn": "arn", "Status": "STARTING"}
        return next(answers)

    answers = iter([_lost(_STOP), _in_use(_STOP)])
    transport = rks.MemoryTransport(handler)
    answer = run(outcome_of(rks.Client(transport=transport).stop_stream_processor("door")))
    assert isinstance(answer, rks.ResourceInUseError)
    # It is looked at again and again, for Describe may show for a while what was before.
    assert [operation for operation, _ in transport.calls] == [_STOP, _DESCRIBE, _STOP, *[_DESCRIBE] * 4]


def _hall() -> rks.FaceSearchProcessor:
    return rks.FaceSearchProcessor(
        name="hall",
        kinesis_video_stream_arn=video("hall"),
        kinesis_data_stream_arn="arn:aws:kinesis:us-east-1:111122223333:stream/hall",
        role_arn="arn:aws:iam::111122223333:role/rekognition",
        collection_id="staff",
    )


@pytest.mark.parametrize("fate", _LOSSES)
def test_a_create_whose_answer_was_lost_creates_one_processor_and_tells_its_arn(fate: Fate) -> None:
    service = Service(fates=_fated(fate))
    answer, _ = _settled(service, lambda client: client.create_stream_processor(_hall()))
    arn = "arn:aws:rekognition:us-east-1:111122223333:streamprocessor/hall"
    assert answer == rks.CreatedStreamProcessor(arn)
    assert len(service.done(_CREATE, "hall")) == 1


@pytest.mark.parametrize("fate", _LOSSES)
def test_a_create_whose_name_was_taken_before_is_in_use(fate: Fate) -> None:
    service = Service(fates=_fated(fate))
    answer, _ = _settled(
        service, lambda client: client.create_stream_processor(_hall()), before=lambda: service.furnish(faces("hall"))
    )
    assert isinstance(answer, rks.ResourceInUseError)
    assert service.done(_CREATE, "hall") == []


@pytest.mark.parametrize("fate", _LOSSES)
def test_a_processor_that_was_created_before_and_changed_just_now_is_somebody_else_s(fate: Fate) -> None:
    service = Service(fates=_fated(fate))

    def before() -> None:
        service.furnish(faces("hall"))
        service.somebody(_START, {"Name": "hall"}, after=100)

    answer, _ = _settled(service, lambda client: client.create_stream_processor(_hall()), before=before)
    assert isinstance(answer, rks.ResourceInUseError)


@pytest.mark.parametrize("fate", _LOSSES)
def test_a_create_whose_stream_is_taken_is_in_use_and_not_tried_again_and_again(fate: Fate) -> None:
    service = Service(fates=_fated(fate))
    taken = {"KinesisVideoStream": {"Arn": video("hall")}}
    answer, _ = _settled(
        service,
        lambda client: client.create_stream_processor(_hall()),
        before=lambda: service.furnish(faces("other", Input=taken)),
    )
    assert isinstance(answer, rks.ResourceInUseError)
    assert service.sent[_CREATE] == 2


def _delete_door(client: rks.Client) -> Awaitable[Answer]:
    return client.delete_stream_processor("door")


@pytest.mark.parametrize("deleting", [0.0, 5.0])
@pytest.mark.parametrize("fate", _LOSSES)
def test_a_delete_whose_answer_was_lost_deletes_once(fate: Fate, deleting: float) -> None:
    service = Service(fates=_fated(fate), timings=_timings(deleting=deleting))
    answer, _ = _settled(service, _delete_door)
    assert answer is None
    assert len(service.done(_DELETE, "door")) == 1


def test_what_was_never_there_is_not_deleted() -> None:
    answer, _ = _settled(Service(), lambda client: client.delete_stream_processor("nowhere"))
    assert isinstance(answer, rks.ResourceNotFoundError)


def test_a_processor_that_was_created_anew_after_a_lost_delete_is_left_alone() -> None:
    service = Service(fates=_fated(Fate.HANGS_AFTER))
    answer, _ = _settled(service, _delete_door, before=lambda: service.somebody(_CREATE, labels("door"), after=110))
    assert answer is None
    assert service.sent[_DELETE] == 1


@pytest.mark.parametrize("fate", _LOSSES)
def test_a_delete_of_a_busy_processor_is_refused_and_not_tried_again_and_again(fate: Fate) -> None:
    service = Service(fates=_fated(fate))

    def before() -> None:
        service.somebody(_START, {"Name": "lobby"})

    answer, _ = _settled(service, lambda client: client.delete_stream_processor("lobby"), before=before)
    assert isinstance(answer, rks.ResourceInUseError)
    assert service.sent[_DELETE] == 2


# ------------------------------------------------------------------------------------------------ time, and how often


@pytest.mark.parametrize("total", [0.5, 3.0, 31.0, 60.0])
@pytest.mark.parametrize("fate", [*_LOSSES, Fate.LATE])
def test_a_call_ends_by_its_time_whatever_happens(fate: Fate, total: float) -> None:
    service = Service(fates=_always(fate))
    answer, seconds = _settled(service, _start_door, total=total)
    assert seconds <= total + 1e-9
    assert isinstance(answer, rks.StartedSession | rks.CallError)
    if isinstance(answer, rks.StartedSession) or answer.retry_safe:
        assert len(service.done(_START, "door")) == isinstance(answer, rks.StartedSession)


def test_what_was_never_carried_out_is_told_as_its_cause_and_may_be_tried_again() -> None:
    service = Service(fates=_always(Fate.BROKEN))
    answer, _ = _settled(service, _start_door)
    assert isinstance(answer, rks.InternalServerError)
    assert answer.retry_safe
    assert answer.attempts == service.sent[_START] == 12
    assert "DescribeStreamProcessor shows that it was not carried out" in str(answer)
    assert service.done(_START, "door") == []


def test_a_request_that_is_still_under_way_at_the_end_of_its_time_is_unknown() -> None:
    service = Service(fates=_always(Fate.HANGS))
    answer, seconds = _settled(service, _start_door, total=20)
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert "it was not carried out as far as was seen" in str(answer)
    assert seconds <= 20


def test_calls_that_are_made_again_after_settling_draw_on_the_retry_quota_if_nobody_paces_them() -> None:
    service = Service(fates=_always(Fate.LOST_BEFORE))

    async def scene() -> int:
        names = [f"door-{number}" for number in range(60)]
        service.furnish(*map(labels, names))
        client = make_client(service, pacing=None)
        await asyncio.gather(*(outcome_of(client.start_stream_processor(label_start(name))) for name in names))
        return client.pipeline.retry_tokens.left

    assert run(scene()) < 5
    assert service.sent[_START] <= 60 + 100 + 60


def test_a_call_that_is_made_again_after_settling_keeps_its_place() -> None:
    service = Service(quotas={_START: rks.Quota(1, 1, "")}, fates=_fated(Fate.LOST_BEFORE))

    async def scene() -> list[str]:
        names = [f"door-{number}" for number in range(8)]
        service.furnish(*map(labels, names))
        client = make_client(service)

        async def start(number: int) -> None:
            await asyncio.sleep(number / 1000)
            await client.start_stream_processor(label_start(names[number]))

        await asyncio.gather(*map(start, range(len(names))))
        return [deed.name for deed in service.deeds if deed.done]

    started = run(scene())
    assert started.index("door-0") <= 2


def test_a_client_that_does_not_wait_for_its_turn_still_asks_what_became_of_a_call() -> None:
    quotas = {_START: rks.Quota(10, 10, ""), _DESCRIBE: rks.Quota(1, 1, "")}
    service = Service(quotas=quotas, fates=_fated(Fate.LOST_AFTER))

    async def call(client: rks.Client) -> Answer:
        impatient = client.with_options(pacing=rks.LocalPacing(wait=False))
        await impatient.describe_stream_processor("door")
        return await impatient.start_stream_processor(label_start("door"))

    answer, _ = _settled(service, call)
    assert answer == rks.StartedSession(reconciled=True)


def test_a_pacer_that_says_at_once_and_never_lets_through_is_not_asked_without_rest() -> None:
    def handler(operation: str, _body: Mapping[str, object]) -> rks.Reply | Exception:
        if operation == _START:
            return _lost(_START)
        return rks.RateLimitedError("not now", operation=_DESCRIBE, retry_after=0)

    transport = rks.MemoryTransport(handler)
    client = rks.Client(transport=transport, timeout=rks.Timeout(total=10))
    answer = run(outcome_of(_start_door(client)))
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert len(transport.calls) <= 102


def test_what_became_of_a_call_is_asked_before_whatever_else_waits_to_be_described() -> None:
    quotas = {_START: rks.Quota(10, 10, ""), _DESCRIBE: rks.Quota(1, 1, "")}
    service = Service(quotas=quotas, fates=_fated(Fate.LOST_AFTER))

    async def call(client: rks.Client) -> Answer:
        others = [asyncio.create_task(client.describe_stream_processor("lobby")) for _ in range(20)]
        await asyncio.sleep(0)
        answer = await client.start_stream_processor(label_start("door"))
        assert not all(other.done() for other in others)
        await asyncio.gather(*others)
        return answer

    answer, _ = _settled(service, call)
    assert answer == rks.StartedSession(reconciled=True)


def test_a_wait_that_would_outlast_the_call_is_not_begun() -> None:
    service = Service(fates=_always(Fate.LOST_BEFORE))
    patient = rks.RetryPolicy(base_delay=100, max_delay=100)

    async def call(client: rks.Client) -> Answer:
        return await client.with_options(retry=patient).start_stream_processor(label_start("door"))

    answer, seconds = _settled(service, call, total=3)
    assert isinstance(answer, rks.ConnectionLostError)
    assert answer.retry_safe
    assert seconds <= 3


def test_a_question_that_takes_long_to_arrive_does_not_make_the_start_look_older() -> None:
    async def handler(operation: str, _body: Mapping[str, object]) -> rks.Reply | Exception:
        loop = asyncio.get_running_loop()
        if operation == _START:
            return _lost(_START)
        await asyncio.sleep(8)
        began, date = (datetime.datetime.fromtimestamp(EPOCH + at, datetime.UTC) for at in (0, int(loop.time())))
        found = {"Name": "door", "StreamProcessorArn": "arn", "Status": "STARTING", "LastUpdateTimestamp": began}
        return rks.Reply(found, date=date)

    client = rks.Client(transport=rks.MemoryTransport(handler))
    assert run(client.start_stream_processor(label_start("door"))) == rks.StartedSession(reconciled=True)


def _door_of(handler: Handler, *, after: float = 0.0) -> Answer:
    """What a start of the door at this second comes to, over what the handler answers."""

    async def scene() -> Answer:
        await asyncio.sleep(after)
        return await outcome_of(_start_door(rks.Client(transport=rks.MemoryTransport(handler))))

    return run(scene())


def test_a_start_that_took_some_seconds_to_be_carried_out_is_ours() -> None:
    def handler(operation: str, _body: Mapping[str, object]) -> rks.Reply | Exception:
        return _lost(operation) if operation == _START else _shown("STARTING", changed=2.9)

    assert _door_of(handler) == rks.StartedSession(reconciled=True)


def test_the_service_s_date_may_be_a_second_old_when_it_is_told() -> None:
    async def handler(operation: str, _body: Mapping[str, object]) -> rks.Reply | Exception:
        if operation == _START:
            await asyncio.sleep(3.04)
            return _lost(operation)
        # Sent at 0.95, changed at 3.5, asked at 3.99: a date of 3.
        return _shown("STARTING", changed=3.5)

    assert _door_of(handler, after=0.95) == rks.StartedSession(reconciled=True)


def test_an_answer_that_takes_long_to_come_back_does_not_make_the_start_look_older() -> None:
    async def handler(operation: str, _body: Mapping[str, object]) -> rks.Reply | Exception:
        if operation == _START:
            return _lost(operation)
        shown = _shown("STARTING", changed=0)
        await asyncio.sleep(8)
        return shown

    assert _door_of(handler) == rks.StartedSession(reconciled=True)


def test_a_question_that_is_asked_again_counts_from_its_last_asking() -> None:
    questions = 0

    async def handler(operation: str, _body: Mapping[str, object]) -> rks.Reply | Exception:
        nonlocal questions
        if operation == _START:
            return _lost(operation)
        questions += 1
        if questions == 1:
            await asyncio.sleep(10)
            return rks.ConnectionLostError("reset", operation=operation, retry_safe=True)
        return _shown("STARTING", changed=8)  # somebody else's

    assert isinstance(_door_of(handler), rks.UnknownOutcomeError)


def test_a_part_of_the_time_is_kept_for_settling() -> None:
    for total, left in ((60, "50"), (20, "15")):
        service = Service(fates=_always(Fate.HANGS), network=Network(read_timeout=1000))
        answer, _ = _settled(service, _start_door, total=total)
        assert f"no answer came within {left} s" in str(answer)


def test_a_deadline_is_told_from_the_beginning_of_the_call() -> None:
    service = Service(quotas={_START: rks.Quota(0.05, 1, "")}, fates=_fated(Fate.LOST_BEFORE))
    answer, seconds = _settled(service, _start_door, total=16)
    assert isinstance(answer, rks.DeadlineExceededError)
    assert answer.deadline == pytest.approx(seconds, abs=0.01)
    assert answer.attempts == 1


def test_a_call_that_was_settled_and_succeeds_gives_back_what_it_paid() -> None:
    service = Service(fates=_fated(Fate.LOST_BEFORE))
    clients: list[rks.Client] = []

    async def call(client: rks.Client) -> Answer:
        clients.append(client)
        return await _start_door(client)

    _settled(service, call)
    assert clients[0].pipeline.retry_tokens.left == 500


def test_who_does_not_wait_for_a_turn_is_told_when_there_is_no_time_to_ask() -> None:
    quotas = {_START: rks.Quota(10, 10, ""), _DESCRIBE: rks.Quota(0.01, 1, "")}
    service = Service(quotas=quotas, fates=_fated(Fate.LOST_AFTER))

    async def call(client: rks.Client) -> Answer:
        impatient = client.with_options(pacing=rks.LocalPacing(wait=False))
        await impatient.describe_stream_processor("door")
        return await _start_door(impatient)

    answer, seconds = _settled(service, call, total=10)
    assert isinstance(answer, rks.UnknownOutcomeError)
    assert "there was no time to ask" in str(answer)
    assert seconds <= 10


def test_a_call_that_was_settled_waits_before_it_is_made_again() -> None:
    service = Service(fates=_fated(Fate.LOST_BEFORE))
    service.chance = lambda: 0.99
    patient = rks.RetryPolicy(base_delay=5, max_delay=5)
    _settled(service, lambda client: _start_door(client.with_options(retry=patient)))
    first, second = service.sendings["door"]
    assert second - first >= 4.9


def test_the_caller_is_told_that_a_call_is_being_settled() -> None:
    service, story = Service(fates=_fated(Fate.LOST_BEFORE)), Story()
    _settled(service, lambda client: client.start_stream_processor(label_start("door"), notify=story))
    sent = [CallEvent.QUEUED, CallEvent.SENT]
    assert story.events == [*sent, CallEvent.SETTLING, CallEvent.RETRIED, *sent]


def test_attempts_count_every_request_of_the_call() -> None:
    service = Service(fates=_fated(Fate.LOST_BEFORE, Fate.UNREACHED, Fate.LOST_BEFORE))
    answer, _ = _settled(service, lambda client: client.start_stream_processor(label_start("nowhere")))
    assert isinstance(answer, rks.CallError)
    assert answer.attempts == service.sent[_START]


def _timings(**changes: float) -> Timings:
    return Timings(**changes)


def _at(second: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(EPOCH + second, datetime.UTC)


def _shown(status: str, *, changed: float) -> rks.Reply:
    """What Describe shows of a door, at this moment by its own clock."""
    found = {"Name": "door", "StreamProcessorArn": "arn", "Status": status, "LastUpdateTimestamp": _at(changed)}
    return rks.Reply(found, date=_at(int(asyncio.get_running_loop().time())))


def _lost(operation: str) -> rks.ConnectionLostError:
    return rks.ConnectionLostError("reset", operation=operation)


def _in_use(operation: str) -> rks.ResourceInUseError:
    return rks.ResourceInUseError(
        "", operation=operation, code="ResourceInUseException", http_status=400, retry_safe=True
    )
