"""Hypothesis strategies for every value class."""

from __future__ import annotations

import datetime
import string
from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st

from aiorekostream import domain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hypothesis.strategies import DrawFn, SearchStrategy

_T = TypeVar("_T")

PARTITION_REGIONS = (
    ("aws", "us-east-1"),
    ("aws", "ap-southeast-1"),
    ("aws-cn", "cn-north-1"),
    ("aws-us-gov", "us-gov-west-1"),
    ("aws-iso", "us-iso-east-1"),
    ("aws-iso-b", "us-isob-east-1"),
    ("aws-iso-e", "eu-isoe-west-1"),
    ("aws-iso-f", "us-isof-south-1"),
    ("aws-eusc", "eusc-de-east-1"),
)
_NAME_ALPHABET = string.ascii_letters + string.digits + "_.-"
_TAG_ALPHABET = st.characters(categories=("L", "Z", "N"), include_characters="_.:/=+-@")
_MIN_DATETIME = datetime.datetime(1973, 3, 3, 9, 46, 40)  # noqa: DTZ001 - Hypothesis adds the zone
_MAX_DATETIME = datetime.datetime(5138, 11, 16, 9, 46, 39)  # noqa: DTZ001 - the same


def _text(alphabet: str | SearchStrategy[str], min_size: int, max_size: int) -> SearchStrategy[str]:
    return st.text(alphabet, min_size=min_size, max_size=max_size)


def _optional(strategy: SearchStrategy[_T]) -> SearchStrategy[_T | None]:
    return st.none() | strategy


# single values

partition_regions = st.sampled_from(PARTITION_REGIONS)
names = _text(_NAME_ALPHABET, 1, 128)
collection_ids = _text(_NAME_ALPHABET, 1, 255)
buckets = _text(_NAME_ALPHABET, 3, 255)
kms_key_ids = st.builds(
    str.__add__,
    st.sampled_from(string.ascii_letters + string.digits),
    _text(string.ascii_letters + string.digits + ":_/+=,@.-", 0, 60),
)
sendable_text = st.text(st.characters(codec="utf-8"), max_size=40)
accounts = _text(string.digits, 12, 12)
percents = st.floats(0, 100)
ratios = st.floats(0, 1)
moments = st.datetimes(_MIN_DATETIME, _MAX_DATETIME, timezones=st.just(datetime.UTC), allow_imaginary=False).map(
    lambda moment: moment.replace(fold=0)
)
tag_keys = _text(_TAG_ALPHABET, 1, 128).filter(lambda key: not key.startswith("aws:"))
tags = st.builds(domain.Tags, st.dictionaries(tag_keys, _text(_TAG_ALPHABET, 0, 256), max_size=4))
labels = st.lists(st.sampled_from(domain.Label), min_size=1, unique=True).map(tuple)


# ARNs


@st.composite
def video_stream_arns(
    draw: DrawFn, partition_region: SearchStrategy[tuple[str, str]] = partition_regions
) -> domain.KinesisVideoStreamArn:
    resource = f"stream/{draw(_text(_NAME_ALPHABET, 1, 256))}"
    if draw(st.booleans()):
        resource += f"/{draw(st.integers(0, 10**13))}"
    return domain.KinesisVideoStreamArn(*draw(partition_region), draw(accounts), resource)


@st.composite
def data_stream_arns(
    draw: DrawFn, partition_region: SearchStrategy[tuple[str, str]] = partition_regions
) -> domain.KinesisDataStreamArn:
    return domain.KinesisDataStreamArn(*draw(partition_region), draw(accounts), f"stream/{draw(names)}")


@st.composite
def topic_arns(
    draw: DrawFn, partition_region: SearchStrategy[tuple[str, str]] = partition_regions
) -> domain.SNSTopicArn:
    topic = draw(_text(string.ascii_letters + string.digits + "_-", 1, 60)) + draw(st.sampled_from(("", ".fifo")))
    return domain.SNSTopicArn(*draw(partition_region), draw(accounts), topic)


@st.composite
def role_arns(draw: DrawFn) -> domain.RoleArn:
    partition, _ = draw(partition_regions)
    path = draw(st.lists(_text(string.ascii_letters + string.digits + "_+=,.@-", 1, 20), min_size=1, max_size=3))
    return domain.RoleArn(partition, "", draw(accounts), f"role/{'/'.join(path)}")


@st.composite
def processor_arns(draw: DrawFn) -> domain.StreamProcessorArn:
    return domain.StreamProcessorArn(*draw(partition_regions), draw(accounts), f"streamprocessor/{draw(names)}")


# shapes and selectors

points = st.builds(domain.Point, ratios, ratios)


@st.composite
def boxes(draw: DrawFn) -> domain.BoundingBox:
    left, top = draw(ratios), draw(ratios)
    return domain.BoundingBox(
        left=left, top=top, width=draw(st.floats(0, 1 - left)), height=draw(st.floats(0, 1 - top))
    )


polygons = st.builds(domain.Polygon, st.lists(points, min_size=3, max_size=10))
regions = st.lists(boxes() | polygons, max_size=3).map(tuple)
producer_timestamps = st.builds(domain.ProducerTimestamp, st.integers(10**11, 10**14 - 1))
fragment_numbers = st.builds(domain.FragmentNumber, _text(string.digits, 1, 128))
stop_selectors = st.builds(domain.StopSelector, st.integers(1, 120))

# positions in video: whole milliseconds, of which those from 2001 on are dates of producers

whole_durations = st.integers(0, 10**11).map(lambda ms: datetime.timedelta(milliseconds=ms))
whole_moments = st.integers(10**12, 10**13).map(
    lambda ms: datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(milliseconds=ms)
)
video_positions = st.builds(
    domain.VideoPosition,
    fragment_number=fragment_numbers,
    server_timestamp=whole_moments,
    producer_timestamp=whole_moments | whole_durations,
    frame_offset=whole_durations,
)

# requests

destinations = st.builds(domain.S3Destination, bucket=buckets, key_prefix=sendable_text)


@st.composite
def face_search_processors(draw: DrawFn) -> domain.FaceSearchProcessor:
    here = st.just(draw(partition_regions))
    return domain.FaceSearchProcessor(
        name=draw(names),
        kinesis_video_stream_arn=draw(video_stream_arns(here)),
        kinesis_data_stream_arn=draw(data_stream_arns(here)),
        role_arn=draw(role_arns()),
        collection_id=draw(collection_ids),
        face_match_threshold=draw(_optional(percents)),
        regions_of_interest=draw(regions),
        data_sharing_opt_in=draw(_optional(st.booleans())),
        tags=draw(tags),
    )


label_detection_processors = st.builds(
    domain.LabelDetectionProcessor,
    name=names,
    kinesis_video_stream_arn=video_stream_arns(),
    role_arn=role_arns(),
    labels=labels,
    s3_destination=destinations,
    sns_topic_arn=topic_arns(),
    min_confidence=_optional(percents),
    kms_key_id=_optional(kms_key_ids),
    regions_of_interest=regions,
    data_sharing_opt_in=_optional(st.booleans()),
    tags=tags,
)
face_search_starts = st.builds(domain.FaceSearchStart, names)
label_detection_starts = st.builds(
    domain.LabelDetectionStart,
    name=names,
    start_selector=producer_timestamps | fragment_numbers,
    stop_selector=stop_selectors,
)


@st.composite
def updates(draw: DrawFn) -> domain.LabelDetectionUpdate:
    changes: dict[str, SearchStrategy[object]] = {
        "labels": labels,
        "min_confidence": percents | st.just(domain.RESET),
        "regions_of_interest": regions | st.just(domain.RESET),
        "data_sharing_opt_in": st.booleans(),
    }
    changed = draw(st.sets(st.sampled_from(sorted(changes)), min_size=1))
    drawn = {name: draw(strategy) if name in changed else domain.KEEP for name, strategy in changes.items()}
    return domain.LabelDetectionUpdate(name=draw(names), **drawn)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


starts = face_search_starts | label_detection_starts
processors = face_search_processors() | label_detection_processors

REQUESTS: Mapping[type, SearchStrategy[object]] = {
    domain.FaceSearchProcessor: face_search_processors(),
    domain.LabelDetectionProcessor: label_detection_processors,
    domain.FaceSearchStart: face_search_starts,
    domain.LabelDetectionStart: label_detection_starts,
    domain.LabelDetectionUpdate: updates(),
    domain.StopRequest: st.builds(domain.StopRequest, names),
    domain.DescribeRequest: st.builds(domain.DescribeRequest, names),
    domain.DeleteRequest: st.builds(domain.DeleteRequest, names),
    domain.ListRequest: st.builds(
        domain.ListRequest,
        max_results=_optional(st.integers(1, 2**31 - 1)),
        next_token=_optional(sendable_text.filter(bool)),
    ),
    domain.TagRequest: st.builds(domain.TagRequest, processor_arns(), tags.filter(bool)),
    domain.UntagRequest: st.builds(
        domain.UntagRequest, processor_arns(), st.lists(tag_keys, min_size=1, max_size=4, unique=True)
    ),
    domain.ListTagsRequest: st.builds(domain.ListTagsRequest, processor_arns()),
}

# responses: any text and unknown enum values, because AWS may extend them

_free_text = st.text(max_size=20)
_whole_seconds = moments.map(
    lambda moment: moment.replace(microsecond=0)
)  # a float cannot represent microseconds in distant years
_numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
_statuses = st.sampled_from(domain.Status) | st.builds(domain.Status, st.text(string.ascii_uppercase, min_size=1))
_known_and_unknown_labels = st.lists(
    st.sampled_from(domain.Label) | st.builds(domain.Label, st.text(max_size=9)), max_size=4
).map(tuple)
_any_points = st.builds(domain.Point, _numbers, _numbers)
_any_boxes = st.builds(domain.BoundingBox, left=_numbers, top=_numbers, width=_numbers, height=_numbers)
_unknown_regions = st.builds(
    domain.UnknownRegion,
    st.dictionaries(st.just("Circle"), st.lists(_numbers) | st.dictionaries(_free_text, _numbers))
    | st.fixed_dictionaries({"BoundingBox": st.dictionaries(st.sampled_from(("Left", "Top", "Width")), _numbers)}),
)
_any_regions = st.lists(
    _any_boxes | st.builds(domain.Polygon, st.lists(_any_points, max_size=4)) | _unknown_regions, max_size=3
).map(tuple)
_face_search_settings = st.builds(
    domain.FaceSearchSettings, collection_id=collection_ids, face_match_threshold=_optional(_numbers)
)
_label_detection_settings = st.builds(
    domain.ConnectedHomeSettings, labels=_known_and_unknown_labels.filter(bool), min_confidence=_optional(_numbers)
)
summaries = st.builds(domain.StreamProcessorSummary, _free_text, _statuses)

RESPONSES: Mapping[type, SearchStrategy[object]] = {
    domain.CreatedStreamProcessor: st.builds(domain.CreatedStreamProcessor, _free_text),
    domain.StartedSession: st.builds(domain.StartedSession, _optional(_free_text)),
    domain.StreamProcessor: st.builds(
        domain.StreamProcessor,
        name=_free_text,
        stream_processor_arn=_free_text,
        status=_statuses,
        status_message=_optional(_free_text),
        creation_timestamp=_optional(_whole_seconds),
        last_update_timestamp=_optional(_whole_seconds),
        kinesis_video_stream_arn=_optional(_free_text),
        kinesis_data_stream_arn=_optional(_free_text),
        s3_destination=_optional(destinations),
        role_arn=_optional(_free_text),
        settings=_optional(_face_search_settings | _label_detection_settings),
        sns_topic_arn=_optional(_free_text),
        kms_key_id=_optional(_free_text),
        regions_of_interest=_any_regions,
        data_sharing_opt_in=_optional(st.booleans()),
    ),
    domain.StreamProcessorPage: st.builds(
        domain.StreamProcessorPage, st.lists(summaries, max_size=4).map(tuple), _optional(_free_text.filter(bool))
    ),
    domain.ResourceTags: st.builds(
        domain.ResourceTags,
        st.builds(domain.Tags, st.dictionaries(_free_text | st.just("aws:cdk"), _free_text, max_size=4)),
    ),
}

VALUES: Mapping[type, SearchStrategy[object]] = {
    **REQUESTS,
    **RESPONSES,
    domain.KinesisVideoStreamArn: video_stream_arns(),
    domain.KinesisDataStreamArn: data_stream_arns(),
    domain.SNSTopicArn: topic_arns(),
    domain.RoleArn: role_arns(),
    domain.StreamProcessorArn: processor_arns(),
    domain.Point: _any_points,
    domain.BoundingBox: _any_boxes,
    domain.Polygon: st.builds(domain.Polygon, st.lists(_any_points, max_size=4)),
    domain.ProducerTimestamp: producer_timestamps,
    domain.FragmentNumber: fragment_numbers,
    domain.StopSelector: stop_selectors,
    domain.S3Destination: destinations,
    domain.Tags: tags,
    domain.FaceSearchSettings: _face_search_settings,
    domain.ConnectedHomeSettings: _label_detection_settings,
    domain.StreamProcessorSummary: summaries,
    domain.UnknownRegion: _unknown_regions,
}
"""A strategy for every value class of the package."""
