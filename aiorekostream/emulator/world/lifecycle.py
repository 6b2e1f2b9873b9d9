"""Execute the operations that change a processor's status: start, stop and update.

A start succeeds although the role, a stream or the collection is unavailable: the processor becomes FAILED later.
See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import Event
from aiorekostream.emulator.world.answers import BLANK_DENIAL, Success, in_use, invalid, refuse, too_many_sessions
from aiorekostream.emulator.world.definitions import updated_definition
from aiorekostream.emulator.world.processors import ScheduledTransition
from aiorekostream.emulator.world.video import producer_time

if TYPE_CHECKING:
    from aiorekostream.emulator.world.contexts import OperationContext
    from aiorekostream.emulator.world.fields import Fields
    from aiorekostream.emulator.world.processors import Processor

__all__ = ["start", "stop", "update"]

# Seconds. From MaxDurationInSeconds in
# https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StreamProcessingStopSelector.html.
_DEFAULT_DURATION_SECONDS = 10


def start(context: OperationContext, request: Fields) -> Success:
    """Execute StartStreamProcessor."""
    account, name = context.account, request.text("Name")
    processor = account.get_undeleted(name)
    duration = _duration(processor, request, context.limits.max_duration_in_seconds)
    if not processor.allows(Event.START):
        raise refuse(in_use())
    allowed = context.max_active(processor.kind)
    if allowed is None:
        raise refuse(BLANK_DENIAL)
    if account.active(processor.kind) >= allowed:
        raise refuse(too_many_sessions(processor.kind, allowed))
    session_id = context.new_id()
    started = attrs.evolve(processor.after(Event.START, context.now), session_id=session_id)
    account.put(started.with_transitions(_scheduled_transitions(context, processor, duration)))
    # AWS's guide documents an empty object as the response to the start of a face search.
    is_face_search = processor.kind is ProcessorKind.FACE_SEARCH
    # Without its role, stream, bucket or topic, a session reports nothing until it fails.
    if context.dependency_faults.failure(processor.definition, account.region) is None:
        if is_face_search:
            account.face_sessions.begin(started, analyst=context.analyst, now=context.now)
        else:
            account.label_sessions.begin(
                started,
                request.members,
                analyst=context.analyst,
                now=context.now,
                video_start=_video_start(context, request),
                end=context.now + _session_length(context, duration),
            )
    account.advance(context.now)
    return Success({} if is_face_search else {"SessionId": session_id}, session_id)


def stop(context: OperationContext, request: Fields) -> Success:
    """Execute StopStreamProcessor."""
    processor = context.account.get_undeleted(request.text("Name"))
    if not processor.allows(Event.STOP):
        raise refuse(in_use("Stream Processor not available for stopping"))
    stopping = processor.after(Event.STOP, context.now)
    context.account.put(
        stopping.with_transitions([ScheduledTransition(context.now + context.timings.stopping, Event.FINISH)])
    )
    context.account.advance(context.now)
    return Success(None)


def update(context: OperationContext, request: Fields) -> Success:
    """Execute UpdateStreamProcessor. Describe returns the new values at once."""
    processor = context.account.get_undeleted(request.text("Name"))
    if processor.kind is ProcessorKind.FACE_SEARCH:
        raise refuse(invalid("A face search stream processor cannot be updated."))
    definition = updated_definition(processor.definition, request, context.limits)
    if not processor.allows(Event.UPDATE):
        raise refuse(in_use())
    updating = attrs.evolve(processor.after(Event.UPDATE, context.now), definition=definition)
    context.account.put(
        updating.with_transitions([ScheduledTransition(context.now + context.timings.updating, Event.FINISH)])
    )
    context.account.advance(context.now)
    return Success(None)


def _duration(processor: Processor, request: Fields, most: int) -> int:
    """Check the selectors and return the maximum duration of a label detection in seconds; 0 for a face search."""
    if processor.kind is ProcessorKind.FACE_SEARCH:
        for name in ("StartSelector", "StopSelector"):
            request.forbidden(name, "it is for label detection")
        return 0
    selector = request.structure("StartSelector").structure("KVSStreamStartSelector")
    # UNCERTAIN: AWS documents "one of either" and not the effect of both. Refusing is the safe reading.
    if selector.has("ProducerTimestamp") == selector.has("FragmentNumber"):
        raise refuse(invalid(f"{selector.path} must have exactly one of ProducerTimestamp and FragmentNumber."))
    duration = request.structure("StopSelector").optional_whole("MaxDurationInSeconds")
    if duration is None:
        return _DEFAULT_DURATION_SECONDS
    if not 1 <= duration <= most:
        raise refuse(invalid(f"StopSelector.MaxDurationInSeconds must be from 1 to {most}."))
    return duration


def _session_length(context: OperationContext, duration: int) -> float:
    """Return how long a label detection works if it is not stopped, in seconds."""
    return min(duration + context.timings.overshoot, context.timings.media)


def _video_start(context: OperationContext, request: Fields) -> float:
    """Return the moment at which the video of a session begins, on the producer's clock, in epoch seconds.

    UNCERTAIN: what AWS does with the number of a fragment that does not exist. Here the video begins now.
    """
    selector = request.structure("StartSelector").structure("KVSStreamStartSelector")
    timestamp, fragment = selector.optional_whole("ProducerTimestamp"), selector.optional_text("FragmentNumber")
    if timestamp is not None:
        return timestamp / 1000
    start = None if fragment is None else producer_time(fragment)
    return context.now if start is None else start


def _scheduled_transitions(context: OperationContext, processor: Processor, duration: int) -> list[ScheduledTransition]:
    """Return the future transitions of a processor that starts now."""
    now, timings = context.now, context.timings
    if processor.kind is ProcessorKind.FACE_SEARCH:
        transitions = [ScheduledTransition(now + timings.starting, Event.RUN)]
    else:
        transitions = [ScheduledTransition(now + _session_length(context, duration), Event.FINISH)]
    scheduled = context.take_scheduled_failure(processor.name)
    if scheduled is not None:
        return [ScheduledTransition(now + scheduled.after, Event.FAIL, scheduled.message), *transitions]
    failure = context.dependency_faults.failure(processor.definition, context.account.region)
    if failure is not None:
        return [ScheduledTransition(now + timings.failing, Event.FAIL, failure)]
    return transitions
