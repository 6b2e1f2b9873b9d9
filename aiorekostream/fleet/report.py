"""Collect the outcomes of many requests in one value."""

from collections import Counter
from collections.abc import Iterator
from typing import Generic, TypeVar, cast, final

import attrs

from aiorekostream.domain.requests import StartRequest
from aiorekostream.fleet.outcomes import (
    AlreadyRunning,
    AlreadyStopped,
    Expired,
    Failed,
    Outcome,
    Started,
    StartOutcome,
    StopOutcome,
    Stopped,
    Unknown,
    WaitedFor,
)

__all__ = ["FleetReport", "StartReport", "StopReport"]

_OutcomeT_co = TypeVar("_OutcomeT_co", bound=Outcome, covariant=True)

_WORDS = {
    Started: "started",
    AlreadyRunning: "already running",
    Stopped: "stopped",
    AlreadyStopped: "already stopped",
    Failed: "failed",
    Expired: "expired",
    Unknown: "unknown",
}
_THINGS: dict[WaitedFor, str] = {
    "permit": "a permit of the rate limiter",
    "capacity": "any session of its kind to end",
    "session": "the session of its processor to end",
    "request": "an earlier request for its processor",
    "backoff": "the service, which throttled it",
}
_SHOWN = 20


@attrs.frozen
class FleetReport(Generic[_OutcomeT_co]):
    """The outcomes of a fleet's requests, one for each, in the order of completion.

    That of starts is a ``StartReport``, that of stops a ``StopReport``.

    ``str`` gives the counts, and a line for each of the first 20 that did not come to be.

    Attributes:
        outcomes: all of them.
    """

    outcomes: tuple[_OutcomeT_co, ...] = ()

    def __len__(self) -> int:
        return len(self.outcomes)

    def __iter__(self) -> Iterator[_OutcomeT_co]:
        return iter(self.outcomes)

    @property
    def counts(self) -> dict[str, int]:
        """How many there are of each outcome that there is, by words such as ``already running``."""
        found = Counter(type(it) for it in cast("tuple[Outcome, ...]", self.outcomes))
        return {word: found[kind] for kind, word in _WORDS.items() if found[kind]}

    def raise_for_failures(self) -> None:
        """Raise if anything failed or is unknown. An expired request kept its deadline, and is no failure.

        Raises:
            ExceptionGroup: the errors, each with a note that names its processor.
        """
        errors: list[Exception] = []
        for outcome in self.outcomes:
            if isinstance(outcome, Failed | Unknown):
                note = f"processor: {outcome.name}"
                if note not in getattr(outcome.error, "__notes__", ()):
                    outcome.error.add_note(note)
                errors.append(outcome.error)
        if errors:
            raise ExceptionGroup(self._summary(), errors)

    def __str__(self) -> str:
        wrong = [it for it in self.outcomes if isinstance(it, Failed | Unknown | Expired)]
        lines = [self._summary(), *(f"  {it.name}: {_description(it)}" for it in wrong[:_SHOWN])]
        if len(wrong) > _SHOWN:
            lines.append(f"  and {len(wrong) - _SHOWN} more")
        return "\n".join(lines)

    def _summary(self) -> str:
        said = ", ".join(f"{count} {word}" for word, count in self.counts.items())
        number = f"{len(self)} request{'' if len(self) == 1 else 's'}"
        return f"{number}: {said}" if said else number


@final
@attrs.frozen
class StartReport(FleetReport[StartOutcome]):
    """The outcomes of starts."""

    @property
    def started(self) -> tuple[Started, ...]:
        """The processors that were started."""
        return tuple(it for it in self.outcomes if isinstance(it, Started))

    @property
    def already_running(self) -> tuple[AlreadyRunning, ...]:
        """The processors that were at work already."""
        return tuple(it for it in self.outcomes if isinstance(it, AlreadyRunning))

    @property
    def expired(self) -> tuple[Expired, ...]:
        """The requests whose deadline passed before they could be sent."""
        return tuple(it for it in self.outcomes if isinstance(it, Expired))

    @property
    def failed(self) -> tuple[Failed[StartRequest], ...]:
        """The requests that were not applied."""
        return tuple(it for it in self.outcomes if isinstance(it, Failed))

    @property
    def unknown(self) -> tuple[Unknown[StartRequest], ...]:
        """The requests of which it is not known whether they were applied."""
        return tuple(it for it in self.outcomes if isinstance(it, Unknown))


@final
@attrs.frozen
class StopReport(FleetReport[StopOutcome]):
    """The outcomes of stops."""

    @property
    def stopped(self) -> tuple[Stopped | AlreadyStopped, ...]:
        """The processors that were stopped, or needed no stopping."""
        return tuple(it for it in self.outcomes if isinstance(it, Stopped | AlreadyStopped))

    @property
    def failed(self) -> tuple[Failed[str], ...]:
        """The names of those that were not stopped."""
        return tuple(it for it in self.outcomes if isinstance(it, Failed))

    @property
    def unknown(self) -> tuple[Unknown[str], ...]:
        """The names of those of which it is not known whether they were stopped."""
        return tuple(it for it in self.outcomes if isinstance(it, Unknown))


def _description(outcome: object) -> str:
    match outcome:
        case Expired(waited=waited, waited_for=waited_for):
            return f"expired after {waited:.3g} s" + (f", waiting for {_THINGS[waited_for]}" if waited_for else "")
        case Unknown(error=error):
            return f"unknown: {_first_line(error)}"
        case Failed(error=error):
            return f"failed: {_first_line(error)}"
        case _:
            return ""


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines and lines[0] else type(error).__name__
