"""Execute the operations on the tags of stream processors.

See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_TagResource.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator.answers import Success, not_found, refuse, too_many_tags
from aiorekostream.emulator.resources import processor_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.emulator.contexts import OperationContext
    from aiorekostream.emulator.fields import Fields
    from aiorekostream.emulator.processors import Processor

__all__ = ["list_tags", "tag", "untag"]


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
