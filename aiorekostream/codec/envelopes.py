"""Unwrap the results of sessions: the result itself, or what services of AWS put around it on its way.

The envelopes of notifications are those of
https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html,
https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html and
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html. Those of face search records are those of
https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html,
https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html and
https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Record.html.
"""

from __future__ import annotations

import base64
import importlib
import json
from collections.abc import Callable, Mapping
from typing import TypeAlias, cast

from aiorekostream.errors import MalformedEventError, ValidationIssue

__all__ = ["Steps", "json_loader", "load_json", "unwrap_face_record", "unwrap_notification"]

Steps: TypeAlias = tuple[str | int, ...]

_Members: TypeAlias = Mapping[str, object]
_Opened: TypeAlias = tuple[object, Steps]
"""What an envelope contains, and the path to it."""

_NOTIFICATION = "Notification"
_TEXTS = (str, bytes, bytearray, memoryview)
_NOTIFICATIONS = "a notification: the message itself, SNS's envelope, a message of SQS, or a record of AWS Lambda"
_RECORDS = "a face search record, or a record of Kinesis, of AWS Lambda or of Firehose with one"
_ONE_RECORD = "a list of one record: parse each record of an event alone"


def load_json(data: str | bytes) -> object:
    """Parse JSON with the standard library; bytes are UTF-8 (``json.loads`` also reads other encodings)."""
    return json.loads(data if isinstance(data, str) else str(data, "utf-8"))


def json_loader(module: str = "orjson") -> Callable[[str | bytes], object]:
    """Return the function of a module that parses JSON, or ``load_json`` if the module is not installed."""
    try:
        return cast("Callable[[str | bytes], object]", importlib.import_module(module).loads)
    except ImportError:
        return load_json


_load = json_loader()


def unwrap_notification(data: object) -> tuple[_Members, Steps]:
    """Return the members of the notification inside of all envelopes, and the path to it.

    Args:
        data: JSON as bytes or text, or a mapping.

    Raises:
        MalformedEventError: the data is no notification.
    """
    return _unwrap(data, "eventNamespace", _open_notification)


def unwrap_face_record(data: object) -> tuple[_Members, Steps]:
    """Return the members of the face search record inside of all envelopes, and the path to it.

    Args:
        data: JSON as bytes or text, or a mapping.

    Raises:
        MalformedEventError: the data is no face search record.
    """
    return _unwrap(data, "InputInformation", _open_record)


def _unwrap(data: object, member: str, opened: Callable[[_Members, Steps], _Opened]) -> tuple[_Members, Steps]:
    """Open envelopes until the data has a member that only the result itself has."""
    steps: Steps = ()
    while True:
        # A look at the type is faster than one for every mapping, and most data are parsed JSON.
        members = cast("_Members", data if type(data) is dict else _members(data, steps))
        if member in members:
            return members, steps
        data, inner = opened(members, steps)
        steps += inner


def _members(data: object, steps: Steps) -> Mapping[object, object]:
    if isinstance(data, _TEXTS):
        data = _parsed(cast("str | bytes", data), steps)
    if not isinstance(data, Mapping):
        raise _malformed(steps, data, "a JSON object")
    return cast("Mapping[object, object]", data)


def _parsed(data: str | bytes, steps: Steps) -> object:
    try:
        return _load(data)
    except (ValueError, RecursionError):
        pass  # what orjson refuses, such as the escape of a lone surrogate, the standard library may accept
    try:
        return load_json(data)
    except (ValueError, RecursionError) as error:
        raise _malformed(steps, data, "JSON") from error


def _open_notification(members: _Members, steps: Steps) -> _Opened:
    if members.get("Records") is not None:
        return _only_item(members, "Records", steps)
    if "Sns" in members:
        return members["Sns"], ("Sns",)
    for name in ("body", "Body"):  # of a record of Lambda; of a message that boto3 received
        if name in members:
            return members[name], (name,)
    if "Message" in members:
        kind = members.get("Type")
        if kind is not None and kind != _NOTIFICATION:  # such as SubscriptionConfirmation
            raise _malformed((*steps, "Type"), kind, f"{_NOTIFICATION!r}")
        return members["Message"], ("Message",)
    raise _malformed(steps, members, _NOTIFICATIONS)


def _open_record(members: _Members, steps: Steps) -> _Opened:
    for name in ("Records", "records"):  # of an event of Kinesis; of Firehose
        if members.get(name) is not None:
            return _only_item(members, name, steps)
    if "kinesis" in members:
        return members["kinesis"], ("kinesis",)
    for name in ("data", "Data"):  # of a record of Lambda; of GetRecords
        if name in members:
            return _decoded(members[name], (*steps, name)), (name,)
    raise _malformed(steps, members, _RECORDS)


def _only_item(members: _Members, name: str, steps: Steps) -> _Opened:
    items = cast("list[object]", members[name]) if type(members[name]) is list else []
    if len(items) != 1:
        raise _malformed((*steps, name), members[name], _ONE_RECORD)
    return items[0], (name, 0)


def _decoded(data: object, steps: Steps) -> object:
    """Decode the data of a record: text in base64 everywhere but in boto3, which returns decoded bytes."""
    if not isinstance(data, str):
        return data
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as error:
        raise _malformed(steps, data, "base64") from error


def _malformed(steps: Steps, value: object, expected: str) -> MalformedEventError:
    return MalformedEventError([ValidationIssue(steps, value, expected)])
