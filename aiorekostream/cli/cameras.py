"""Define a camera of the demonstration: its state, and what it saw."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from aiorekostream.domain.labels import LabelDetected

__all__ = ["Camera", "CameraState"]


class CameraState(enum.StrEnum):
    """The state of a camera, in the order of its progress."""

    WAITING = "waiting"
    CREATED = "created"
    WORKING = "working"
    ENDED = "ended"
    FAILED = "failed"


@attrs.define
class Camera:
    """A camera of the demonstration.

    Attributes:
        name: the name of its stream processor.
        state: the state.
        seen: the labels that its session detected.
        delays: for each event, the time from the detected frame to the arrival of the event, in seconds.
        error: the message of the error that made it FAILED; empty otherwise.
    """

    name: str
    state: CameraState = CameraState.WAITING
    seen: set[str] = attrs.field(factory=set[str])
    delays: list[float] = attrs.field(factory=list[float])
    error: str = ""

    def add(self, event: LabelDetected, now: float) -> None:
        """Record an event that has arrived.

        Args:
            event: the event.
            now: the time of the arrival, in epoch seconds on the clock of the video.
        """
        self.seen.update(label.label for label in event.labels)
        frames = [label.frame_time.timestamp() for label in event.labels if label.frame_time is not None]
        if frames:
            self.delays.append(now - max(frames))
