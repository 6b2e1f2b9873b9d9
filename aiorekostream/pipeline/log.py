"""Write what happens to a call to the log ``aiorekostream``."""

import logging
from collections.abc import Mapping

import attrs

from aiorekostream.clock import Clock
from aiorekostream.errors import CallError
from aiorekostream.pipeline.trace import CallTrace

__all__ = ["CallLogger", "log_unreported"]

_log = logging.getLogger("aiorekostream")


def log_unreported(operation: str) -> None:
    """Log the exception of a permit, which says nothing about the outcome of the call."""
    _log.exception("the permit of %s could not be reported to the rate limiter", operation)


@attrs.define(eq=False, repr=False)
class CallLogger:
    """Log the attempts of a call at DEBUG, and what became of a lost response at INFO and WARNING.

    Each line names the operation and the processor, which are fields of the record, too.

    Attributes:
        operation: AWS's name of the operation.
        body: the members of the request.
        trace: the progress of the call.
        clock: measures the time.
        ready_at: when the call began, or its latest attempt ended, on the clock.
    """

    operation: str
    body: Mapping[str, object]
    trace: CallTrace
    clock: Clock
    ready_at: float

    def attempted(self, result: object) -> None:
        """Log an attempt that has ended."""
        sent_at, now = self.trace.sent_at, self.clock.now()
        is_sent = sent_at is not None and sent_at >= self.ready_at
        if sent_at is None or not is_sent:
            sent_at = now
        waited, took = sent_at - self.ready_at, now - sent_at
        message = "attempt %d, %s after %.3f s, ended after %.3f s: %s"
        sent = "sent" if is_sent else "not sent"
        self._write(logging.DEBUG, message, self.trace.attempts, sent, waited, took, result, waited=waited, took=took)
        self.ready_at = now

    def lost(self, error: CallError) -> None:
        """Log that the response was lost."""
        self._write(logging.INFO, "the response was lost: %s", error)

    def applied(self) -> None:
        """Log that the lost call was applied."""
        self._write(logging.INFO, "the lost call was applied, as DescribeStreamProcessor shows")

    def not_recovered(self, error: CallError) -> None:
        """Log that the lost call was not applied, or that its outcome is unknown."""
        if error.retry_safe:
            self._write(logging.INFO, "the lost call was not applied: %s", error)
        else:
            self._write(logging.WARNING, "the outcome of the lost call is unknown: %s", error)

    def _write(self, level: int, message: str, *arguments: object, **fields: float) -> None:
        processor = self.body.get("Name")
        of = "" if processor is None else f" of {processor}"
        extra = {"operation": self.operation, "processor": processor, "attempt": self.trace.attempts, **fields}
        _log.log(level, f"%s%s: {message}", self.operation, of, *arguments, extra=extra)
