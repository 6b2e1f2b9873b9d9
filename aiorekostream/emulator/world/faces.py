"""Define the faces that cameras see, and the faces of collections that resemble them."""

from collections.abc import Iterable
from typing import final

import attrs

from aiorekostream.domain.fields import UNICODE, finite, text
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.domain.rules import Validated, as_tuple, collecting, each, reject

__all__ = ["KnownFace", "VisibleFace", "box", "face_in", "known_faces", "pattern", "percent"]

# Percent; above AWS's least threshold.
_SIMILARITY = 98.5


def pattern(value: str) -> str:
    """Validate a pattern."""
    return value if isinstance(value, str) and value else reject(value, "a pattern such as 'porch-*'")


def percent(value: float) -> float:
    """Validate a number from 0 to 100."""
    return finite(value, least=0, most=100)


def box(value: BoundingBox) -> BoundingBox:
    """Validate a bounding box."""
    return value if isinstance(value, BoundingBox) else reject(value, "a BoundingBox")


def _id(value: str) -> str:
    return text(value, least=1, most=255, pattern=UNICODE, expected="text of 1 to 255 characters")


def _optional_id(value: str | None) -> str | None:
    return None if value is None else _id(value)


def _optional_box(value: BoundingBox | None) -> BoundingBox | None:
    return None if value is None else box(value)


@final
@attrs.frozen(field_transformer=collecting)
class KnownFace(Validated):
    """A face of a collection, and how much a visible face resembles it.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_Face.html.

    Attributes:
        face_id: the id that IndexFaces gave to the face, 1 to 255 characters.
        collection: a pattern (``*``, ``?``, ``[...]``) for the id of the collection; all collections by default.
        similarity: the similarity in percent, 0 to 100; 98.5 by default. A processor with a higher
            ``FaceMatchThreshold`` does not report the match.
        external_image_id: the id that the application gave to the image, 1 to 255 characters; None, the default, for
            none.
        image_id: the id that Rekognition gave to the image, 1 to 255 characters; by default one that follows from the
            id of the face.
        index_faces_model_version: the version of the model that indexed the face, 1 to 255 characters; None, the
            default, for none.

    Raises:
        InvalidRequestError: an attribute is out of its range.
    """

    face_id: str = attrs.field(converter=_id)
    collection: str = attrs.field(default="*", converter=pattern, kw_only=True)
    similarity: float = attrs.field(default=_SIMILARITY, converter=percent, kw_only=True)
    external_image_id: str | None = attrs.field(default=None, converter=_optional_id, kw_only=True)
    image_id: str | None = attrs.field(default=None, converter=_optional_id, kw_only=True)
    index_faces_model_version: str | None = attrs.field(default=None, converter=_optional_id, kw_only=True)


def known_faces(value: Iterable[KnownFace]) -> tuple[KnownFace, ...]:
    """Validate a collection of known faces."""
    return tuple(each(enumerate(as_tuple(value, "a collection of KnownFace")), _known_face))


def _known_face(value: object) -> KnownFace:
    return value if isinstance(value, KnownFace) else reject(value, "a KnownFace")


@final
@attrs.frozen(field_transformer=collecting)
class VisibleFace(Validated):
    """The face of a person whom a camera sees.

    Attributes:
        known_faces: the faces of collections that it resembles; none by default.
        bounding_box: where it is on the frame, also partly outside; by default in the upper part of the person's box.

    Raises:
        InvalidRequestError: an attribute is of another type.
    """

    known_faces: tuple[KnownFace, ...] = attrs.field(default=(), converter=known_faces)
    bounding_box: BoundingBox | None = attrs.field(default=None, converter=_optional_box, kw_only=True)


def face_in(person: BoundingBox) -> BoundingBox:
    """Return where the face of a person is."""
    width, height = person.width / 2, person.height / 4
    return BoundingBox(left=person.left + width / 2, top=person.top, width=width, height=height)
