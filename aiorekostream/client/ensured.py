"""The results of ``ensure_running``, ``ensure_stopped`` and ``ensure_created``, which have one shape."""

from typing import final

import attrs

from aiorekostream.client.drift import Drift
from aiorekostream.domain.processors import LabelDetectionProcessor, Processor
from aiorekostream.domain.requests import KEEP, RESET, LabelDetectionUpdate
from aiorekostream.domain.responses import StartedSession
from aiorekostream.domain.status import Status

__all__ = ["Ensured", "EnsuredProcessor", "EnsuredRunning"]


@attrs.frozen(kw_only=True)
class Ensured:
    """A processor that is in the state that was asked for.

    Attributes:
        name: the processor.
        status: its status: RUNNING for a face search that runs, STARTING for a label detection that runs (it is never
            RUNNING), STOPPED or FAILED after ``ensure_stopped``, the actual one after ``ensure_created``.
        changed: whether the call started, stopped or created the processor; false if it was in that state already.
    """

    name: str
    status: Status
    changed: bool


@final
@attrs.frozen(kw_only=True)
class EnsuredRunning(Ensured):
    """A processor that runs.

    Attributes:
        session: the session that was started now; ``None`` if the processor was running already.
    """

    session: StartedSession | None = None


@final
@attrs.frozen(kw_only=True)
class EnsuredProcessor(Ensured):
    """A processor that exists, and how it differs from the desired configuration.

    Attributes:
        processor: the desired configuration.
        stream_processor_arn: the processor's ARN.
        drift: one entry for each field that differs; empty if the call created the processor.
    """

    processor: Processor
    stream_processor_arn: str
    drift: tuple[Drift, ...] = ()

    def update(self) -> LabelDetectionUpdate | None:
        """Return the update that removes the updatable drift; ``None`` if no drift is updatable."""
        fields = {difference.field for difference in self.drift if difference.updatable}
        desired = self.processor
        if not fields or not isinstance(desired, LabelDetectionProcessor):
            return None
        confidence = RESET if desired.min_confidence is None else desired.min_confidence
        opt_in = desired.data_sharing_opt_in if "data_sharing_opt_in" in fields else None
        return LabelDetectionUpdate(
            name=desired.name,
            labels=desired.labels if "labels" in fields else KEEP,
            min_confidence=confidence if "min_confidence" in fields else KEEP,
            regions_of_interest=(desired.regions_of_interest or RESET) if "regions_of_interest" in fields else KEEP,
            data_sharing_opt_in=KEEP if opt_in is None else opt_in,
        )
