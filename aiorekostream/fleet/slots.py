"""Which sessions are under way, and whether one more may begin: never more of a kind than the account may have. Pure.

A label detection ends by itself, at the latest a little after its longest duration; a face search ends only when it is
stopped or fails. A slot is given back when its session was seen to have ended, or cannot last any longer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.replies import StartedSession
from aiorekostream.fleet.agenda import Agenda

__all__ = ["MARGIN", "Hold", "Slots"]

MARGIN = 20.0
"""Seconds that a session may last beyond its longest duration: AWS looks at the time only at the end of a fragment, and
those are up to 20 seconds long. See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html.
"""

# As many processors may exist at all: https://docs.aws.amazon.com/general/latest/gr/rekognition.html.
_ENOUGH = 10_000


@attrs.frozen(eq=False)
class Hold:
    """A session that is under way, or about to begin.

    Attributes:
        kind: what it counts against; ``None`` for a session of which no more is known than that it was told to stop.
        since: when it began; infinity while its start is on the way.
        expected: when it should end by itself; infinity if it does not.
        session: the session, where the fleet started it.
        latest: when it cannot last any longer; infinity if it may last for ever.
        before: what the processor had when its start was about to begin, which it has still if nothing comes of that.
    """

    kind: ProcessorKind | None
    since: float = math.inf
    expected: float = math.inf
    session: StartedSession | None = None
    latest: float = math.inf
    before: Hold | None = None


@attrs.define
class _Ceiling:
    """A lower limit than the account's, since the service refused a start: others have sessions that are not known.

    It rises by one, then by two, by four and so on: theirs end, too.
    """

    height: int
    rises_at: float
    by: int = 1


def _by_kind() -> dict[ProcessorKind | None, dict[str, Hold]]:
    return {kind: {} for kind in (*ProcessorKind, None)}


@attrs.define
class Slots:
    """The sessions of one account in one Region, by the names of their processors: each has one at the most.

    Attributes:
        limits: the most sessions at once, by kind; a kind that is not named has no limit.
        pause: seconds until a start is tried again which the service refused for its own limit, if no session ends.
    """

    limits: Mapping[ProcessorKind, int] = attrs.field(factory=dict[ProcessorKind, int])
    pause: float = 5.0
    _holds: dict[ProcessorKind | None, dict[str, Hold]] = attrs.field(factory=_by_kind, init=False)
    _ends: Agenda[str] = attrs.field(factory=Agenda[str], init=False)
    _ceilings: dict[ProcessorKind, _Ceiling] = attrs.field(factory=dict, init=False)

    def __len__(self) -> int:
        return sum(map(len, self._holds.values()))

    def __contains__(self, name: str) -> bool:
        return any(name in holds for holds in self._holds.values())

    def count(self, kind: ProcessorKind) -> int:
        """How many slots of a kind are taken."""
        return len(self._holds[kind])

    def room(self, kind: ProcessorKind) -> bool:
        """Whether one more session of this kind may begin."""
        ceiling = self._ceilings.get(kind)
        most = min(self.limits.get(kind, math.inf), ceiling.height if ceiling else math.inf)
        return len(self._holds[kind]) < most

    def held(self, name: str) -> Hold | None:
        """The session of a processor, if it is known to have one."""
        for holds in self._holds.values():
            if name in holds:
                return holds[name]
        return None

    def reserve(self, name: str, kind: ProcessorKind) -> None:
        """Take a slot for a processor that is about to be started; it keeps one that it has."""
        self._put(name, Hold(kind, before=self.held(name)))

    def unreserve(self, name: str) -> None:
        """A start was not carried out: its processor has what it had before."""
        hold = self.held(name)
        if hold is not None and hold.before is not None:
            self._put(name, hold.before)
        else:
            self.release(name)

    def begun(
        self,
        name: str,
        kind: ProcessorKind,
        *,
        now: float,
        expected: float,
        latest: float,
        session: StartedSession | None = None,
    ) -> None:
        """A processor has a session, or may have one.

        Args:
            name: the processor.
            kind: what the session counts against.
            now: the time.
            expected: when it should end by itself.
            latest: when it cannot last any longer; infinity if it may last for ever.
            session: the session, if it is the fleet's own.
        """
        self._put(name, Hold(kind, now, expected, session, latest))

    def ending(self, name: str, now: float) -> None:
        """A processor was told to stop. UNCERTAIN whether one that is STOPPING counts: its slot is kept until it ended.

        It has ended when that is seen, or after the margin.
        """
        hold = self.held(name) or Hold(None, since=now)
        if hold.since <= now:
            latest = min(hold.latest, now + MARGIN)
            self._put(name, attrs.evolve(hold, expected=now, session=None, latest=latest))

    def release(self, name: str) -> None:
        """A processor has no session."""
        for holds in self._holds.values():
            holds.pop(name, None)
        self._ends.strike(name)

    def refused(self, kind: ProcessorKind, now: float) -> None:
        """The service has no slot of this kind: what is held now is all there is until one ends, or time passes."""
        self._ceilings[kind] = _Ceiling(self.count(kind), now + self.pause)

    def lapse(self, now: float) -> list[str]:
        """Give back the slots of sessions that cannot last any longer, and name their processors."""
        over = self._ends.due(now)
        for name in over:
            self.release(name)
        for kind, ceiling in list(self._ceilings.items()):
            if ceiling.rises_at <= now:
                ceiling.height += ceiling.by
                ceiling.by *= 2
                ceiling.rises_at = now + self.pause
                if ceiling.height >= min(self.limits.get(kind, _ENOUGH), _ENOUGH):
                    del self._ceilings[kind]
        return over

    @property
    def next_change(self) -> float:
        """When ``lapse`` will next have something to do; infinity if never."""
        return min([self._ends.next, *(ceiling.rises_at for ceiling in self._ceilings.values())])

    def begun_before(self, moment: float) -> dict[str, Hold]:
        """The sessions that began before a moment, by the names of their processors."""
        return {name: hold for holds in self._holds.values() for name, hold in holds.items() if hold.since < moment}

    def _put(self, name: str, hold: Hold) -> None:
        self.release(name)
        self._holds[hold.kind][name] = hold
        self._ends.put(name, hold.latest)
