"""Make calls that change something, and reconcile lost responses with DescribeStreamProcessor before they return.

"Not applied" is concluded only when Describe shows it and the service can no longer apply the call, which is an
assumption about time; see ``RetryPolicy.max_apply_delay``. Only then is a call sent again, so that one request never
becomes two sessions. Where the call's time ends before, the outcome is ``UnknownOutcomeError``.
"""

from typing import TypeVar

import attrs

from aiorekostream.domain.processors import Processor
from aiorekostream.domain.requests import DeleteRequest, StartRequest, StopRequest
from aiorekostream.domain.responses import StartedSession
from aiorekostream.errors import CallError
from aiorekostream.operations import Operation
from aiorekostream.pipeline import CallTrace, Pipeline, unknown_error
from aiorekostream.rate_limiting.port import Permit

__all__ = ["call"]

_RequestT = TypeVar("_RequestT", bound=StartRequest | StopRequest | Processor | DeleteRequest)
_ReplyT = TypeVar("_ReplyT")


async def call(
    pipeline: Pipeline,
    operation: Operation[_RequestT, _ReplyT],
    request: _RequestT,
    *,
    permit: Permit | None = None,
    trace: CallTrace | None = None,
) -> _ReplyT:
    """Start, stop, create or delete a processor; a call whose response was lost is reconciled by its effect.

    Args:
        pipeline: makes the calls.
        operation: ``START``, ``STOP``, ``CREATE`` or ``DELETE``.
        request: its value.
        permit: a permit that the caller holds for the first attempt.
        trace: where the call writes how far it has come.
    """
    trace = trace or CallTrace()

    async def recover(error: CallError, end: float) -> _ReplyT:
        try:
            from aiorekostream.client.recovery import Recovery  # noqa: PLC0415 - only a lost response needs it
        except (ImportError, OSError) as failure:  # such as too many open files
            reason = f"the response was lost ({error}), and what determines the outcome cannot be loaded: {failure}"
            raise unknown_error(operation.name, trace, reason, clock=pipeline.clock, policy=pipeline.retry) from error
        return await Recovery(pipeline, operation, request, trace, end=end)(error)

    reply = await pipeline.call(operation, request, permit=permit, trace=trace, recover=recover)
    # The response to a start does not name the processor.
    return attrs.evolve(reply, name=request.name) if isinstance(reply, StartedSession) else reply
