"""One account in one Region: its processors, what they occupy, and what will happen next."""

from __future__ import annotations

import bisect
import heapq
from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.emulator.answers import not_found, refuse
from aiorekostream.emulator.processors import Processor
from aiorekostream.emulator.resources import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


__all__ = ["Account"]


def _nobody() -> dict[ProcessorKind, set[str]]:
    return {kind: set() for kind in ProcessorKind}


@attrs.define
class Account:
    """The processors of one account in one Region. Time moves only forward, and only by ``advance``.

    Attributes:
        account_id: twelve digits.
        region: the Region.
        now: the time up to which everything that was due has happened, in epoch seconds.
    """

    account_id: str
    region: str
    now: float = 0.0
    _processors: dict[str, Processor] = attrs.field(factory=dict)
    _names: list[str] = attrs.field(factory=list)
    _occupied: dict[Stream, str] = attrs.field(factory=dict)
    _active: dict[ProcessorKind, set[str]] = attrs.field(factory=_nobody)
    _agenda: list[tuple[float, str]] = attrs.field(factory=list)

    @property
    def processors(self) -> Mapping[str, Processor]:
        """All processors by name, those that are being deleted included."""
        return self._processors

    @property
    def names(self) -> Sequence[str]:
        """The names of all processors in alphabetical order."""
        return self._names

    def active(self, kind: ProcessorKind) -> int:
        """How many processors of a kind are at work."""
        return len(self._active[kind])

    def occupant(self, stream: Stream) -> str | None:
        """The name of the processor that has this stream."""
        return self._occupied.get(stream)

    def seen(self, name: str) -> Processor:
        """A processor that can be read: one that is being deleted can be, for a while."""
        processor = self._processors.get(name)
        if processor is None:
            raise refuse(not_found(f"Stream processor {name}"))
        return processor

    def present(self, name: str) -> Processor:
        """A processor that can be worked with: it is there and is not being deleted."""
        processor = self.seen(name)
        if processor.gone_at is not None:
            raise refuse(not_found(f"Stream processor {name}"))
        return processor

    def put(self, processor: Processor) -> None:
        """Add a processor, or replace it by what has become of it."""
        name = processor.name
        if name not in self._processors:
            bisect.insort(self._names, name)
            for stream in processor.blueprint.streams:
                self._occupied[stream] = name
        self._processors[name] = processor
        active = self._active[processor.kind]
        if processor.is_active:
            active.add(name)
        else:
            active.discard(name)
        moment = processor.next_moment
        if moment is not None:
            heapq.heappush(self._agenda, (moment, name))

    def advance(self, now: float) -> None:
        """Let everything happen that is due by now, in the order of time."""
        while self._agenda and self._agenda[0][0] <= now:
            moment, name = heapq.heappop(self._agenda)
            processor = self._processors.get(name)
            if processor is None:
                continue
            if processor.gone_at is not None and processor.gone_at <= moment:
                self._remove(processor)
            elif (settled := processor.settled(moment)) is not processor:
                self.put(settled)
        self.now = max(self.now, now)

    def next_moment(self) -> float | None:
        """When the next thing happens by itself, in epoch seconds."""
        while self._agenda:
            moment, name = self._agenda[0]
            processor = self._processors.get(name)
            if processor is not None and processor.next_moment == moment:
                return moment
            heapq.heappop(self._agenda)
        return None

    def _remove(self, processor: Processor) -> None:
        del self._processors[processor.name]
        del self._names[bisect.bisect_left(self._names, processor.name)]
        self._active[processor.kind].discard(processor.name)
        for stream in processor.blueprint.streams:
            del self._occupied[stream]
