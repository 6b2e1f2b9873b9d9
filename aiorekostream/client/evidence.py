"""What DescribeStreamProcessor showed after answers were lost, against the times of those sendings. Pure.

What follows from it is decided in ``settlement.py``.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

from aiorekostream.client.settlement import Age, age
from aiorekostream.domain.replies import StreamProcessor

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Evidence", "Sending"]

# What a call does, it does within a few seconds; and the clocks of the service's servers may differ.
_SOONEST = datetime.timedelta(seconds=-1)
_LATEST = datetime.timedelta(seconds=3)
# AWS looks at the length of a session only at the end of a fragment, and those last 2 to 10 seconds as a rule. See
# https://docs.aws.amazon.com/rekognition/latest/dg/setting-up-your-amazon-rekognition-streaming-video-resources.html.
_OVERSHOOT = datetime.timedelta(seconds=10)
# A face search was seen to come to run after 2 seconds.
_COMES_TO_RUN = datetime.timedelta(seconds=10)
# The service tells the time to the second.
_SECOND = datetime.timedelta(seconds=1)
# What was sent less long ago has not begun a session that is over.
_SHORTEST_SESSION = datetime.timedelta(seconds=1)


@attrs.frozen
class Sending:
    """When a request was sent whose answer was lost.

    Attributes:
        since: the earliest that it may have been, by the service's clock.
        until: the latest.
        ago: the longest that it may have been before the look.
    """

    since: datetime.datetime
    until: datetime.datetime
    ago: datetime.timedelta

    @classmethod
    def before(cls, date: datetime.datetime, *, least: float, most: float) -> Self:
        """It was sent so many seconds, from the least to the most, before the service said this date."""
        ago = datetime.timedelta(seconds=most)
        return cls(date - ago, date + _SECOND - datetime.timedelta(seconds=least), ago)


@attrs.frozen
class Evidence:
    """What was seen after answers were lost.

    Attributes:
        processor: the processor, if there is one.
        sent: the requests whose answers were lost; none where the service did not say what time it was.
    """

    processor: StreamProcessor | None
    sent: Sequence[Sending] = ()

    @property
    def changed(self) -> Age | None:
        """When it changed last, against those sendings."""
        return self._age(self._changed)

    @property
    def created(self) -> Age | None:
        """When it was created, against those sendings."""
        return self._age(self.processor.creation_timestamp if self.processor else None)

    def has_lasted(self, length: datetime.timedelta) -> bool:
        """Whether its last change is the end of a session of that length, which one of those sendings began."""
        return self._has_changed(length, length + _OVERSHOOT)

    def has_come_to_run(self) -> bool:
        """Whether its last change is that of a face search which one of those sendings began, to RUNNING."""
        # What ran before the sending is somebody else's, and the time is told to the second.
        return self._has_changed(_SECOND - _SOONEST, _COMES_TO_RUN)

    def has_gone_on_to_run(self) -> bool:
        """Whether its last change may be that to RUNNING of a face search which was STARTING at a sending."""
        return self._has_changed(datetime.timedelta(), _COMES_TO_RUN)

    def may_show_an_end(self) -> bool:
        """Whether its last change may be the end of a session that one of those sendings began, however short."""
        changed = self._changed
        if self.processor is None or changed is None or changed == self.processor.creation_timestamp:
            return False
        return any(each.since <= changed and each.ago >= _SHORTEST_SESSION for each in self.sent)

    def __str__(self) -> str:
        if self.processor is None:
            return "there is no such processor"
        changed = self._changed
        return f"it is {self.processor.status}" + (f", last changed at {changed.isoformat()}" if changed else "")

    @property
    def _changed(self) -> datetime.datetime | None:
        return self.processor.last_update_timestamp if self.processor else None

    def _age(self, moment: datetime.datetime | None) -> Age | None:
        ages = {age(moment, since=each.since + _SOONEST, until=each.until + _LATEST) for each in self.sent}
        return next((found for found in (Age.ABOUT, Age.AFTER, Age.BEFORE) if found in ages), None)

    def _has_changed(self, least: datetime.timedelta, most: datetime.timedelta) -> bool:
        changed = self._changed
        return changed is not None and any(
            each.since + _SOONEST + least <= changed <= each.until + _LATEST + most for each in self.sent
        )
