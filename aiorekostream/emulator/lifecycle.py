"""The operations that move a processor through its life: start, stop and update.

A start succeeds although the role, a stream or the collection is out of reach: the processor is FAILED a little later.
See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import Event
from aiorekostream.emulator.answers import BLANK_DENIAL, Success, in_use, invalid, refuse, too_many_sessions
from aiorekostream.emulator.definitions import revised
from aiorekostream.emulator.processors import Step

if TYPE_CHECKING:
    from aiorekostream.emulator.contexts import OperationContext
    from aiorekostream.emulator.fields import Fields
    from aiorekostream.emulator.processors import Processor

__all__ = ["start", "stop", "update"]

_DEFAULT_DURATION = 10


def start(turn: OperationContext, request: Fields) -> Success:
    """StartStreamProcessor."""
    account, name = turn.account, request.text("Name")
    processor = account.present(name)
    duration = _duration(processor, request, turn.limits.max_duration_in_seconds)
    if not processor.allows(Event.START):
        raise refuse(in_use())
    allowed = turn.allowed(processor.kind)
    if allowed is None:
        raise refuse(BLANK_DENIAL)
    if account.active(processor.kind) >= allowed:
        raise refuse(too_many_sessions(processor.kind, allowed))
    session_id = turn.new_id()
    started = attrs.evolve(processor.after(Event.START, turn.now), session_id=session_id)
    account.put(started.bound_for(_future(turn, processor, duration)))
    account.advance(turn.now)
    # AWS's guide says that the answer to the start of a face search is an empty object.
    is_face_search = processor.kind is ProcessorKind.FACE_SEARCH
    return Success({} if is_face_search else {"SessionId": session_id}, session_id)


def stop(turn: OperationContext, request: Fields) -> Success:
    """StopStreamProcessor."""
    processor = turn.account.present(request.text("Name"))
    if not processor.allows(Event.STOP):
        raise refuse(in_use("Stream Processor not available for stopping"))
    stopping = processor.after(Event.STOP, turn.now)
    turn.account.put(stopping.bound_for([Step(turn.now + turn.timings.stopping, Event.FINISH)]))
    turn.account.advance(turn.now)
    return Success(None)


def update(turn: OperationContext, request: Fields) -> Success:
    """UpdateStreamProcessor; what is new can be read at once."""
    processor = turn.account.present(request.text("Name"))
    if processor.kind is ProcessorKind.FACE_SEARCH:
        raise refuse(invalid("A face search stream processor cannot be updated."))
    plan = revised(processor.blueprint, request, turn.limits)
    if not processor.allows(Event.UPDATE):
        raise refuse(in_use())
    updating = attrs.evolve(processor.after(Event.UPDATE, turn.now), blueprint=plan)
    turn.account.put(updating.bound_for([Step(turn.now + turn.timings.updating, Event.FINISH)]))
    turn.account.advance(turn.now)
    return Success(None)


def _duration(processor: Processor, request: Fields, most: int) -> int:
    """The longest duration of a label detection in seconds, once the selectors are right for the kind."""
    if processor.kind is ProcessorKind.FACE_SEARCH:
        for name in ("StartSelector", "StopSelector"):
            request.forbidden(name, "it is for label detection")
        return 0
    selector = request.structure("StartSelector").structure("KVSStreamStartSelector")
    # UNCERTAIN: AWS says "one of either" and not what comes of both; refusing is the safe reading.
    if selector.has("ProducerTimestamp") == selector.has("FragmentNumber"):
        raise refuse(invalid(f"{selector.path} must have exactly one of ProducerTimestamp and FragmentNumber."))
    duration = request.structure("StopSelector").optional_whole("MaxDurationInSeconds")
    if duration is None:
        return _DEFAULT_DURATION
    if not 1 <= duration <= most:
        raise refuse(invalid(f"StopSelector.MaxDurationInSeconds must be from 1 to {most}."))
    return duration


def _future(turn: OperationContext, processor: Processor, duration: int) -> list[Step]:
    """What will happen to a processor that starts now."""
    now, timings = turn.now, turn.timings
    if processor.kind is ProcessorKind.FACE_SEARCH:
        steps = [Step(now + timings.starting, Event.RUN)]
    else:
        steps = [Step(now + min(duration + timings.overshoot, timings.media), Event.FINISH)]
    doom = turn.take_doom(processor.name)
    if doom is not None:
        return [Step(now + doom.after, Event.FAIL, doom.message), *steps]
    failure = turn.dependency_faults.failure(processor.blueprint, turn.account.region)
    if failure is not None:
        return [Step(now + timings.failing, Event.FAIL, failure)]
    return steps
