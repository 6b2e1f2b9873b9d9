"""The operations on what exists: create, describe, list and delete.

See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_Operations_Amazon_Rekognition.html.
"""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.status import Status
from aiorekostream.emulator.answers import BLANK_DENIAL, Success, in_use, refuse, too_many_processors
from aiorekostream.emulator.definitions import blueprint, kind_asked_for
from aiorekostream.emulator.processors import Processor
from aiorekostream.emulator.resources import processor_arn
from aiorekostream.emulator.tokens import name_in_token, token_after

if TYPE_CHECKING:
    from aiorekostream.emulator.contexts import OperationContext
    from aiorekostream.emulator.fields import Fields

__all__ = ["create", "delete", "describe", "listing"]

_PAGE = 1000


def create(turn: OperationContext, request: Fields) -> Success:
    """CreateStreamProcessor."""
    account, name = turn.account, request.text("Name")
    if turn.allowed(kind_asked_for(request)) is None:
        raise refuse(BLANK_DENIAL)
    plan = blueprint(request, turn.limits)
    # UNCERTAIN: AWS calls Name "idempotent" and also documents this error; an equal processor is refused as well.
    if name in account.processors:
        raise refuse(in_use("Stream processor name already in use."))
    if len(account.processors) >= turn.limits.max_stream_processors:
        raise refuse(too_many_processors(turn.limits.max_stream_processors))
    if any(account.occupant(stream) is not None for stream in plan.streams):
        raise refuse(in_use())
    arn = processor_arn(account.region, account.account_id, name)
    tags = request.text_map("Tags")
    account.put(Processor(name=name, arn=arn, blueprint=plan, created=turn.now, updated=turn.now, tags=tags))
    return Success({"StreamProcessorArn": arn})


def describe(turn: OperationContext, request: Fields) -> Success:
    """DescribeStreamProcessor; it finds a processor that is being deleted."""
    processor = turn.account.seen(request.text("Name"))
    shown: dict[str, object] = {
        "Name": processor.name,
        "StreamProcessorArn": processor.arn,
        "Status": processor.status,
        "CreationTimestamp": round(processor.created, 3),
        "LastUpdateTimestamp": round(processor.updated, 3),
        **processor.blueprint.shown(),
    }
    if processor.status_message is not None:
        shown["StatusMessage"] = processor.status_message
    return Success(shown)


def listing(turn: OperationContext, request: Fields) -> Success:
    """ListStreamProcessors, in alphabetical order.

    UNCERTAIN: what AWS does with MaxResults above 1000; here a page has no more than that.
    """
    account = turn.account
    size = min(request.optional_whole("MaxResults") or _PAGE, _PAGE)
    token = request.optional_text("NextToken")
    start = 0 if token is None else bisect.bisect_right(account.names, name_in_token(account, token))
    names = account.names[start : start + size]
    page: dict[str, object] = {
        "StreamProcessors": [{"Name": name, "Status": account.processors[name].status} for name in names]
    }
    if start + size < len(account.names):
        page["NextToken"] = token_after(account, names[-1])
    return Success(page)


def delete(turn: OperationContext, request: Fields) -> Success:
    """DeleteStreamProcessor.

    UNCERTAIN: AWS documents that a busy processor is refused and tells users to delete one that is stuck in STARTING.
    """
    processor = turn.account.present(request.text("Name"))
    is_stuck = processor.status is Status.STARTING and turn.now - processor.updated >= turn.timings.stuck
    if processor.status not in {Status.STOPPED, Status.FAILED} and not is_stuck:
        raise refuse(in_use("Cannot delete stream processor."))
    turn.account.put(attrs.evolve(processor, steps=(), gone_at=turn.now + turn.timings.deleting))
    turn.account.advance(turn.now)
    return Success(None)
