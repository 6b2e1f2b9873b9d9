"""Define requests: one frozen value for each operation. CreateStreamProcessor takes those of ``processors`` instead."""

import enum
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar, Final, Literal, TypeAlias, final

import attrs

from aiorekostream.domain.enums import Label, ProcessorKind
from aiorekostream.domain.fields import UNICODE, flag, percent, processor_name, text, whole_number
from aiorekostream.domain.geometry import RegionOfInterest, regions_of_interest
from aiorekostream.domain.names import StreamProcessorArn, stream_processor_arn
from aiorekostream.domain.processors import advise_on_percent, labels
from aiorekostream.domain.rules import ABSENT, Validated, collecting, is_complete, reject
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


@final
@attrs.frozen(field_transformer=collecting)
class FaceSearchStart(Validated):
    """Start a face search, which runs from now on until it is stopped. It takes no selectors.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StartStreamProcessor.html.

    Attributes:
        name: the processor, 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.

    Raises:
        InvalidRequestError: the name is invalid.
    """

    kind: ClassVar[ProcessorKind] = ProcessorKind.FACE_SEARCH

    name: str = attrs.field(converter=processor_name)


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class LabelDetectionStart(Validated):
    """Start one session of label detection: its position in the video and its maximum duration.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StartStreamProcessor.html.

    Attributes:
        name: the processor, 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.
        start_selector: the position to start at, a ``ProducerTimestamp`` or a ``FragmentNumber``.
        stop_selector: the maximum duration.

    Raises:
        InvalidRequestError: fields are invalid; all issues at once.
    """

    kind: ClassVar[ProcessorKind] = ProcessorKind.LABEL_DETECTION

    name: str = attrs.field(converter=processor_name)
    start_selector: StartSelector = attrs.field(converter=start_selector)
    stop_selector: StopSelector = attrs.field(converter=stop_selector)


StartRequest: TypeAlias = FaceSearchStart | LabelDetectionStart
"""A start request, of either kind."""


@attrs.frozen(field_transformer=collecting)
class _ProcessorRequest(Validated):
    """A request that has the name of a processor and no other parameter."""

    name: str = attrs.field(converter=processor_name)


@final
class StopRequest(_ProcessorRequest):
    """Stop a processor; see https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StopStreamProcessor.html.

    Attributes:
        name: the processor, 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.
    """

    __slots__ = ()


@final
class DescribeRequest(_ProcessorRequest):
    """Read the configuration and the status of a processor.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DescribeStreamProcessor.html.

    Attributes:
        name: the processor, 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.
    """

    __slots__ = ()


@final
class DeleteRequest(_ProcessorRequest):
    """Delete a processor.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_DeleteStreamProcessor.html.

    Attributes:
        name: the processor, 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.
    """

    __slots__ = ()


class Keep(enum.Enum):
    """The type of ``KEEP``: the update leaves this parameter unchanged."""

    KEEP = "keep"

    def __repr__(self) -> str:
        return "KEEP"


class Reset(enum.Enum):
    """The type of ``RESET``: the update deletes this parameter, so that AWS's default applies again."""

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


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class LabelDetectionUpdate(Validated):
    """Update a label detection processor; AWS cannot update a face search.

    ``KEEP``, the default, leaves a parameter unchanged; ``RESET`` deletes it.
    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_UpdateStreamProcessor.html.

    Attributes:
        name: the processor, 1 to 128 characters of ``a-z A-Z 0-9 _ . -``.
        labels: the new labels to detect, at least one, each at most once.
        min_confidence: the new minimum confidence in percent, 0 to 100, or ``RESET``. A ratio, above 0 and at most 1,
            causes an ``AwsGuidanceWarning``.
        regions_of_interest: the new regions, 0 to 10 boxes and polygons inside the frame, or ``RESET``.
        data_sharing_opt_in: whether AWS may use the video to improve its models.

    Raises:
        InvalidRequestError: fields are invalid, or every parameter is ``KEEP``; all issues at once.
    """

    name: str = attrs.field(converter=processor_name)
    labels: tuple[Label, ...] | Literal[Keep.KEEP] = attrs.field(default=KEEP, converter=_new_labels)
    min_confidence: float | Literal[Keep.KEEP, Reset.RESET] = attrs.field(default=KEEP, converter=_new_confidence)
    regions_of_interest: tuple[RegionOfInterest, ...] | Literal[Keep.KEEP, Reset.RESET] = attrs.field(
        default=KEEP, converter=_new_regions
    )
    data_sharing_opt_in: bool | Literal[Keep.KEEP] = attrs.field(default=KEEP, converter=_new_opt_in)

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if is_complete(self) and not isinstance(self.min_confidence, Keep | Reset):
            advise_on_percent("min_confidence", self.min_confidence)

    def _contradictions(self) -> Iterator[ValidationIssue]:
        changes = (self.labels, self.min_confidence, self.regions_of_interest, self.data_sharing_opt_in)
        if all(change is KEEP for change in changes):
            yield ValidationIssue(
                (), ABSENT, "an update that changes something: labels, confidence, regions or data sharing"
            )


# AWS documents no maximum page size; the member is a signed integer of 32 bits.
_MAX_MAX_RESULTS = 2**31 - 1


def _max_results(value: int | None) -> int | None:
    return None if value is None else whole_number(value, least=1, most=_MAX_MAX_RESULTS)


def _next_token(value: str | None) -> str | None:
    if value is None:
        return None
    return text(value, least=1, most=255, pattern=UNICODE, expected="a token of 1 to 255 characters")


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class ListRequest(Validated):
    """Read one page of the list of processors.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ListStreamProcessors.html.

    Attributes:
        max_results: maximum number of entries on the page, at least 1; ``None`` leaves it to AWS, which returns up to
            1000.
        next_token: the token of the previous page, 1 to 255 characters; ``None`` requests the first page.

    Raises:
        InvalidRequestError: fields are invalid; all issues at once.
    """

    max_results: int | None = attrs.field(default=None, converter=_max_results)
    next_token: str | None = attrs.field(default=None, converter=_next_token)


def _at_least_one_tag(value: Mapping[str, str]) -> Tags:
    if not (found := tags(value)):
        reject(value, "at least one tag")
    return found


@final
@attrs.frozen(field_transformer=collecting)
class TagRequest(Validated):
    """Add tags to a processor; a tag with the same key is overwritten.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_TagResource.html.

    Attributes:
        resource_arn: the processor's ARN, as text or parsed.
        tags: 1 to 200 tags.
    """

    resource_arn: StreamProcessorArn = attrs.field(converter=stream_processor_arn)
    tags: Tags = attrs.field(converter=_at_least_one_tag)


@final
@attrs.frozen(field_transformer=collecting)
class UntagRequest(Validated):
    """Remove tags from a processor.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_UntagResource.html.

    Attributes:
        resource_arn: the processor's ARN, as text or parsed.
        tag_keys: 1 to 200 keys, each at most once.
    """

    resource_arn: StreamProcessorArn = attrs.field(converter=stream_processor_arn)
    tag_keys: tuple[str, ...] = attrs.field(converter=tag_keys)


@final
@attrs.frozen(field_transformer=collecting)
class ListTagsRequest(Validated):
    """Read the tags of a processor.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_ListTagsForResource.html.

    Attributes:
        resource_arn: the processor's ARN, as text or parsed.
    """

    resource_arn: StreamProcessorArn = attrs.field(converter=stream_processor_arn)
