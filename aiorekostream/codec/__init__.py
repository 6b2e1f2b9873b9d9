"""Convert values to AWS's JSON and back; the only package that knows AWS's spelling and that imports cattrs.

What parses the caller's own input is loaded when it is first used: a client needs none of it to make a call.
"""

import importlib
from typing import TYPE_CHECKING

from aiorekostream.codec.calls import decode, encode, processor_in, to_boto3

if TYPE_CHECKING:
    from aiorekostream.codec.face_records import parse_face_record
    from aiorekostream.codec.notifications import parse_notification
    from aiorekostream.codec.parse import parse_processor, parse_start

__all__ = [
    "decode",
    "encode",
    "parse_face_record",
    "parse_notification",
    "parse_processor",
    "parse_start",
    "processor_in",
    "to_boto3",
]

_HOMES = {
    "parse_face_record": "face_records",
    "parse_notification": "notifications",
    "parse_processor": "parse",
    "parse_start": "parse",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
