"""Calls and sessions for tests that compare the lean path with botocore's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiobotocore.session import AioSession

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CALLS", "new_session", "observe", "unheard"]

CALLS: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("StartStreamProcessor", {"Name": "front-door", "StopSelector": {"MaxDurationInSeconds": 30}}),
    ("ListStreamProcessors", {}),
    ("StopStreamProcessor", {"Name": "Äpfel 🍎"}),
)


def unheard(**_: object) -> None:
    """A hook that does nothing."""


def observe(session: AioSession) -> AioSession:
    """Let the clients of a session take botocore's path, since a hook of the caller's listens to a later event."""
    session.register("request-created.rekognition", unheard)
    return session


def new_session(*, observed: bool) -> AioSession:
    """A session for the lean path, or one for botocore's."""
    return observe(AioSession()) if observed else AioSession()
