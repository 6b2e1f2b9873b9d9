"""Sort the records of each video by their frames, within a window of time; pure."""

from __future__ import annotations

import datetime
import heapq
import itertools
import math
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import attrs

if TYPE_CHECKING:
    from aiorekostream.domain.video import VideoPosition

__all__ = ["FrameKey", "VideoOrder", "frame_key"]

_ItemT = TypeVar("_ItemT")
_MOST_VIDEOS = 10_000  # each takes about 500 bytes
FrameKey: TypeAlias = tuple[int, datetime.timedelta]
"""The position of a frame in its video: the number of the fragment, and the offset in it."""


def frame_key(position: VideoPosition) -> FrameKey:
    """Return the position of a frame in its video."""
    return int(position.fragment_number), position.frame_offset


@attrs.define(eq=False)
class _Video(Generic[_ItemT]):
    """The buffered items of a video, and the last frame that was released."""

    waiting: list[tuple[FrameKey, int, _ItemT]] = attrs.field(factory=list)
    released: FrameKey | None = None


@attrs.define(eq=False, kw_only=True)
class VideoOrder(Generic[_ItemT]):
    """Hold each item for a window of time, then release it after the earlier ones of its video.

    Attributes:
        window: the seconds for which an item is held.
        most: the most items that are held; beyond it, the oldest are released before their window ends.
        most_videos: how many videos are remembered. Beyond it, the one that has had no items for the longest time is
            forgotten once it holds none, and its next item is not late.
    """

    window: float
    most: int
    most_videos: int = _MOST_VIDEOS
    _videos: dict[str, _Video[_ItemT]] = attrs.field(factory=dict[str, _Video[_ItemT]], init=False)
    # When the window of each item ends, in the order of arrival. An item may have been released before.
    _due: deque[tuple[float, str, FrameKey]] = attrs.field(factory=deque[tuple[float, str, FrameKey]], init=False)
    _numbers: Iterator[int] = attrs.field(factory=itertools.count, init=False)

    def add(self, now: float, video: str, key: FrameKey, item: _ItemT) -> bool:
        """Hold an item, unless it is late: a later frame of its video was released.

        Returns:
            Whether it is held.
        """
        held = self._videos.pop(video, None) or _Video()
        self._videos[video] = held  # at the end, behind those that have had no items for longer
        self._forget_idle()
        if held.released is not None and key < held.released:
            return False
        heapq.heappush(held.waiting, (key, next(self._numbers), item))
        self._due.append((now + self.window, video, key))
        return True

    def pop(self, now: float) -> _ItemT | None:
        """Release the next item whose window has ended, or that precedes such an item; ``None`` if there is none.

        Args:
            now: the current time; infinity releases all.
        """
        while self._due and (self._due[0][0] <= now or len(self._due) > self.most):
            _, video, key = self._due[0]
            held = self._videos.get(video)
            if held is not None and held.waiting and held.waiting[0][0] <= key:
                held.released, _, item = heapq.heappop(held.waiting)
                return item
            self._due.popleft()
        return None

    @property
    def next_moment(self) -> float:
        """When the next item may be released; infinity if none is held."""
        return self._due[0][0] if self._due else math.inf

    def _forget_idle(self) -> None:
        while len(self._videos) > self.most_videos:
            video = next(iter(self._videos))
            if self._videos[video].waiting:
                return
            del self._videos[video]
