"""Unwrap notifications: the message itself, in SNS's envelope, in a message of SQS, or in a record of AWS Lambda.

The shapes are those of
https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html,
https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html and
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias, cast

from aiorekostream.errors import MalformedEventError, ValidationIssue

if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["Steps", "unwrap_notification"]

Steps: TypeAlias = tuple[str | int, ...]

_NOTIFICATION = "Notification"
_TEXTS = (str, bytes, bytearray, memoryview)
_ONE_RECORD = "a list of one record: parse each record of a Lambda event alone"
_NESTED = "a notification: the message itself, SNS's envelope, a message of SQS, or a record of AWS Lambda"


def unwrap_notification(data: object) -> tuple[Mapping[str, object], Steps]:
    """Return the members of the message inside of all envelopes, and the path to it.

    Args:
        data: JSON as bytes or text, or a mapping.

    Raises:
        MalformedEventError: the data is no notification.
    """
    steps: Steps = ()
    while True:
        # A look at the type is faster than one for every mapping, and most data are parsed JSON.
        members = cast("Mapping[str, object]", data if type(data) is dict else _members(data, steps))
        if "eventNamespace" in members:
            return members, steps
        data, inner = _content(members, steps)
        steps += inner


def _members(data: object, steps: Steps) -> Mapping[object, object]:
    if isinstance(data, _TEXTS):
        data = _parsed(cast("str | bytes", data), steps)
    if not isinstance(data, Mapping):
        _reject(steps, data, "a JSON object")
    return cast("Mapping[object, object]", data)


def _parsed(data: str | bytes, steps: Steps) -> object:
    try:
        # As UTF-8: from bytes, json.loads also reads other encodings, which AWS does not use.
        return json.loads(data if isinstance(data, str) else str(data, "utf-8"))
    except (ValueError, RecursionError):
        _reject(steps, data, "JSON")


def _content(members: Mapping[str, object], steps: Steps) -> tuple[object, Steps]:
    """Return what the outermost envelope contains, and the path to it."""
    records = members.get("Records")
    if records is not None:
        items = cast("list[object]", records) if type(records) is list else []
        if len(items) != 1:
            issue = ValidationIssue((*steps, "Records"), members["Records"], _ONE_RECORD)
            raise MalformedEventError([issue])
        return items[0], ("Records", 0)
    if "Sns" in members:
        return members["Sns"], ("Sns",)
    for name in ("body", "Body"):  # of a record of Lambda; of a message that boto3 received
        if name in members:
            return members[name], (name,)
    if "Message" in members:
        kind = members.get("Type")
        if kind is not None and kind != _NOTIFICATION:  # such as SubscriptionConfirmation
            _reject((*steps, "Type"), kind, f"{_NOTIFICATION!r}")
        return members["Message"], ("Message",)
    raise MalformedEventError([ValidationIssue(steps, members, _NESTED)])


def _reject(steps: Steps, value: object, expected: str) -> NoReturn:
    raise MalformedEventError([ValidationIssue(steps, value, expected)])
