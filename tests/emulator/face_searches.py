"""Provide a world with face searches and the data streams to which they write."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import attrs

from aiorekostream.domain.enums import Label
from aiorekostream.emulator import Appearance, DependencyFaults, Footage, KnownFace, Timings, VisibleFace
from aiorekostream.emulator.fault_script import FaultScript
from aiorekostream.emulator.outbox import LocalDestination, Outbox
from aiorekostream.emulator.world import World
from aiorekostream.emulator.world.objects import Buckets
from aiorekostream.emulator.world.queues import Queues
from aiorekostream.emulator.world.streams import Streams
from aiorekostream.limits import Limits
from tests.emulator.samples import HERE, WorldHarness, faces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiorekostream.domain.geometry import BoundingBox
    from aiorekostream.emulator.world.shard import StoredRecord

BEGIN = 1_700_000_000.0
RESIDENT = KnownFace("0a1b2c3d-1111-4222-8333-444455556666", external_image_id="resident-01", similarity=98.25)
GUEST = KnownFace("0a1b2c3d-1111-4222-8333-777788889999", index_faces_model_version="6.0", similarity=99.5)
QUICK = Timings(starting=0, detecting=0.5)


@attrs.define
class Lobby(WorldHarness):
    """A world with data streams."""

    streams: Streams = attrs.field(factory=Streams)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        super().wait(seconds)
        self.world.advance(self.now)

    def stored(self, stream: str = "lobby") -> list[StoredRecord]:
        """Return the records of a stream."""
        found = self.streams.get(HERE, stream)
        assert found is not None
        found.advance(self.now)
        (shard,) = found.shards.values()
        return [record for record, _ in shard.read(shard.first_sequence_number, 10**6).records]

    def records(self, stream: str = "lobby") -> list[dict[str, Any]]:
        return [json.loads(record.data) for record in self.stored(stream)]

    def course(self, stream: str = "lobby") -> list[float]:
        """The arrival of each record after the begin."""
        return [round(record.arrived_at - BEGIN, 6) for record in self.stored(stream)]


def lobby(
    *appearances: Appearance,
    analyst: Any = None,  # noqa: ANN401 - an Analyst
    timings: Timings = QUICK,
    dependency_faults: DependencyFaults | None = None,
    processors: Sequence[str] = ("lobby",),
    **changes: object,
) -> Lobby:
    """Return a world with face searches that write to streams of their names."""
    numbers, streams = itertools.count(1), Streams()
    destination = LocalDestination(queues=Queues(), buckets=Buckets(), streams=streams, now=lambda: BEGIN, is_raw=False)
    world = World(
        new_id=lambda: f"session-{next(numbers)}",
        limits=Limits(concurrent_face_search={"us-east-1": 1000}),
        timings=timings,
        dependency_faults=dependency_faults or DependencyFaults(),
        analyst=analyst or Footage(appearances),
        sink=Outbox(destination=destination, fault_script=FaultScript(lambda: 0.0)),
    )
    found = Lobby(world, now=BEGIN, streams=streams)
    for name in processors:
        found.done("CreateStreamProcessor", **faces(name, **changes))
    return found


def person(*known: KnownFace, box: BoundingBox | None = None) -> Appearance:
    return Appearance(Label.PERSON, face=VisibleFace(known, bounding_box=box))
