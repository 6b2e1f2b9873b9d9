"""Text that the model has a pattern for.

Patterns are held against the whole text. Where the model's own pattern is wrong or cannot be had in Python, it is
written by hand: the model's roles and topics are those of the ``aws`` partition only, and tags need Unicode classes.
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
    """A function that says whether text is right for a shape of the model with this pattern."""
    return _BY_HAND.get(shape) or _compiled(pattern)
