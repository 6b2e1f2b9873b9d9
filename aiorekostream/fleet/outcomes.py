"""Define the outcomes of requests to a fleet: exactly one for each request.

A start ends as ``Started``, ``AlreadyRunning``, ``Failed``, ``Expired`` or ``Unknown``; a stop as ``Stopped``,
``AlreadyStopped``, ``Failed`` or ``Unknown``. Match on them::

    match outcome:
        case Started(request, session): ...
        case Failed(request, error): ...
"""

import datetime
from typing import Any, Generic, Literal, TypeAlias, TypeVar, cast, final

import attrs

from aiorekostream.domain.requests import StartRequest
from aiorekostream.domain.responses import StartedSession
from aiorekostream.errors import UnknownOutcomeError

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
    "WaitedFor",
]

WaitedFor: TypeAlias = Literal["permit", "capacity", "session", "request", "backoff"]
"""What a request waited for when its deadline passed; see ``Expired``."""

_RequestT_co = TypeVar("_RequestT_co", bound=StartRequest | str, covariant=True)


def _typed(cls: type, fields: list["attrs.Attribute[Any]"]) -> list["attrs.Attribute[Any]"]:
    """Replace the type variable of a class's fields by what it stands for; ``help`` and ``inspect`` show the types."""
    (request_type,) = cast("Any", cls).__orig_bases__[0].__args__
    bound = getattr(request_type, "__bound__", request_type)
    return [field.evolve(type=bound) if isinstance(field.type, TypeVar) else field for field in fields]


@attrs.frozen
class _RequestOutcome(Generic[_RequestT_co]):
    request: _RequestT_co
    tag: Any = attrs.field(default=None, kw_only=True, repr=False, hash=False)

    @property
    def name(self) -> str:
        """The processor."""
        # What was given may be no request at all, which is why it failed.
        request: object = self.request
        return request if isinstance(request, str) else str(getattr(request, "name", request))


@final
@attrs.frozen(field_transformer=_typed)
class Started(_RequestOutcome[StartRequest]):
    """The processor was started.

    Attributes:
        request: what was asked.
        name: the processor.
        tag: what the ``FleetRequest`` was tagged with; ``None`` for any other request.
        session: the session that began; requests that share it have the same one.
        shared: whether another request began the session, and this one shares it; see ``when_busy="share"``.
    """

    session: StartedSession
    shared: bool = attrs.field(default=False, kw_only=True)


@final
@attrs.frozen(field_transformer=_typed)
class AlreadyRunning(_RequestOutcome[StartRequest]):
    """The processor is at work already, or is stopping or updating, and not by this request.

    Attributes:
        request: what was asked.
        name: the processor.
        tag: what the ``FleetRequest`` was tagged with; ``None`` for any other request.
    """


@final
@attrs.frozen(field_transformer=_typed)
class Expired(_RequestOutcome[StartRequest]):
    """The request's deadline passed before it could be sent, so it was not.

    Attributes:
        request: what was asked.
        name: the processor.
        tag: what the ``FleetRequest`` was tagged with; ``None`` for any other request.
        waited: how long the fleet had it, in seconds.
        waited_for: what it still waited for; ``None`` if the deadline had passed when the request arrived:

            - ``"permit"``: a permit of the rate limiter, or the end of one of ``max_in_flight`` calls: there are more
              requests than the quota allows;
            - ``"capacity"``: the end of any session of its kind: as many as the account may have are under way;
            - ``"session"``: the end of the session of its processor;
            - ``"request"``: the outcome of an earlier request for its processor;
            - ``"backoff"``: the time that the service, or the retry policy, asked to wait after throttling.
    """

    waited: float
    waited_for: WaitedFor | None = attrs.field(default=None, kw_only=True)


@final
@attrs.frozen(field_transformer=_typed)
class Stopped(_RequestOutcome[str]):
    """The stop was applied, and the processor is STOPPING or STOPPED.

    Attributes:
        request: the name that was given.
        name: the same.
        tag: ``None``; stops have none.
    """


@final
@attrs.frozen(field_transformer=_typed)
class AlreadyStopped(_RequestOutcome[str]):
    """There was nothing to stop.

    Attributes:
        request: the name that was given.
        name: the same.
        tag: ``None``; stops have none.
    """


@final
@attrs.frozen(field_transformer=_typed)
class Failed(_RequestOutcome[_RequestT_co]):
    """The request was not applied.

    Attributes:
        request: what was asked: the start, or the name to stop.
        name: the processor.
        tag: what the ``FleetRequest`` was tagged with; ``None`` for any other request.
        error: the reason.
    """

    error: Exception


@final
@attrs.frozen(field_transformer=_typed)
class Unknown(_RequestOutcome[_RequestT_co]):
    """The request may have been applied; whether it was could not be determined.

    Attributes:
        request: what was asked: the start, or the name to stop.
        name: the processor.
        tag: what the ``FleetRequest`` was tagged with; ``None`` for any other request.
        error: what is known.
    """

    error: Exception

    @property
    def retry_safe_at(self) -> datetime.datetime | None:
        """When the same request may be made again: from then on the service no longer applies this one.

        The date and time in UTC, never before the outcome was given; ``None`` where it is not known. See
        ``RetryPolicy.max_apply_delay``.
        """
        return self.error.retry_safe_at if isinstance(self.error, UnknownOutcomeError) else None


StartOutcome: TypeAlias = Started | AlreadyRunning | Failed[StartRequest] | Expired | Unknown[StartRequest]
"""The outcome of a start."""

StopOutcome: TypeAlias = Stopped | AlreadyStopped | Failed[str] | Unknown[str]
"""The outcome of a stop."""

Outcome: TypeAlias = (
    Started
    | AlreadyRunning
    | Expired
    | Stopped
    | AlreadyStopped
    | Failed[StartRequest | str]
    | Unknown[StartRequest | str]
)
"""The outcome of either."""
