"""Compare the outcomes that a client reported with the calls that the service recorded. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence

import attrs

__all__ = ["OTHER_CLIENT", "THROTTLED", "Measurement", "Reported", "ReportedOutcome", "ServiceCall", "measure"]

OTHER_CLIENT = "of-another-client"
"""The processor that the other client of the account asks for."""

THROTTLED = frozenset({"ThrottlingException", "ProvisionedThroughputExceededException"})
"""The error codes of throttles."""


class Reported(enum.StrEnum):
    """The outcome of a request as its caller sees it."""

    DONE = "done"
    REFUSED = "refused"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@attrs.frozen
class ReportedOutcome:
    """The outcome that a client reported for one camera.

    Attributes:
        name: the camera.
        outcome: the outcome.
        session_id: its session, where the client reported it.
    """

    name: str
    outcome: Reported
    session_id: str | None = None


@attrs.frozen
class ServiceCall:
    """One request as the service recorded it.

    Attributes:
        operation: AWS's name of the operation.
        name: the camera.
        at: the time of arrival, in epoch seconds.
        done: whether it was applied.
        code: the error code of the answer.
        session_id: the session that it started.
    """

    operation: str
    name: str
    at: float
    done: bool
    code: str | None = None
    session_id: str | None = None

    @classmethod
    def from_record(cls, call: Mapping[str, object]) -> ServiceCall:
        """Convert a call of the emulator's call log."""
        code, session = call["code"], call["session_id"]
        return cls(
            operation=str(call["operation"]),
            name=str(call["name"]),
            at=float(str(call["at"])),
            done=bool(call["done"]),
            code=None if code is None else str(code),
            session_id=None if session is None else str(session),
        )


@attrs.frozen(kw_only=True)
class Measurement:
    """The figures of one client in one case.

    Attributes:
        seconds: the time until the last outcome.
        requests: the number of starts, or of stops, that were sent.
        other_requests: the number of requests of other operations.
        throttled: the number of requests that were throttled.
        not_done: cameras that were not started, or stopped, although the caller asked.
        sessions_lost: cameras that were started, or stopped, while the client reported a refusal or an expiry.
        expired: requests that expired in the fleet's queue.
        unknown: outcomes that the client reported as unknown.
        untrue: outcomes that contradict the record, and cameras that were started twice.
        taken: calls a second of the other client that were not throttled.
        pace: when each camera was started, in seconds from the beginning.
    """

    seconds: float
    requests: int
    other_requests: int = 0
    throttled: int = 0
    not_done: int = 0
    sessions_lost: int = 0
    expired: int = 0
    unknown: int = 0
    untrue: int = 0
    taken: float = 0.0
    pace: Sequence[float] = ()


def measure(
    operation: str,
    reported: Iterable[ReportedOutcome],
    record: Iterable[ServiceCall],
    *,
    began: float,
    seconds: float,
) -> Measurement:
    """Compare what a client reported with the record.

    Args:
        operation: the operation that was asked for.
        reported: an outcome for each camera. Calls for cameras without one, such as those of a warm-up, do not count.
        record: every request.
        began: when the measured part began, in epoch seconds.
        seconds: how long it took.
    """
    outcomes = {outcome.name: outcome for outcome in reported}
    others: list[ServiceCall] = []
    asked: list[ServiceCall] = []
    other_requests = 0
    for call in record:
        if call.name == OTHER_CLIENT:
            others.append(call)
        elif call.name in outcomes and call.operation == operation:
            asked.append(call)
        elif call.name in outcomes:
            other_requests += 1
    applied: dict[str, list[str | None]] = {}
    for call in asked:
        if call.done:
            applied.setdefault(call.name, []).append(call.session_id)
    taken = sum(began <= call.at <= began + seconds and call.code not in THROTTLED for call in others)
    return Measurement(
        seconds=seconds,
        requests=len(asked),
        other_requests=other_requests,
        throttled=sum(call.code in THROTTLED for call in asked),
        not_done=len(outcomes.keys() - applied.keys()),
        sessions_lost=sum(
            outcome.outcome in {Reported.REFUSED, Reported.EXPIRED} and name in applied
            for name, outcome in outcomes.items()
        ),
        expired=sum(outcome.outcome is Reported.EXPIRED for outcome in outcomes.values()),
        unknown=sum(outcome.outcome is Reported.UNKNOWN for outcome in outcomes.values()),
        untrue=sum(not _is_true(outcome, applied.get(name, ())) for name, outcome in outcomes.items()),
        taken=taken / seconds if seconds else 0.0,
        pace=[round(call.at - began, 3) for call in asked if call.done],
    )


def _is_true(reported: ReportedOutcome, sessions: Sequence[str | None]) -> bool:
    if len({session for session in sessions if session is not None}) > 1:
        return False  # one request never becomes two sessions
    match reported.outcome:
        case Reported.UNKNOWN:
            return True
        case Reported.REFUSED | Reported.EXPIRED:
            return not sessions
        case Reported.DONE:
            return bool(sessions) and (reported.session_id is None or reported.session_id in sessions)
