"""The operations on tags. Only stream processors have them here.

See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_TagResource.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator.answers import Success, not_found, refuse, too_many_tags
from aiorekostream.emulator.resources import processor_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.emulator.contexts import OperationContext
    from aiorekostream.emulator.fields import Fields
    from aiorekostream.emulator.processors import Processor

__all__ = ["list_tags", "tag", "untag"]


def tag(turn: OperationContext, request: Fields) -> Success:
    """TagResource."""
    processor = _resource(turn, request)
    tags = {**processor.tags, **request.text_map("Tags")}
    if len(tags) > turn.limits.max_tags:
        raise refuse(too_many_tags(turn.limits.max_tags))
    return _with_tags(turn, processor, tags)


def untag(turn: OperationContext, request: Fields) -> Success:
    """UntagResource; a key that is not there is passed over."""
    processor = _resource(turn, request)
    keys = set(request.texts("TagKeys"))
    return _with_tags(turn, processor, {key: value for key, value in processor.tags.items() if key not in keys})


def list_tags(turn: OperationContext, request: Fields) -> Success:
    """ListTagsForResource."""
    return Success({"Tags": _resource(turn, request).tags})


def _with_tags(turn: OperationContext, processor: Processor, tags: Mapping[str, str]) -> Success:
    turn.account.put(attrs.evolve(processor, tags=tags))
    return Success({})


def _resource(turn: OperationContext, request: Fields) -> Processor:
    arn = request.text("ResourceArn")
    name = processor_named(arn)
    if name is None:
        raise request.wrong("ResourceArn", "the ARN of a stream processor")
    processor = turn.account.processors.get(name)
    if processor is None or processor.arn != arn or processor.gone_at is not None:
        raise refuse(not_found(f"Resource {arn}"))
    return processor
