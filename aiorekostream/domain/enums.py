"""Define enumerations that AWS owns and may extend: a value that is unknown here is kept, never refused."""

import enum
from typing import Self

__all__ = ["Label", "OpenEnum", "ProcessorKind"]


class OpenEnum(enum.StrEnum):
    """An enumeration that accepts any text: a value that this version does not know becomes a member of its own.

    A known value is identical (``is``) to its member. Unknown values are equal to each other and to their text;
    ``is_known`` tells the two apart.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        # str() of a member of another enumeration may return that member's name instead of its value.
        text = str.__str__(value)
        member = str.__new__(cls, text)
        member._name_ = member._value_ = text
        return member

    def __reduce_ex__(self, proto: object) -> tuple[type[Self], tuple[str]]:
        # Until Python 3.11.3, a member was pickled by its name, which finds no unknown value.
        return type(self), (self._value_,)

    @property
    def is_known(self) -> bool:
        """Whether this version of the package defines the value."""
        return self._name_ in type(self).__members__


class Label(OpenEnum):
    """An object that a label detection processor detects.

    From https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ConnectedHomeSettings.html.
    """

    PERSON = "PERSON"
    PET = "PET"
    PACKAGE = "PACKAGE"
    ALL = "ALL"


class ProcessorKind(enum.StrEnum):
    """The two kinds of stream processor; each has its own start request, outputs, Regions and life cycle."""

    FACE_SEARCH = "face search"
    LABEL_DETECTION = "label detection"
