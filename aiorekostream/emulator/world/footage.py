"""Define what the cameras see: an analyst returns what is visible at a moment of a video stream.

``Footage`` is an analyst with a script and ``RandomFootage`` one with a seed. The emulator asks an analyst only for the
moments that it needs, and only when a result is read or due. An analyst of real video implements the same two methods.
"""

import datetime
import hashlib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Protocol, final

import attrs

from aiorekostream.domain.enums import Label
from aiorekostream.domain.fields import seconds, whole_number
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.domain.rules import Validated, all_valid, as_tuple, collecting, each, reject
from aiorekostream.emulator.world.faces import KnownFace, VisibleFace, box, known_faces, pattern, percent
from aiorekostream.errors import ValidationIssue

__all__ = ["Analyst", "Appearance", "Detection", "Footage", "RandomFootage", "VideoMoment"]

_SUBJECTS = (Label.PERSON, Label.PET, Label.PACKAGE)
_DEFAULT_BOX = BoundingBox(left=0.375, top=0.25, width=0.25, height=0.5)
# Percent; a number that a 32-bit float holds exactly.
_DEFAULT_CONFIDENCE = 97.25
_UNKNOWN_FACE = VisibleFace()
# Streams whose scripts are kept; then all are forgotten, and computed anew when they are needed.
_MAX_STREAMS = 10_000


@final
@attrs.frozen(kw_only=True)
class VideoMoment:
    """A moment of a video stream in a session.

    Attributes:
        stream_arn: the ARN of the video stream.
        session_start: the moment at which the video of the session begins, on the producer's clock, in epoch seconds.
        at: the moment on the producer's clock, in epoch seconds.
    """

    stream_arn: str
    session_start: float
    at: float

    @property
    def stream_name(self) -> str:
        """The name of the video stream."""
        return self.stream_arn.partition("/")[2].partition("/")[0]


@final
@attrs.frozen(kw_only=True)
class Detection:
    """Something that is visible at a moment.

    Attributes:
        subject: what is visible.
        bounding_box: where it is on the frame.
        confidence: the confidence in percent, 0 to 100.
        face: the face, if it is a person; an unknown one by default.
    """

    subject: Label
    bounding_box: BoundingBox = _DEFAULT_BOX
    confidence: float = _DEFAULT_CONFIDENCE
    face: VisibleFace = _UNKNOWN_FACE


class Analyst(Protocol):
    """Detect what is visible in video streams.

    Both methods return the same for the same moment, however often and in whichever order they are called.
    """

    def detect(self, moment: VideoMoment, /) -> Sequence[Detection]:
        """Return what is visible at a moment.

        Args:
            moment: the video stream, and the time on the producer's clock.
        """
        ...

    def next_change(self, moment: VideoMoment, /) -> float | None:
        """Return the first later moment at which something else may be visible.

        ``detect`` is called for none of the moments in between. An analyst of real video returns the time of the next
        frame.

        Args:
            moment: the video stream, and the time on the producer's clock.

        Returns:
            Epoch seconds on the producer's clock, more than ``moment.at``; None if nothing changes any more.
        """
        ...


def _subject(value: Label | str) -> Label:
    return _known_label(value)


def _known_label(value: object) -> Label:
    return next((label for label in _SUBJECTS if label == value), None) or reject(value, "PERSON, PET or PACKAGE")


def _start(value: datetime.datetime | datetime.timedelta | float) -> datetime.datetime | float:
    if not isinstance(value, datetime.datetime):
        return seconds(value, least=0, most=1e9)
    return value if value.utcoffset() is not None else reject(value, "a datetime with a time zone")


def _duration(value: datetime.timedelta | float | None) -> float | None:
    return None if value is None else seconds(value, least=0.001, most=1e9)


def _face(value: VisibleFace) -> VisibleFace:
    return value if isinstance(value, VisibleFace) else reject(value, "a VisibleFace")


@final
@attrs.frozen(field_transformer=collecting)
class Appearance(Validated):
    """A person, a pet or a package that a camera sees for a while.

    Attributes:
        subject: what appears: ``Label.PERSON``, ``Label.PET`` or ``Label.PACKAGE``.
        stream: a pattern (``*``, ``?``, ``[...]``) for the name or the ARN of the video stream; all streams by default.
        at: when it appears: a ``timedelta`` or seconds from the start of each session, from 0 to 1e9, or an aware
            ``datetime`` on the producer's clock; 0 by default.
        duration: how long it is visible, a ``timedelta`` or seconds from 0.001 to 1e9; None, the default, for always.
        bounding_box: where it is on the frame.
        confidence: the confidence of the detection in percent, 0 to 100. A processor with a higher ``MinConfidence``
            does not report it.
        face: the face of a person, which face searches report; an unknown one by default.

    Raises:
        InvalidRequestError: an attribute is out of its range.
    """

    subject: Label = attrs.field(converter=_subject)
    stream: str = attrs.field(default="*", converter=pattern, kw_only=True)
    at: datetime.datetime | float = attrs.field(default=0.0, converter=_start, kw_only=True)
    duration: float | None = attrs.field(default=None, converter=_duration, kw_only=True)
    bounding_box: BoundingBox = attrs.field(default=_DEFAULT_BOX, converter=box, kw_only=True)
    confidence: float = attrs.field(default=_DEFAULT_CONFIDENCE, converter=percent, kw_only=True)
    face: VisibleFace = attrs.field(default=_UNKNOWN_FACE, converter=_face, kw_only=True)

    def _contradictions(self) -> Iterable[ValidationIssue]:
        if all_valid(self.subject, self.face) and self.face != _UNKNOWN_FACE and self.subject is not Label.PERSON:
            yield ValidationIssue(("face",), self.face, "given only for a PERSON")

    def interval(self, session_start: float) -> tuple[float, float]:
        """Return the first moment at which it is visible, and the first at which it no longer is, in epoch seconds.

        Args:
            session_start: the start of the session, in epoch seconds.
        """
        at = self.at
        first = at.timestamp() if isinstance(at, datetime.datetime) else session_start + at
        return first, float("inf") if self.duration is None else first + self.duration


def _appearances(value: Iterable[Appearance]) -> tuple[Appearance, ...]:
    return tuple(each(enumerate(as_tuple(value, "a collection of Appearance")), _appearance))


def _appearance(value: object) -> Appearance:
    return value if isinstance(value, Appearance) else reject(value, "an Appearance")


@attrs.frozen(field_transformer=collecting)
class Footage(Validated):
    """What the cameras see, as a script. An ``Analyst``.

    Attributes:
        appearances: what appears when; nothing by default.

    Raises:
        InvalidRequestError: the value is not a collection of ``Appearance``.
    """

    appearances: tuple[Appearance, ...] = attrs.field(default=(), converter=_appearances)
    _by_stream: dict[str, tuple[Appearance, ...]] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    def detect(self, moment: VideoMoment, /) -> Sequence[Detection]:
        """See ``Analyst.detect``."""
        found: list[Detection] = []
        for appearance in self._of_stream(moment):
            first, end = appearance.interval(moment.session_start)
            if first <= moment.at < end:
                detection = Detection(
                    subject=appearance.subject,
                    bounding_box=appearance.bounding_box,
                    confidence=appearance.confidence,
                    face=appearance.face,
                )
                found.append(detection)
        return found

    def next_change(self, moment: VideoMoment, /) -> float | None:
        """See ``Analyst.next_change``."""
        changes = (change for each in self._of_stream(moment) for change in each.interval(moment.session_start))
        later = min((change for change in changes if change > moment.at), default=float("inf"))
        return None if later == float("inf") else later

    def _of_stream(self, moment: VideoMoment) -> tuple[Appearance, ...]:
        arn = moment.stream_arn
        found = self._by_stream.get(arn)
        if found is None:
            name = moment.stream_name
            found = tuple(a for a in self.appearances if fnmatchcase(name, a.stream) or fnmatchcase(arn, a.stream))
            if len(self._by_stream) >= _MAX_STREAMS:
                self._by_stream.clear()
            self._by_stream[arn] = found
        return found


def _seed(value: int) -> int:
    return whole_number(value, least=0)


def _interval(value: datetime.timedelta | float) -> float:
    return seconds(value, least=0.1, most=1e6)


def _subjects(value: Iterable[Label | str]) -> tuple[Label, ...]:
    return tuple(each(enumerate(as_tuple(value, "a collection of PERSON, PET and PACKAGE")), _known_label))


@attrs.frozen(kw_only=True, field_transformer=collecting)
class RandomFootage(Validated):
    """What the cameras see, by chance: the same for the same seed, stream and moment. An ``Analyst``.

    The time is divided into intervals. In each of them, each subject appears once, at a random moment.

    Attributes:
        seed: the seed, a whole number from 0; 0 by default.
        interval: the mean time between two appearances of a subject at a camera, a ``timedelta`` or seconds from 0.1 to
            1e6; 20 by default.
        duration: how long a subject is visible, up to ``interval``; 5 by default.
        subjects: what appears; persons, pets and packages by default.
        known_faces: the faces of the persons. Each appearance of a person has one of them or, as often as each of them,
            an unknown one; none by default.

    Raises:
        InvalidRequestError: an attribute is out of its range.
    """

    seed: int = attrs.field(default=0, converter=_seed)
    interval: float = attrs.field(default=20.0, converter=_interval)
    duration: float = attrs.field(default=5.0, converter=_interval)
    subjects: tuple[Label, ...] = attrs.field(default=_SUBJECTS, converter=_subjects)
    known_faces: tuple[KnownFace, ...] = attrs.field(default=(), converter=known_faces)

    def detect(self, moment: VideoMoment, /) -> Sequence[Detection]:
        """See ``Analyst.detect``."""
        index = int(moment.at // self.interval)
        found: list[Detection] = []
        for number in (index - 1, index):
            for subject in self.subjects:
                digest = self._digest(moment.stream_arn, number, subject)
                first = self._first(number, digest)
                if first <= moment.at < first + self.duration:
                    found.append(self._detection(subject, digest))
        return found

    def next_change(self, moment: VideoMoment, /) -> float | None:
        """See ``Analyst.next_change``."""
        index = int(moment.at // self.interval)
        found: list[float] = []
        for number in (index - 1, index, index + 1):
            for subject in self.subjects:
                first = self._first(number, self._digest(moment.stream_arn, number, subject))
                found += (change for change in (first, first + self.duration) if change > moment.at)
        return min(found, default=None)

    def _detection(self, subject: Label, digest: bytes) -> Detection:
        size = 0.125 + _ratio(digest, 2) * 0.25
        where = BoundingBox(left=_ratio(digest, 4) * (1 - size), top=0.25, width=size, height=size * 1.5)
        # Another part of the digest than the first moment's, which decides when the person appears.
        index = int.from_bytes(digest[4:], "big") % (len(self.known_faces) + 1)
        return Detection(
            subject=subject,
            bounding_box=where,
            confidence=80 + _ratio(digest, 6) * 19,
            face=VisibleFace(self.known_faces[index : index + 1]),
        )

    def _contradictions(self) -> Iterable[ValidationIssue]:
        if all_valid(self.interval, self.duration) and self.duration > self.interval:
            yield ValidationIssue(("duration",), self.duration, f"at most the interval, {self.interval:g} seconds")

    def _digest(self, stream_arn: str, number: int, subject: Label) -> bytes:
        key = f"{self.seed} {stream_arn} {number} {subject}".encode()
        return hashlib.blake2b(key, digest_size=8).digest()

    def _first(self, number: int, digest: bytes) -> float:
        """Return the moment in an interval at which a subject appears, in epoch seconds."""
        return (number + _ratio(digest, 0)) * self.interval


def _ratio(digest: bytes, first: int) -> float:
    """Return a number in [0, 1) from two bytes of a digest."""
    return int.from_bytes(digest[first : first + 2], "big") / 65536
