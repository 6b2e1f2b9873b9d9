"""Send stops in order, deduplicated by name, at the rate of their quota; a stop's time begins with its permit."""

from aiorekostream.client import reconcile
from aiorekostream.domain.requests import StopRequest
from aiorekostream.domain.status import NOT_STOPPABLE, WITHOUT_SESSION
from aiorekostream.errors import InvalidRequestError, ResourceInUseError, ValidationIssue
from aiorekostream.fleet.executor import Executor
from aiorekostream.fleet.options import FleetOptions
from aiorekostream.fleet.outcomes import AlreadyStopped, Failed, Outcome, Stopped
from aiorekostream.fleet.queue import QueuedRequest, RequestQueue
from aiorekostream.fleet.sessions import SessionEnd
from aiorekostream.fleet.slots import SessionSlots
from aiorekostream.fleet.starting import Starter
from aiorekostream.operations import STOP
from aiorekostream.rate_limiting.port import Permit

__all__ = ["QueuedStop", "Stopper", "queued_stop"]

QueuedStop = QueuedRequest[str]


class Stopper(Executor[str]):
    """Carry out stops for all runs of a fleet; callers that ask for the same stop at once share it."""

    def __init__(self, options: FleetOptions, starter: Starter) -> None:
        super().__init__(options, STOP.name, RequestQueue[str](SessionSlots(), when_busy="share"), starter.slots)
        self._starter = starter

    def on_open(self) -> None:
        """See ``Scheduler``."""
        self._starter.on_open()  # a stop shortens the slot of a session, whichever host started it

    async def _call(self, request: QueuedStop, permit: Permit | None) -> Outcome:
        pipeline, starter, name = self._pipeline, self._starter, request.name
        slot, end = self.slots.get(name), pipeline.clock.now() + pipeline.total_timeout
        try:
            stop = StopRequest(name)
            await reconcile.call(pipeline, STOP, stop, permit=permit, trace=request.trace)
        except ResourceInUseError as error:
            # UNCERTAIN: in which statuses AWS refuses a stop; only some of them mean that there is nothing to stop.
            found = await self._describe(name, within=max(0.0, end - pipeline.clock.now()))
            if found is None or found.status not in NOT_STOPPABLE:
                return Failed(name, error)
            if found.status in WITHOUT_SESSION:
                starter.session_ended(SessionEnd(name, found.status, status_message=found.status_message), slot)
            else:
                starter.mark_stopping(name, slot)
            return AlreadyStopped(name)
        starter.mark_stopping(name, slot)
        return Stopped(name)


def queued_stop(name: str) -> QueuedStop | Failed[str]:
    """Return the queued request of a stop; ``Failed`` if the name is not a string."""
    if not isinstance(name, str):
        issue = ValidationIssue(("name",), name, "the name of a stream processor")
        return Failed(name, InvalidRequestError([issue]))
    return QueuedRequest(name, name=name)
