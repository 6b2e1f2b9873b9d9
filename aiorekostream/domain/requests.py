"""What the service is asked: one frozen value for each operation but Create, whose values are the processors."""

import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Final, Literal, TypeAlias

import attrs

from aiorekostream.domain.enums import Label, ProcessorKind
from aiorekostream.domain.fields import UNICODE, flag, percent, processor_name, text, whole_number
from aiorekostream.domain.geometry import RegionOfInterest, regions_of_interest
from aiorekostream.domain.names import StreamProcessorArn, stream_processor_arn
from aiorekostream.domain.processors import labels
from aiorekostream.domain.rules import ABSENT, Validated, collecting, reject
from aiorekostream.domain.selectors import StartSelector, StopSelector, start_selector, stop_selector
from aiorekostream.domain.tags import Tags, tag_keys, tags
from aiorekostream.errors import ValidationIssue

__all__ = [
    "KEEP",
    "RESET",
    "DeleteRequest",
    "DescribeRequest",
    "FaceSearchStart",
    "Keep",
    "LabelDetectionStart",
    "LabelDetectionUpdate",
    "ListRequest",
    "ListTagsRequest",
    "Reset",
    "StartRequest",
    "StopRequest",
    "TagRequest",
    "UntagRequest",
]


@attrs.frozen(field_transformer=collecting)
class FaceSearchStart(Validated):
    """Start a face search. It takes no selectors: it searches from now on until it is stopped.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StartStreamProcessor.html.

    Attributes:
        name: the processor, 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.

    Raises:
        InvalidRequestError: the name breaks this rule.
    """

    kind: ClassVar[ProcessorKind] = ProcessorKind.FACE_SEARCH

    name: str = attrs.field(converter=processor_name)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class LabelDetectionStart(Validated):
    """Start one session of label detection: from where in the video, and for how long.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StartStreamProcessor.html.

    Attributes:
        name: the processor, 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.
        start_selector: a ``ProducerTimestamp`` or a ``FragmentNumber``.
        stop_selector: the latest end.

    Raises:
        InvalidRequestError: fields break their rules; all issues at once.
    """

    kind: ClassVar[ProcessorKind] = ProcessorKind.LABEL_DETECTION

    name: str = attrs.field(converter=processor_name)
    start_selector: StartSelector = attrs.field(converter=start_selector)
    stop_selector: StopSelector = attrs.field(converter=stop_selector)


StartRequest: TypeAlias = FaceSearchStart | LabelDetectionStart
"""A start, of either kind."""


@attrs.frozen(field_transformer=collecting)
class StopRequest(Validated):
    """Stop a processor; see https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StopStreamProcessor.html.

    Attributes:
        name: the processor, 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.
    """

    name: str = attrs.field(converter=processor_name)


@attrs.frozen(field_transformer=collecting)
class DescribeRequest(Validated):
    """Ask for all of a processor.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DescribeStreamProcessor.html.

    Attributes:
        name: the processor, 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.
    """

    name: str = attrs.field(converter=processor_name)


@attrs.frozen(field_transformer=collecting)
class DeleteRequest(Validated):
    """Delete a processor.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DeleteStreamProcessor.html.

    Attributes:
        name: the processor, 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.
    """

    name: str = attrs.field(converter=processor_name)


class Keep(enum.Enum):
    """The type of ``KEEP``: an update leaves this parameter as it is."""

    KEEP = "keep"

    def __repr__(self) -> str:
        return "KEEP"


class Reset(enum.Enum):
    """The type of ``RESET``: an update takes this parameter away, so that AWS's default holds again."""

    RESET = "reset"

    def __repr__(self) -> str:
        return "RESET"


KEEP: Final = Keep.KEEP
RESET: Final = Reset.RESET


def _new_labels(value: Iterable[Label | str] | Literal[Keep.KEEP]) -> tuple[Label, ...] | Literal[Keep.KEEP]:
    return value if value is KEEP else labels(value)


def _new_confidence(
    value: float | Literal[Keep.KEEP, Reset.RESET],
) -> float | Literal[Keep.KEEP, Reset.RESET]:
    return value if isinstance(value, Keep | Reset) else percent(value)


def _new_regions(
    value: Iterable[RegionOfInterest] | Literal[Keep.KEEP, Reset.RESET],
) -> tuple[RegionOfInterest, ...] | Literal[Keep.KEEP, Reset.RESET]:
    return value if isinstance(value, Keep | Reset) else regions_of_interest(value)


def _new_opt_in(value: bool | Literal[Keep.KEEP]) -> bool | Literal[Keep.KEEP]:  # noqa: FBT001 - an attrs converter
    return value if value is KEEP else flag(value)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class LabelDetectionUpdate(Validated):
    """Change a label detection processor; a face search cannot be changed.

    ``KEEP``, the default, leaves a parameter alone; ``RESET`` takes it away. Setting and taking away the same parameter
    cannot be said. See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_UpdateStreamProcessor.html.

    Attributes:
        name: the processor, 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.
        labels: what to look for from now on.
        min_confidence: the least confidence in percent, 0 to 100, or ``RESET``.
        regions_of_interest: 0 to 10 boxes and polygons inside the frame, or ``RESET``.
        data_sharing_opt_in: whether AWS may use the video to better its models.

    Raises:
        InvalidRequestError: fields break their rules, or nothing would change; all issues at once.
    """

    name: str = attrs.field(converter=processor_name)
    labels: tuple[Label, ...] | Literal[Keep.KEEP] = attrs.field(default=KEEP, converter=_new_labels)
    min_confidence: float | Literal[Keep.KEEP, Reset.RESET] = attrs.field(default=KEEP, converter=_new_confidence)
    regions_of_interest: tuple[RegionOfInterest, ...] | Literal[Keep.KEEP, Reset.RESET] = attrs.field(
        default=KEEP, converter=_new_regions
    )
    data_sharing_opt_in: bool | Literal[Keep.KEEP] = attrs.field(default=KEEP, converter=_new_opt_in)

    def _contradictions(self) -> Iterator[ValidationIssue]:
        changes = (self.labels, self.min_confidence, self.regions_of_interest, self.data_sharing_opt_in)
        if all(change is KEEP for change in changes):
            yield ValidationIssue(
                (), ABSENT, "an update that changes something: labels, confidence, regions or data sharing"
            )


_MOST_RESULTS = 2**31 - 1  # AWS names no greatest page; the member is an integer of 32 bits


def _max_results(value: int | None) -> int | None:
    return None if value is None else whole_number(value, least=1, most=_MOST_RESULTS)


def _next_token(value: str | None) -> str | None:
    if value is None:
        return None
    return text(value, least=1, most=255, pattern=UNICODE, allowed="a token of 1 to 255 characters")


@attrs.frozen(kw_only=True, field_transformer=collecting)
class ListRequest(Validated):
    """Ask for one page of the processors.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ListStreamProcessors.html.

    Attributes:
        max_results: the most that a page may hold, at least 1; AWS takes 1000 where none is given.
        next_token: where the page before this one ended; 1 to 255 characters.

    Raises:
        InvalidRequestError: fields break their rules; all issues at once.
    """

    max_results: int | None = attrs.field(default=None, converter=_max_results)
    next_token: str | None = attrs.field(default=None, converter=_next_token)


def _at_least_one_tag(value: Mapping[str, str]) -> Tags:
    if not (found := tags(value)):
        reject(value, "at least one tag")
    return found


@attrs.frozen(field_transformer=collecting)
class TagRequest(Validated):
    """Add tags to a processor, or overwrite them.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_TagResource.html.

    Attributes:
        resource_arn: the processor's ARN, as text or parsed.
        tags: at least one, at most 200.
    """

    resource_arn: StreamProcessorArn = attrs.field(converter=stream_processor_arn)
    tags: Tags = attrs.field(converter=_at_least_one_tag)


@attrs.frozen(field_transformer=collecting)
class UntagRequest(Validated):
    """Take tags away from a processor.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_UntagResource.html.

    Attributes:
        resource_arn: the processor's ARN, as text or parsed.
        tag_keys: 1 to 200 keys, none twice.
    """

    resource_arn: StreamProcessorArn = attrs.field(converter=stream_processor_arn)
    tag_keys: tuple[str, ...] = attrs.field(converter=tag_keys)


@attrs.frozen(field_transformer=collecting)
class ListTagsRequest(Validated):
    """Ask for the tags of a processor.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ListTagsForResource.html.

    Attributes:
        resource_arn: the processor's ARN, as text or parsed.
    """

    resource_arn: StreamProcessorArn = attrs.field(converter=stream_processor_arn)
