"""Execute the operations that create, describe, list and delete stream processors.

See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_Operations_Amazon_Rekognition.html.
"""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.status import Status
from aiorekostream.emulator.answers import BLANK_DENIAL, Success, in_use, refuse, too_many_processors
from aiorekostream.emulator.definitions import parse_definition, requested_kind
from aiorekostream.emulator.processors import Processor
from aiorekostream.emulator.resources import processor_arn
from aiorekostream.emulator.tokens import name_in_token, token_after

if TYPE_CHECKING:
    from aiorekostream.emulator.contexts import OperationContext
    from aiorekostream.emulator.fields import Fields

__all__ = ["create", "delete", "describe", "list_page"]

_MAX_PAGE_SIZE = 1000


def create(context: OperationContext, request: Fields) -> Success:
    """Execute CreateStreamProcessor."""
    account, name = context.account, request.text("Name")
    if context.max_active(requested_kind(request)) is None:
        raise refuse(BLANK_DENIAL)
    definition = parse_definition(request, context.limits)
    # UNCERTAIN: AWS calls Name "idempotent" and also documents this error. The emulator refuses an equal processor too.
    if name in account.processors:
        raise refuse(in_use("Stream processor name already in use."))
    if len(account.processors) >= context.limits.max_stream_processors:
        raise refuse(too_many_processors(context.limits.max_stream_processors))
    if any(account.stream_owner(stream) is not None for stream in definition.streams):
        raise refuse(in_use())
    arn = processor_arn(account.region, account.account_id, name)
    tags = request.text_map("Tags")
    account.put(
        Processor(name=name, arn=arn, definition=definition, created=context.now, updated=context.now, tags=tags)
    )
    return Success({"StreamProcessorArn": arn})


def describe(context: OperationContext, request: Fields) -> Success:
    """Execute DescribeStreamProcessor, also for a processor that is being deleted."""
    processor = context.account.get(request.text("Name"))
    members: dict[str, object] = {
        "Name": processor.name,
        "StreamProcessorArn": processor.arn,
        "Status": processor.status,
        "CreationTimestamp": round(processor.created, 3),
        "LastUpdateTimestamp": round(processor.updated, 3),
        **processor.definition.to_response(),
    }
    if processor.status_message is not None:
        members["StatusMessage"] = processor.status_message
    return Success(members)


def list_page(context: OperationContext, request: Fields) -> Success:
    """Execute ListStreamProcessors, in alphabetical order.

    UNCERTAIN: how AWS treats MaxResults above 1000. The emulator returns at most 1000 items a page.
    """
    account = context.account
    size = min(request.optional_whole("MaxResults") or _MAX_PAGE_SIZE, _MAX_PAGE_SIZE)
    token = request.optional_text("NextToken")
    start = 0 if token is None else bisect.bisect_right(account.names, name_in_token(account, token))
    names = account.names[start : start + size]
    page: dict[str, object] = {
        "StreamProcessors": [{"Name": name, "Status": account.processors[name].status} for name in names]
    }
    if start + size < len(account.names):
        page["NextToken"] = token_after(account, names[-1])
    return Success(page)


def delete(context: OperationContext, request: Fields) -> Success:
    """Execute DeleteStreamProcessor.

    UNCERTAIN: AWS documents that deleting a busy processor fails, and advises deleting one that is stuck in STARTING.
    """
    processor = context.account.get_undeleted(request.text("Name"))
    is_stuck = processor.status is Status.STARTING and context.now - processor.updated >= context.timings.stuck
    if processor.status not in {Status.STOPPED, Status.FAILED} and not is_stuck:
        raise refuse(in_use("Cannot delete stream processor."))
    context.account.put(attrs.evolve(processor, transitions=(), removed_at=context.now + context.timings.deleting))
    context.account.advance(context.now)
    return Success(None)
