"""Match strings with the patterns of the model.

A pattern must match the whole string. Some patterns are replaced: those of roles and topics allow only the ``aws``
partition in the model, and those of tags use Unicode classes, which ``re`` does not support.
"""

from __future__ import annotations

import re
import unicodedata
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["matcher"]

_TAG_SIGNS = frozenset("_.:/=+-@")


def _compiled(pattern: str) -> Callable[[str], bool]:
    whole = re.compile(pattern, re.ASCII)
    return lambda text: whole.fullmatch(text) is not None


def _is_tag_text(text: str) -> bool:
    return all(sign in _TAG_SIGNS or unicodedata.category(sign)[0] in "LZN" for sign in text)


def _is_tag_key(text: str) -> bool:
    return _is_tag_text(text) and not text.startswith("aws:")


_BY_HAND: Mapping[str, Callable[[str], bool]] = MappingProxyType(
    {
        "RoleArn": _compiled(r"arn:aws(-[a-z]+)*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+"),
        "SNSTopicArn": _compiled(r"arn:aws(-[a-z]+)*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_.\-]+"),
        "TagKey": _is_tag_key,
        "TagValue": _is_tag_text,
    }
)


def matcher(shape: str, pattern: str) -> Callable[[str], bool]:
    """Return a predicate that matches strings of a shape of the model."""
    return _BY_HAND.get(shape) or _compiled(pattern)
