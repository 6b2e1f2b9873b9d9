"""What the callers were told against what the service did. Pure."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence

import attrs

__all__ = ["NEIGHBOUR", "Answer", "Done", "Tally", "Told", "tally"]

NEIGHBOUR = "of-another-client"
"""The name that the other client of the account asks for."""

_TOO_FAST = {"ThrottlingException", "ProvisionedThroughputExceededException"}


class Answer(enum.StrEnum):
    """What a caller was told about a camera."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@attrs.frozen
class Told:
    """What a caller was told.

    Attributes:
        name: the camera.
        answer: what became of it.
        session_id: its session, where the caller was told one.
    """

    name: str
    answer: Answer
    session_id: str | None = None


@attrs.frozen
class Done:
    """A request as the service saw it.

    Attributes:
        operation: AWS's name of the operation.
        name: the camera.
        at: when it came, in epoch seconds.
        done: whether it was carried out.
        code: the error code that was answered.
        session_id: the session that it began.
    """

    operation: str
    name: str
    at: float
    done: bool
    code: str | None = None
    session_id: str | None = None

    @classmethod
    def read(cls, call: Mapping[str, object]) -> Done:
        """From a line of the emulator's record."""
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
class Tally:
    """One contender's turn at one case.

    Attributes:
        seconds: how long it took.
        requests: the starts, or the stops, that were sent.
        describes: the requests of any other kind.
        throttled: how many of the requests were refused as too fast.
        cameras_lost: cameras that were not started, or stopped, though it was asked.
        sessions_lost: those that were, while the caller was told that they were not.
        in_doubt: those of which the caller was told that it is not known.
        untrue: outcomes that are not what the service did; the lost sessions are among them.
        taken: calls a second that the other client got through meanwhile.
        pace: when each camera was started, in seconds from the beginning.
    """

    seconds: float
    requests: int
    describes: int = 0
    throttled: int = 0
    cameras_lost: int = 0
    sessions_lost: int = 0
    in_doubt: int = 0
    untrue: int = 0
    taken: float = 0.0
    pace: Sequence[float] = ()


def tally(
    operation: str,
    told: Iterable[Told],
    record: Iterable[Done],
    *,
    began: float,
    seconds: float,
) -> Tally:
    """Hold what was told against the record.

    Args:
        operation: what was asked.
        told: an answer for each camera.
        record: every request.
        began: when the turn began, in epoch seconds.
        seconds: how long it took.
    """
    neighbours: list[Done] = []
    asked: list[Done] = []
    others = 0
    for call in record:
        if call.name == NEIGHBOUR:
            neighbours.append(call)
        elif call.operation == operation:
            asked.append(call)
        else:
            others += 1
    did: dict[str, set[str | None]] = {}
    for call in asked:
        if call.done:
            did.setdefault(call.name, set()).add(call.session_id)
    outcomes = list(told)
    taken = sum(began <= call.at <= began + seconds and call.code not in _TOO_FAST for call in neighbours)
    return Tally(
        seconds=seconds,
        requests=len(asked),
        describes=others,
        throttled=sum(call.code in _TOO_FAST for call in asked),
        cameras_lost=sum(one.name not in did for one in outcomes),
        sessions_lost=sum(one.answer is Answer.REFUSED and one.name in did for one in outcomes),
        in_doubt=sum(one.answer is Answer.UNKNOWN for one in outcomes),
        untrue=sum(not _is_true(one, did.get(one.name)) for one in outcomes),
        taken=taken / seconds if seconds else 0.0,
        pace=[round(call.at - began, 3) for call in asked if call.done],
    )


def _is_true(told: Told, sessions: set[str | None] | None) -> bool:
    match told.answer:
        case Answer.UNKNOWN:
            return True
        case Answer.REFUSED:
            return sessions is None
        case Answer.DONE:
            return sessions is not None and (told.session_id is None or told.session_id in sessions)
