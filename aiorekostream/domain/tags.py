"""Tags: an immutable mapping of text to text, and the rules for its keys and values."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from aiorekostream.domain.rules import as_mapping, as_step, as_tuple, each, reject
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.frozen import FrozenMapping
from aiorekostream.limits import limits_in_force

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Tags", "tag_keys", "tags"]

_LONGEST_KEY = 128
_LONGEST_VALUE = 256
_SIGNS = frozenset("_.:/=+-@")
_ALLOWED = "letters, digits, spaces and '_', '.', ':', '/', '=', '+', '-', '@'"


class Tags(FrozenMapping[str]):
    """Tags of a processor: reads like a dict, never changes, and can be hashed.

    They are any tags, since a processor may carry tags of AWS's own. Those that a request sends have rules: at most
    200, keys of 1 to 128 characters that do not begin with ``aws:``, values of 0 to 256.
    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_TagResource.html.
    """

    __slots__ = ()

    def __init__(self, items: Mapping[str, str] | None = None) -> None:
        given = as_mapping({} if items is None else items, "a mapping of tag keys to tag values")
        names = each(((as_step(key), key) for key in given), _text)
        texts = each(((as_step(key), text) for key, text in given.items()), _text)
        super().__init__(dict(zip(names, texts, strict=True)))

    def __repr__(self) -> str:
        return f"Tags({self._items!r})"


def _text(value: object) -> str:
    if not isinstance(value, str):
        reject(value, "text")
    return value


def _in_alphabet(value: str) -> bool:
    return all(sign in _SIGNS or unicodedata.category(sign)[0] in "LZN" for sign in value)


def _key(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST_KEY or not _in_alphabet(value):
        reject(value, f"a tag key: 1 to {_LONGEST_KEY} {_ALLOWED}")
    if value.startswith("aws:"):
        reject(value, "a tag key that does not begin with 'aws:', which AWS keeps for itself")
    return str.__str__(value)


def _value(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_VALUE or not _in_alphabet(value):
        reject(value, f"a tag value: 0 to {_LONGEST_VALUE} {_ALLOWED}")
    return str.__str__(value)


def tags(value: Mapping[str, str]) -> Tags:
    """The tags that a request sends."""
    most = limits_in_force().max_tags
    items = as_mapping(value, "a mapping of tag keys to tag values")
    issues: list[ValidationIssue] = []
    if len(items) > most:
        issues.append(ValidationIssue((), f"{len(items)} tags", f"at most {most} tags"))
    names = [(as_step(key), key) for key in items]
    texts = [(as_step(key), text) for key, text in items.items()]
    plain: list[list[str]] = []
    for parts, check in ((names, _key), (texts, _value)):
        try:
            plain.append(each(parts, check))
        except InvalidRequestError as error:
            issues += error.issues
    if issues:
        raise InvalidRequestError(issues)
    return Tags(dict(zip(*plain, strict=True)))


def tag_keys(value: Iterable[str]) -> tuple[str, ...]:
    """The keys of tags to take away: at least one, none twice."""
    most = limits_in_force().max_tags
    keys = each(enumerate(as_tuple(value, "a collection of tag keys")), _key)
    if not 1 <= len(keys) <= most:
        reject(f"{len(keys)} keys", f"1 to {most} tag keys")
    if len(set(keys)) < len(keys):
        reject(tuple(keys), "tag keys of which none comes twice")
    return tuple(keys)
