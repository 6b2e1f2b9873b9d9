"""Words of AWS's that may grow: enumerations that keep a member they do not know."""

import enum
from typing import Self

__all__ = ["Label", "OpenEnum", "ProcessorKind"]


class OpenEnum(enum.StrEnum):
    """An enumeration whose calls never fail: tomorrow's word becomes a member that ``is_known`` tells apart.

    Known words are identical (``is``) to their members, unknown ones are equal to each other and to their text.
    """

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        text = str.__str__(value)  # of a member of another enumeration, str() would give the member's name
        member = str.__new__(cls, text)
        member._name_ = member._value_ = text
        return member

    @property
    def is_known(self) -> bool:
        """Whether this version of the package knows the word."""
        return self._name_ in type(self).__members__


class Label(OpenEnum):
    """What a label detection processor looks for.

    From https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ConnectedHomeSettings.html.
    """

    PERSON = "PERSON"
    PET = "PET"
    PACKAGE = "PACKAGE"
    ALL = "ALL"


class ProcessorKind(enum.StrEnum):
    """The two kinds of stream processor; each has its own start, outputs, Regions and life."""

    FACE_SEARCH = "face search"
    LABEL_DETECTION = "label detection"
