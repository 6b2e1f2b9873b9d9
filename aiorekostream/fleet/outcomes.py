"""What becomes of a request to a fleet: exactly one of these, for each.

A start ends as ``Started``, ``AlreadyRunning``, ``Failed``, ``Expired`` or ``Unknown``; a stop as ``Stopped``,
``AlreadyStopped``, ``Failed`` or ``Unknown``. Match on them::

    match outcome:
        case Started(request, session): ...
        case Failed(request, error): ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar, cast

import attrs

from aiorekostream.domain.replies import StartedSession
from aiorekostream.domain.requests import StartRequest
from aiorekostream.errors import UnknownOutcomeError
from aiorekostream.operations import START, STOP

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "AlreadyRunning",
    "AlreadyStopped",
    "Expired",
    "Failed",
    "Outcome",
    "StartOutcome",
    "Started",
    "StopOutcome",
    "Stopped",
    "Unknown",
    "failed",
    "lost",
    "shared",
    "unknown",
]

_RequestT_co = TypeVar("_RequestT_co", bound=StartRequest | str, covariant=True)


@attrs.frozen
class Started:
    """The processor was started.

    Attributes:
        request: what was asked.
        session: the session that began, which joined requests share.
    """

    request: StartRequest
    session: StartedSession

    @property
    def name(self) -> str:
        """The processor."""
        return self.request.name


@attrs.frozen
class AlreadyRunning:
    """The processor is at work already, or is stopping or updating: somebody else's doing.

    Attributes:
        request: what was asked.
    """

    request: StartRequest

    @property
    def name(self) -> str:
        """The processor."""
        return self.request.name


@attrs.frozen
class Expired:
    """The request's deadline passed before it could be sent, so it was not.

    Attributes:
        request: what was asked.
        waited: how long the fleet had it, in seconds.
    """

    request: StartRequest
    waited: float

    @property
    def name(self) -> str:
        """The processor."""
        return self.request.name


@attrs.frozen
class Stopped:
    """The processor was told to stop, and is STOPPING or STOPPED.

    Attributes:
        request: the name that was given.
    """

    request: str

    @property
    def name(self) -> str:
        """The processor."""
        return self.request


@attrs.frozen
class AlreadyStopped:
    """There was nothing to stop.

    Attributes:
        request: the name that was given.
    """

    request: str

    @property
    def name(self) -> str:
        """The processor."""
        return self.request


@attrs.frozen
class Failed(Generic[_RequestT_co]):
    """It was not carried out.

    Attributes:
        request: what was asked: the start, or the name to stop.
        error: why.
    """

    request: _RequestT_co
    error: Exception

    @property
    def name(self) -> str:
        """The processor."""
        return _name(self.request)


@attrs.frozen
class Unknown(Generic[_RequestT_co]):
    """It may have been carried out, and that could not be found out.

    Attributes:
        request: what was asked: the start, or the name to stop.
        error: what is known.
    """

    request: _RequestT_co
    error: Exception

    @property
    def name(self) -> str:
        """The processor."""
        return _name(self.request)


StartOutcome: TypeAlias = Started | AlreadyRunning | Failed[StartRequest] | Expired | Unknown[StartRequest]
"""What becomes of a start."""

StopOutcome: TypeAlias = Stopped | AlreadyStopped | Failed[str] | Unknown[str]
"""What becomes of a stop."""

Outcome: TypeAlias = (
    Started
    | AlreadyRunning
    | Expired
    | Stopped
    | AlreadyStopped
    | Failed[StartRequest]
    | Unknown[StartRequest]
    | Failed[str]
    | Unknown[str]
)
"""What becomes of either."""


def failed(request: StartRequest | str, error: Exception) -> Failed[StartRequest] | Failed[str]:
    """A request of either sort was not carried out."""
    if isinstance(request, str):
        return Failed(request, error)
    return Failed(request, error)


def unknown(request: StartRequest | str, error: Exception) -> Unknown[StartRequest] | Unknown[str]:
    """A request of either sort may have been carried out."""
    if isinstance(request, str):
        return Unknown(request, error)
    return Unknown(request, error)


def lost(request: StartRequest | str, message: str) -> Unknown[StartRequest] | Unknown[str]:
    """A request of either sort may have been carried out, and nobody will look any more."""
    operation = STOP.name if isinstance(request, str) else START.name
    return unknown(request, UnknownOutcomeError(message, operation=operation))


def shared(outcome: Outcome, request: StartRequest | str) -> Outcome:
    """The same outcome for another request of the same sort."""
    evolve = cast("Callable[..., Outcome]", attrs.evolve)
    return evolve(outcome, request=request)


def _name(request: StartRequest | str) -> str:
    # What was given may be no request at all, and then that is why it failed.
    return request if isinstance(request, str) else str(getattr(request, "name", request))
