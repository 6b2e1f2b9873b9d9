"""Define a camera of the demonstration and its state."""

from __future__ import annotations

import enum

import attrs

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
        session_id: the id of its session; empty before the start.
        error: the message of the error that made it FAILED; empty otherwise.
    """

    name: str
    state: CameraState = CameraState.WAITING
    session_id: str = ""
    error: str = ""
