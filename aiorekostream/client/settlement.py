"""What became of a call whose answer was lost: decisions on what DescribeStreamProcessor shows. Pure.

AWS knows no token by which a call could be recognised, so the evidence is the processor's status and the time of its
last change. The service tells time to the second, and its servers need not agree: a change within a few seconds of the
sending is ``ABOUT`` then, neither before nor after. What began about then is taken for the call's own doing; what
began later may be it or somebody else's, and is not claimed. What times there are is reckoned in ``evidence.py``.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from aiorekostream.domain.status import Status

if TYPE_CHECKING:
    import datetime

    from aiorekostream.domain.processors import Processor
    from aiorekostream.domain.replies import StreamProcessor

__all__ = ["Age", "Verdict", "age", "on_create", "on_delete", "on_start", "on_stop"]

_BUSY = frozenset({Status.STARTING, Status.RUNNING})
_IDLE = frozenset({Status.STOPPED, Status.FAILED})


class Verdict(enum.StrEnum):
    """What became of the call."""

    OURS = "carried out"
    NOT_DONE = "not carried out, so it may be made again"
    OTHERS = "somebody else's doing stands in its way"
    UNKNOWN = "not to be told"


class Age(enum.StrEnum):
    """When something happened, against the moment at which the call was first sent."""

    BEFORE = "before"
    ABOUT = "about then"
    AFTER = "after"


def age(moment: datetime.datetime | None, *, since: datetime.datetime, until: datetime.datetime) -> Age | None:
    """Whether a moment lies before or after the time of the sending, by the service's clock; ``None`` for no moment."""
    if moment is None:
        return None
    return Age.BEFORE if moment < since else Age.AFTER if moment > until else Age.ABOUT


def on_start(status: Status, changed: Age | None, *, in_time: bool, may_be_over: bool) -> Verdict:
    """After a StartStreamProcessor.

    Args:
        status: the processor's status.
        changed: when that last changed.
        in_time: whether that is just the change that a session of ours would have made by itself, and when: a face
            search has come to run, or a label detection to its end.
        may_be_over: whether a session of ours may have begun and ended by then. One that finds no video is over in a
            moment, and what it leaves looks like the end of an older one.
    """
    if changed is Age.BEFORE:
        return Verdict.NOT_DONE if status in _IDLE else Verdict.OTHERS
    if status is Status.STOPPED and changed is Age.ABOUT:
        return Verdict.UNKNOWN if may_be_over else Verdict.NOT_DONE
    is_started = status is Status.STARTING and changed is Age.ABOUT
    return Verdict.OURS if in_time or is_started else Verdict.UNKNOWN


def on_stop(status: Status, changed: Age | None, *, came_to_run: bool) -> Verdict:
    """After a StopStreamProcessor: what counts is that the session ends which there was.

    Args:
        status: the processor's status.
        changed: when that last changed.
        came_to_run: whether a face search that was STARTING at the sending would have come to run when it last changed.
    """
    if status is Status.STARTING and changed is Age.AFTER:
        return Verdict.OURS  # this is another session, which nobody asked to stop
    if status is Status.RUNNING and changed is Age.AFTER and not came_to_run:
        return Verdict.UNKNOWN  # perhaps another session, and perhaps one that was slow to start
    if status in _BUSY:
        return Verdict.NOT_DONE
    return Verdict.OURS if status.is_known and status is not Status.UPDATING else Verdict.UNKNOWN


def on_create(found: StreamProcessor | None, wanted: Processor, created: Age | None) -> Verdict:
    """After a CreateStreamProcessor, by the processor of that name, if there is one, and when it was created."""
    if found is None:
        return Verdict.NOT_DONE
    same = found.kind is wanted.kind and found.kinesis_video_stream_arn == str(wanted.kinesis_video_stream_arn)
    if not same or created is Age.BEFORE:
        return Verdict.OTHERS
    return Verdict.OURS if created is Age.ABOUT else Verdict.UNKNOWN


def on_delete(found: StreamProcessor | None, created: Age | None) -> Verdict:
    """After a DeleteStreamProcessor, by the processor of that name, if there is one, and when it was created."""
    # One that was created later is another one: to delete it was not asked for.
    return Verdict.OURS if found is None or created is Age.AFTER else Verdict.NOT_DONE
