"""Describe invalid values, and show or pickle a value of any type, whatever its own methods do. Pure."""

from typing import Self

import attrs

__all__ = ["REPR_LIMIT", "Unpicklable", "ValidationIssue", "picklable", "shown"]

_SHOWN = 80  # characters of a value in a message
REPR_LIMIT = 1000
"""Characters of a value in the repr of an issue or an error."""


def shown(value: object, *, limit: int = _SHOWN) -> str:
    """Return the repr of any value: at most so many characters, all of them encodable."""
    try:
        text = str.__str__(repr(value))
    except Exception:  # noqa: BLE001 - the repr of the value is not ours; that of int fails above its limit of digits
        text = f"<{type(value).__name__}>"
    return _encodable(text if len(text) <= limit else f"{text[: limit - 3]}...")


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


class Unpicklable:
    """Takes the place of a value that cannot be pickled, in a pickled error; its repr is that of the value."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


_PLAIN = frozenset({type(None), bool, int, float, str, bytes})


def picklable(value: object) -> object:
    """Return a value, or an ``Unpicklable`` in its place where it cannot be pickled."""
    if type(value) in _PLAIN:
        return value
    import pickle  # noqa: PLC0415 - only programs that pickle errors pay for it

    try:
        pickle.loads(pickle.dumps(value))  # noqa: S301 - made in the same expression
    except Exception:  # noqa: BLE001 - how a value is pickled is not ours, and may fail in any way
        return Unpicklable(shown(value))
    return value


@attrs.frozen(repr=False)
class ValidationIssue:
    """One invalid value in an input or a response.

    Attributes:
        steps: the path to the value, as field names and list indexes; the argument of the constructor is ``path``.
        value: the invalid value.
        expected: the allowed values, as a phrase that completes "must be ...".
    """

    steps: tuple[str | int, ...] = attrs.field(alias="path")
    value: object
    expected: str

    @property
    def path(self) -> str:
        """The path to the value as text, such as ``RegionsOfInterest[0].BoundingBox.Left``."""
        text = ""
        for step in self.steps:
            name = str.__str__(step) if isinstance(step, str) else shown(step)
            text += f"[{name}]" if isinstance(step, int) else f".{name}" if text else name
        return text

    def under(self, *steps: str | int) -> "ValidationIssue":
        """Return the same issue with steps prepended to its path."""
        return attrs.evolve(self, path=(*steps, *self.steps))

    def __str__(self) -> str:
        return f"{_encodable(self.path) or 'value'}: must be {self.expected}; got {shown(self.value)}"

    def __repr__(self) -> str:
        value = shown(self.value, limit=REPR_LIMIT)
        return f"ValidationIssue(path={self.steps!r}, value={value}, expected={self.expected!r})"

    # The value is an input of the caller's, of any type: an issue shares it with its copies, and leaves it behind when
    # it is pickled and the value cannot be.

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> tuple[type["ValidationIssue"], tuple[object, ...]]:
        return type(self), (self.steps, picklable(self.value), self.expected)
