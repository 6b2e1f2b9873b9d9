"""A camera of the demonstration, and how far it has come."""

from __future__ import annotations

import enum

import attrs

__all__ = ["Camera", "Stage"]


class Stage(enum.StrEnum):
    """How far a camera has come, in this order."""

    WAITING = "waiting"
    CREATED = "created"
    WORKING = "working"
    ENDED = "ended"
    FAILED = "failed"


@attrs.define
class Camera:
    """One camera.

    Attributes:
        name: its stream processor's name.
        stage: how far it has come.
        session_id: its session, once it is started.
        trouble: what went wrong, if something did.
    """

    name: str
    stage: Stage = Stage.WAITING
    session_id: str = ""
    trouble: str = ""
