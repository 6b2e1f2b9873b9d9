"""Define tags: an immutable mapping of text to text, and the validation of its keys and values."""

import unicodedata
from collections.abc import Iterable, Mapping

from aiorekostream.domain.rules import as_mapping, as_step, as_tuple, convert_safely, each, items_of, reject
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.frozen import FrozenMapping
from aiorekostream.limits import limits_in_force

__all__ = ["Tags", "tag_keys", "tags"]

# https://docs.aws.amazon.com/rekognition/latest/APIReference/API_TagResource.html, in characters
_MAX_KEY_LENGTH = 128
_MAX_VALUE_LENGTH = 256
_PUNCTUATION = frozenset("_.:/=+-@")
_ALPHABET = "letters, digits, spaces and '_', '.', ':', '/', '=', '+', '-', '@'"


class Tags(FrozenMapping[str]):
    """Tags of a processor: an immutable, hashable mapping of text to text.

    A ``Tags`` value may hold any text, because AWS adds tags of its own to a processor. Tags in a request are
    validated: at most 200, keys of 1 to 128 characters that do not begin with ``aws:``, values of 0 to 256.
    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_TagResource.html.
    """

    __slots__ = ()

    def __init__(self, items: Mapping[str, str] | None = None) -> None:
        expected = "a mapping of tag keys to tag values"
        given = [] if items is None else items_of(convert_safely(lambda value: as_mapping(value, expected), items))
        names = each(((as_step(key), key) for key, _ in given), _text)
        texts = each(((as_step(key), text) for key, text in given), _text)
        super().__init__(dict(zip(names, texts, strict=True)))

    def __repr__(self) -> str:
        return f"Tags({self._items!r})"


def _text(value: object) -> str:
    if not isinstance(value, str):
        reject(value, "text")
    return value


def _in_alphabet(value: str) -> bool:
    return all(char in _PUNCTUATION or unicodedata.category(char)[0] in "LZN" for char in value)


def _key(value: object) -> str:
    key = str.__str__(value) if isinstance(value, str) else ""
    if not 1 <= len(key) <= _MAX_KEY_LENGTH or not _in_alphabet(key):
        reject(value, f"a tag key: 1 to {_MAX_KEY_LENGTH} {_ALPHABET}")
    if key.startswith("aws:"):
        reject(value, "a tag key that does not begin with 'aws:', which AWS keeps for itself")
    return key


def _value(value: object) -> str:
    text = str.__str__(value) if isinstance(value, str) else None
    if text is None or len(text) > _MAX_VALUE_LENGTH or not _in_alphabet(text):
        reject(value, f"a tag value: 0 to {_MAX_VALUE_LENGTH} {_ALPHABET}")
    return text


def tags(value: Mapping[str, str]) -> Tags:
    """Validate the tags of a request."""
    most = limits_in_force().max_tags
    items = items_of(as_mapping(value, "a mapping of tag keys to tag values"))
    issues: list[ValidationIssue] = []
    if len(items) > most:
        issues.append(ValidationIssue((), f"{len(items)} tags", f"at most {most} tags"))
    keys = [(as_step(key), key) for key, _ in items]
    values = [(as_step(key), value) for key, value in items]
    columns: list[list[str]] = []
    for column, validate in ((keys, _key), (values, _value)):
        try:
            columns.append(each(column, validate))
        except InvalidRequestError as error:
            issues += error.issues
    if issues:
        raise InvalidRequestError(issues)
    return Tags(dict(zip(*columns, strict=True)))


def tag_keys(value: Iterable[str]) -> tuple[str, ...]:
    """Validate the keys of tags to remove: at least one, each at most once."""
    most = limits_in_force().max_tags
    keys = each(enumerate(as_tuple(value, "a collection of tag keys")), _key)
    if not 1 <= len(keys) <= most:
        reject(f"{len(keys)} keys", f"1 to {most} tag keys")
    if len(set(keys)) < len(keys):
        reject(tuple(keys), "tag keys of which none comes twice")
    return tuple(keys)
