"""Determine the outcome of a call whose response was lost, from what DescribeStreamProcessor shows. Pure.

AWS has no client token by which a call could be recognized, so the evidence is the processor's status and the time of
its last change. The service's times are whole seconds and its servers need not agree, so a change within a few
seconds of the sending is ``ABOUT`` then, neither before nor after. A session that began about then is taken for the
call's own. One that began later may be the call's own or another client's, and is not claimed.

Whether the service may still apply the call later is not decided here; see ``RetryPolicy.max_apply_delay``.
"""

import datetime
import enum
from collections.abc import Callable, Sequence
from typing import Any, Self

import attrs

from aiorekostream.domain.processors import Processor
from aiorekostream.domain.requests import LabelDetectionStart, StartRequest
from aiorekostream.domain.responses import CreatedStreamProcessor, StartedSession, StreamProcessor
from aiorekostream.domain.status import ACTIVE, STARTABLE, Status
from aiorekostream.operations import CREATE, DELETE, START, STOP
from aiorekostream.service_text import one_line

__all__ = ["EFFECTS", "Age", "Evidence", "Resolution", "SendWindow", "on_create", "on_delete", "on_start", "on_stop"]


# What a call does, it does within a few seconds; and the clocks of the service's servers may differ.
_SOONEST = datetime.timedelta(seconds=-1)
_LATEST = datetime.timedelta(seconds=3)
# AWS checks the length of a session only at the end of a fragment, and those last 2 to 10 seconds as a rule. See
# https://docs.aws.amazon.com/rekognition/latest/dg/setting-up-your-amazon-rekognition-streaming-video-resources.html.
_OVERSHOOT = datetime.timedelta(seconds=10)
# A face search was seen to come to run after 2 seconds.
_COMES_TO_RUN = datetime.timedelta(seconds=10)
# The service's times are whole seconds.
_SECOND = datetime.timedelta(seconds=1)
# What was sent less long ago has not begun a session that is over. UNCERTAIN: AWS says nothing of the shortest session.
# The only one whose times are known took 2 seconds to come to run, and a shorter one would be begun a second time.
_SHORTEST_SESSION = datetime.timedelta(seconds=1)


class Resolution(enum.StrEnum):
    """The outcome of the call, as far as one poll shows."""

    APPLIED = "applied"
    NOT_APPLIED = "not applied"
    CONFLICT = "another client's session or processor is in its way"
    UNDETERMINED = "cannot be determined"


class Age(enum.StrEnum):
    """When something happened, against the moment at which the call was first sent."""

    BEFORE = "before"
    ABOUT = "about then"
    AFTER = "after"


@attrs.frozen
class SendWindow:
    """The time in which a request was sent whose response was lost.

    Attributes:
        since: the earliest that it may have been, by the service's clock.
        until: the latest.
        ago: the longest that it may have been before the poll.
    """

    since: datetime.datetime
    until: datetime.datetime
    ago: datetime.timedelta

    @classmethod
    def before(cls, date: datetime.datetime, *, least: float, most: float) -> Self:
        """Build the window of a request that was sent ``least`` to ``most`` seconds before the service's date."""
        ago = datetime.timedelta(seconds=most)
        return cls(date - ago, date + _SECOND - datetime.timedelta(seconds=least), ago)

    def age(self, moment: datetime.datetime | None) -> Age | None:
        """Tell whether a change at this moment is older or newer than the request; ``None`` for no moment."""
        if moment is None:
            return None
        if moment < self.since + _SOONEST:
            return Age.BEFORE
        return Age.AFTER if moment > self.until + _LATEST else Age.ABOUT


@attrs.frozen
class Evidence:
    """The observation after responses were lost.

    Attributes:
        processor: the processor, if there is one.
        sent: the requests whose responses were lost; none where the service did not say what time it was.
    """

    processor: StreamProcessor | None
    sent: Sequence[SendWindow] = ()

    @property
    def state(self) -> tuple[Status, datetime.datetime] | None:
        """The status and when it last changed; ``None`` where either is missing."""
        if self.processor is None or self._changed is None:
            return None
        return self.processor.status, self._changed

    @property
    def changed(self) -> Age | None:
        """When it changed last, against those sendings."""
        return self._age(self._changed)

    @property
    def created(self) -> Age | None:
        """When it was created, against those sendings."""
        return self._age(self.processor.creation_timestamp if self.processor else None)

    def has_lasted(self, length: datetime.timedelta) -> bool:
        """Return whether its last change is the end of a session of that length, which one of those sendings began."""
        return self._has_changed(length, length + _OVERSHOOT)

    def has_come_to_run(self) -> bool:
        """Return whether its last change is that of a face search which one of those sendings began, to RUNNING."""
        # A session that ran before the sending is another client's; the service's time has a resolution of one second.
        return self._has_changed(_SECOND - _SOONEST, _COMES_TO_RUN)

    def has_gone_on_to_run(self) -> bool:
        """Return whether its last change may be that to RUNNING of a face search which was STARTING at a sending."""
        return self._has_changed(datetime.timedelta(), _COMES_TO_RUN)

    def may_show_an_end(self) -> bool:
        """Return whether its last change may be the end of a session that one of those sendings began."""
        changed = self._changed
        if self.processor is None or changed is None or changed == self.processor.creation_timestamp:
            return False
        return any(each.since <= changed and each.ago >= _SHORTEST_SESSION for each in self.sent)

    def __str__(self) -> str:
        if self.processor is None:
            return "there is no such processor"
        changed = self._changed
        return f"it is {one_line(self.processor.status)}" + (
            f", last changed at {changed.isoformat()}" if changed else ""
        )

    @property
    def _changed(self) -> datetime.datetime | None:
        return self.processor.last_update_timestamp if self.processor else None

    def _age(self, moment: datetime.datetime | None) -> Age | None:
        ages = {each.age(moment) for each in self.sent}
        return next((found for found in (Age.ABOUT, Age.AFTER, Age.BEFORE) if found in ages), None)

    def _has_changed(self, least: datetime.timedelta, most: datetime.timedelta) -> bool:
        changed = self._changed
        return changed is not None and any(
            each.since + _SOONEST + least <= changed <= each.until + _LATEST + most for each in self.sent
        )


def on_start(evidence: Evidence, request: StartRequest) -> Resolution:
    """After a StartStreamProcessor."""
    found, changed = evidence.processor, evidence.changed
    if found is None:
        return Resolution.NOT_APPLIED  # another start does no harm, and its error says what is wrong
    if changed is Age.BEFORE:
        return Resolution.NOT_APPLIED if found.status in STARTABLE else Resolution.CONFLICT
    if found.status is Status.STOPPED and changed is Age.ABOUT:
        # A label detection that finds no video is over in a moment, another client may stop a face search right after
        # its start, and both look like the end of an older session.
        return Resolution.UNDETERMINED if evidence.may_show_an_end() else Resolution.NOT_APPLIED
    # The change that a session of this start would have made by itself, and when it would have.
    if isinstance(request, LabelDetectionStart):
        length = datetime.timedelta(seconds=request.stop_selector.max_duration_in_seconds)
        is_in_time = found.status is Status.STOPPED and evidence.has_lasted(length)
    else:
        is_in_time = found.status is Status.RUNNING and evidence.has_come_to_run()
    is_started = found.status is Status.STARTING and changed is Age.ABOUT
    return Resolution.APPLIED if is_in_time or is_started else Resolution.UNDETERMINED


def on_stop(evidence: Evidence) -> Resolution:
    """After a StopStreamProcessor: what counts is that the session ends which there was."""
    if evidence.processor is None:
        return Resolution.NOT_APPLIED  # as for a start
    status, changed = evidence.processor.status, evidence.changed
    if status is Status.STARTING and changed is Age.AFTER:
        return Resolution.APPLIED  # another session, which this stop was not meant for
    if status is Status.RUNNING and changed is Age.AFTER and not evidence.has_gone_on_to_run():
        return Resolution.UNDETERMINED  # perhaps another session, and perhaps one that was slow to start
    if status in ACTIVE:
        return Resolution.NOT_APPLIED
    return Resolution.APPLIED if status.is_known and status is not Status.UPDATING else Resolution.UNDETERMINED


def on_create(evidence: Evidence, wanted: Processor) -> Resolution:
    """After a CreateStreamProcessor, by the processor of that name, if there is one, and when it was created."""
    found, created = evidence.processor, evidence.created
    if found is None:
        return Resolution.NOT_APPLIED
    same = found.kind is wanted.kind and found.kinesis_video_stream_arn == str(wanted.kinesis_video_stream_arn)
    if not same or created is Age.BEFORE:
        return Resolution.CONFLICT
    return Resolution.APPLIED if created is Age.ABOUT else Resolution.UNDETERMINED


def on_delete(evidence: Evidence) -> Resolution:
    """After a DeleteStreamProcessor, by the processor of that name, if there is one, and when it was created."""
    # One that was created later is another one: to delete it was not asked for.
    is_gone = evidence.processor is None or evidence.created is Age.AFTER
    return Resolution.APPLIED if is_gone else Resolution.NOT_APPLIED


EFFECTS: dict[str, tuple[Callable[[Evidence, Any], Resolution], Callable[[Evidence], object]]] = {
    START.name: (on_start, lambda _: StartedSession(reconciled=True)),
    STOP.name: (lambda evidence, _: on_stop(evidence), lambda _: None),
    CREATE.name: (
        on_create,
        lambda evidence: CreatedStreamProcessor(evidence.processor.stream_processor_arn if evidence.processor else ""),
    ),
    DELETE.name: (lambda evidence, _: on_delete(evidence), lambda _: None),
}
"""For each operation: the rule that evaluates evidence, and the value of a call that was shown to be applied."""
