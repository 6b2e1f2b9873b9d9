"""What became of a call whose answer was lost: decisions on what DescribeStreamProcessor shows. Pure.

AWS knows no token by which a call could be recognised, so the evidence is the processor's status and the time of its
last change. The service tells time to the second, and its servers need not agree: a change within a few seconds of the
sending is ``ABOUT`` then, neither before nor after.
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


def age(moment: datetime.datetime | None, *, sent: datetime.datetime, margin: datetime.timedelta) -> Age | None:
    """Whether a moment lies before or after the sending, by the service's time; ``None`` for no moment."""
    if moment is None:
        return None
    if abs(moment - sent) <= margin:
        return Age.ABOUT
    return Age.AFTER if moment > sent else Age.BEFORE


def on_start(status: Status, changed: Age | None, *, may_be_over: bool) -> Verdict:
    """After a StartStreamProcessor.

    Args:
        status: the processor's status.
        changed: when that last changed.
        may_be_over: whether the session could have come to its end by now.
    """
    if status in _BUSY:
        return Verdict.OTHERS if changed is Age.BEFORE else Verdict.OURS
    if status not in {Status.STOPPED, Status.FAILED}:
        # Stopping or updating, or a word that is not known yet.
        return Verdict.OTHERS if changed is Age.BEFORE else Verdict.UNKNOWN
    if changed is Age.AFTER:
        return Verdict.OURS
    # What ended about then is an older session, unless ours was short enough to be it.
    return Verdict.NOT_DONE if changed is Age.BEFORE or not may_be_over else Verdict.UNKNOWN


def on_stop(status: Status) -> Verdict:
    """After a StopStreamProcessor: what counts is that the processor ends."""
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
    return Verdict.OURS if created is not None else Verdict.UNKNOWN


def on_delete(found: StreamProcessor | None) -> Verdict:
    """After a DeleteStreamProcessor, by the processor of that name, if there is still one."""
    return Verdict.OURS if found is None else Verdict.NOT_DONE
