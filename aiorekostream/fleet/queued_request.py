"""A request from its arrival to its outcome, as the queue of its operation keeps it."""

from __future__ import annotations

import enum
import functools
import math
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.requests import StartRequest
from aiorekostream.fleet.outcomes import Outcome
from aiorekostream.fleet.requests import WhenBusy
from aiorekostream.pipeline import CallTrace

__all__ = ["QueuedRequest", "RequestState", "no_callback"]

_RequestT = TypeVar("_RequestT", bound=StartRequest | str)


class RequestState(enum.Enum):
    """Where a request is."""

    QUEUED = "waits for a permit, or for a slot of its kind"
    BLOCKED = "waits for another request or a session of the same processor"
    BACKING_OFF = "waits as long as the service has asked"
    DISPATCHED = "its call is under way"
    COMPLETED = "has its outcome"


def no_callback(_request: object, _outcome: Outcome) -> None:
    """Do nothing with an outcome."""


@attrs.define(eq=False)
class QueuedRequest(Generic[_RequestT]):
    """A request from its arrival to its outcome; only the queue changes it.

    Attributes:
        request: the start, or the name of the processor to stop.
        on_complete: called once, with this and the outcome.
        name: the processor.
        kind: the limit that the session of a start counts against; ``None`` for a stop.
        deadline: when it is no longer worth sending, on the clock.
        urgent: whether it goes before those that are not.
        number: its place in the order of arrival.
        arrived_at: when the fleet took it.
        state: where it is.
        trace: how far its call has come, over all its dispatches.
        cancelled: whether its caller no longer wants it.
        tag: what its outcome returns to the caller.
        when_busy: the policy where the processor is busy; that of the queue if ``None``.
        stopped: whether a stop of its processor was sent when the service may have applied it.
    """

    request: _RequestT
    on_complete: Callable[[QueuedRequest[_RequestT], Outcome], None] = no_callback
    name: str = attrs.field(kw_only=True)
    kind: ProcessorKind | None = attrs.field(default=None, kw_only=True)
    deadline: float = attrs.field(default=math.inf, kw_only=True)
    urgent: bool = attrs.field(default=False, kw_only=True)
    tag: object = attrs.field(default=None, kw_only=True)
    when_busy: WhenBusy | None = attrs.field(default=None, kw_only=True)
    number: int = attrs.field(default=0, init=False)
    arrived_at: float = attrs.field(default=0.0, init=False)
    state: RequestState = attrs.field(default=RequestState.QUEUED, init=False)
    trace: CallTrace = attrs.field(factory=functools.partial(CallTrace, retries_throttled=False), init=False)
    cancelled: bool = attrs.field(default=False, init=False)
    stopped: bool = attrs.field(default=False, init=False)
