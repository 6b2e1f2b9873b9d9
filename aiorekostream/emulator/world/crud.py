"""Execute the operations that create, describe, list, delete and tag stream processors.

See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_Operations_Amazon_Rekognition.html.
"""

from __future__ import annotations

import base64
import binascii
import bisect
import hashlib
from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.status import Status
from aiorekostream.emulator.world.answers import (
    BAD_TOKEN,
    BLANK_DENIAL,
    Success,
    in_use,
    not_found,
    refuse,
    too_many_processors,
    too_many_tags,
)
from aiorekostream.emulator.world.definitions import parse_definition, requested_kind
from aiorekostream.emulator.world.identity import processor_arn, processor_name
from aiorekostream.emulator.world.processors import Processor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.emulator.world.accounts import Account
    from aiorekostream.emulator.world.contexts import OperationContext
    from aiorekostream.emulator.world.fields import Fields

__all__ = ["create", "delete", "describe", "list_page", "list_tags", "name_in_token", "tag", "token_after", "untag"]


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
    target = definition.label_target
    if target is not None:
        account.label_sessions.sink.open(account.label_sessions.owner, target.topic_arn, target.bucket, context.now)
    if definition.data is not None:
        account.face_sessions.sink.open_stream(account.face_sessions.owner, definition.data, context.now)
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


def tag(context: OperationContext, request: Fields) -> Success:
    """Execute TagResource."""
    processor = _resource(context, request)
    tags = {**processor.tags, **request.text_map("Tags")}
    if len(tags) > context.limits.max_tags:
        raise refuse(too_many_tags(context.limits.max_tags))
    return _with_tags(context, processor, tags)


def untag(context: OperationContext, request: Fields) -> Success:
    """Execute UntagResource. Ignores keys that the resource does not have."""
    processor = _resource(context, request)
    keys = set(request.texts("TagKeys"))
    return _with_tags(context, processor, {key: value for key, value in processor.tags.items() if key not in keys})


def list_tags(context: OperationContext, request: Fields) -> Success:
    """Execute ListTagsForResource."""
    return Success({"Tags": _resource(context, request).tags})


def _with_tags(context: OperationContext, processor: Processor, tags: Mapping[str, str]) -> Success:
    context.account.put(attrs.evolve(processor, tags=tags))
    return Success({})


def _resource(context: OperationContext, request: Fields) -> Processor:
    arn = request.text("ResourceArn")
    name = processor_name(arn)
    if name is None:
        raise request.wrong("ResourceArn", "the ARN of a stream processor")
    processor = context.account.processors.get(name)
    if processor is None or processor.arn != arn or processor.removed_at is not None:
        raise refuse(not_found(f"Resource {arn}"))
    return processor


# Bytes of the digest that detects modified tokens; a multiple of 3 needs no padding in Base64.
_DIGEST_BYTES = 9


def token_after(account: Account, name: str) -> str:
    """Encode the token of the page that begins after a processor's name."""
    return base64.b64encode(_digest(account, name.encode()) + name.encode()).decode()


def name_in_token(account: Account, token: str) -> str:
    """Decode the name after which the page of a token begins.

    Raises:
        RefusedError: the token is malformed, modified, or of another account or Region.
    """
    try:
        decoded = base64.b64decode(token, validate=True)
        name = decoded[_DIGEST_BYTES:].decode()
    except (binascii.Error, ValueError):
        raise refuse(BAD_TOKEN) from None
    if decoded[:_DIGEST_BYTES] != _digest(account, name.encode()) or not name:
        raise refuse(BAD_TOKEN)
    return name


def _digest(account: Account, name: bytes) -> bytes:
    return hashlib.sha256(f"{account.account_id} {account.region} ".encode() + name).digest()[:_DIGEST_BYTES]
