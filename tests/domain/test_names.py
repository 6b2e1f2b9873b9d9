"""ARNs of every kind and partition, and text that is rejected."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.domain.names import (
    Arn,
    KinesisDataStreamArn,
    KinesisVideoStreamArn,
    RoleArn,
    SNSTopicArn,
    StreamProcessorArn,
)
from aiorekostream.errors import InvalidRequestError
from tests.effort import examples
from tests.strategies import PARTITION_REGIONS, VALUES

KINDS: dict[type[Arn], str] = {
    KinesisVideoStreamArn: "arn:{}:kinesisvideo:{}:123456789012:stream/front-door/1656000000000",
    KinesisDataStreamArn: "arn:{}:kinesis:{}:123456789012:stream/faces",
    SNSTopicArn: "arn:{}:sns:{}:123456789012:AmazonRekognitionDoors",
    StreamProcessorArn: "arn:{}:rekognition:{}:123456789012:streamprocessor/front-door",
}
ROLE = "arn:{}:iam::123456789012:role/service-role/Rekognition"
ALL: dict[type[Arn], str] = {**KINDS, RoleArn: ROLE}

each_kind = pytest.mark.parametrize(("kind", "text"), ALL.items(), ids=lambda value: getattr(value, "__name__", ""))


def _rejection(kind: type[Arn], text: object) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        kind.parse(text)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    (issue,) = caught.value.issues
    assert issue.value is text
    return issue.expected


@pytest.mark.parametrize(("partition", "region"), PARTITION_REGIONS)
@pytest.mark.parametrize(("kind", "text"), KINDS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_arn_parses_in_every_partition(kind: type[Arn], text: str, partition: str, region: str) -> None:
    arn = kind.parse(text.format(partition, region))
    assert (arn.partition, arn.region, arn.account_id) == (partition, region, "123456789012")
    assert str(arn) == text.format(partition, region)


@pytest.mark.parametrize("partition", sorted({partition for partition, _ in PARTITION_REGIONS}))
def test_role_arn_parses_in_every_partition(partition: str) -> None:
    role = RoleArn.parse(ROLE.format(partition))
    assert (role.partition, role.region, role.resource) == (partition, "", "role/service-role/Rekognition")


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
@examples(30)
@given(data=st.data())
def test_arn_round_trips_through_text(kind: type[Arn], data: st.DataObject) -> None:
    arn = data.draw(VALUES[kind])
    assert kind.parse(str(arn)) == arn


@each_kind
def test_arn_parse_returns_a_parsed_arn_as_it_is(kind: type[Arn], text: str) -> None:
    arn = kind.parse(text.format("aws", "us-east-1"))
    assert kind.parse(arn) is arn


@pytest.mark.parametrize(
    ("defect", "change"),
    [
        ("an empty text", (r".*", "")),
        ("a newline at the end", (r"$", "\n")),
        ("a space before", (r"^", " ")),
        ("an account of 11 digits", (r"123456789012", "12345678901")),
        ("an account of 13 digits", (r"123456789012", "1234567890123")),
        ("an account in Arabic digits", (r"123456789012", "١٢٣٤٥٦٧٨٩٠١٢")),
        ("no account", (r"123456789012", "")),
        ("another service", (r":(kinesisvideo|kinesis|sns|iam|rekognition):", ":lambda:")),
        ("no partition", (r"^arn:aws:", "arn::")),
        ("a partition that is not of AWS", (r"^arn:aws:", "arn:azure:")),
        ("capitals in the partition", (r"^arn:aws:", "arn:AWS:")),
        ("no resource", (r"[^:]*$", "")),
        ("another kind of resource", (r"[^:]*$", "thing/front-door")),
        ("a resource with a character that names cannot have", (r"$", "ü")),
        ("no scheme", (r"^arn:", "")),
    ],
)
@each_kind
def test_arn_parse_rejects_malformed_text(kind: type[Arn], text: str, defect: str, change: tuple[str, str]) -> None:
    if kind is SNSTopicArn and defect == "another kind of resource":
        change = (r"[^:]*$", "a:b")
    malformed = re.sub(change[0], change[1], text.format("aws", "us-east-1"), count=1)
    assert "an ARN such as arn:aws:" in _rejection(kind, malformed)


@each_kind
def test_arn_parse_rejects_a_region_that_does_not_fit_the_service(kind: type[Arn], text: str) -> None:
    """A role has no Region; every other ARN has one."""
    valid = text.format("aws", "us-east-1")
    invalid = valid.replace("::", ":us-east-1:") if kind is RoleArn else valid.replace(":us-east-1:", "::")
    _rejection(kind, invalid)


@each_kind
def test_arn_parse_rejects_an_arn_of_another_kind(kind: type[Arn], text: str) -> None:
    del text
    others = {other: pattern.format("aws", "us-east-1") for other, pattern in ALL.items() if other is not kind}
    for other, arn in others.items():
        _rejection(kind, arn)
        _rejection(kind, other.parse(arn))


@pytest.mark.parametrize(
    "region", ["", "useast1", "us-east-", "US-EAST-1", "us-east-1a", "us-east-\u0661", "us_east_1"]
)
def test_arn_parse_rejects_a_malformed_region(region: str) -> None:
    _rejection(KinesisDataStreamArn, KINDS[KinesisDataStreamArn].format("aws", region))


@pytest.mark.parametrize(
    ("kind", "resource", "most"),
    [
        (KinesisVideoStreamArn, "stream/", 256),
        (KinesisDataStreamArn, "stream/", 128),
        (SNSTopicArn, "", 256),
        (StreamProcessorArn, "streamprocessor/", 128),
    ],
)
def test_arn_limits_the_length_of_the_resource_name(kind: type[Arn], resource: str, most: int) -> None:
    prefix = ("aws", "us-east-1", "123456789012")
    assert kind(*prefix, resource + "a" * most).resource == resource + "a" * most
    for invalid in ("", "a" * (most + 1)):
        with pytest.raises(InvalidRequestError, match="must be an ARN such as"):
            kind(*prefix, resource + invalid)


def test_video_stream_arn_parses_without_the_creation_time() -> None:
    # Kinesis Video Streams always appends it, but examples in Rekognition's documentation omit it.
    assert KinesisVideoStreamArn.parse("arn:aws:kinesisvideo:us-west-2:123456789012:stream/lobby").region == "us-west-2"


@pytest.mark.parametrize("resource", ["role/", "role", "role/a/", "user/a", "role/a b"])
def test_role_arn_requires_a_name(resource: str) -> None:
    _rejection(RoleArn, f"arn:aws:iam::123456789012:{resource}")


@pytest.mark.parametrize("invalid", [None, 5, b"arn:aws:iam::123456789012:role/a", ["arn"], object()])
@each_kind
def test_arn_parse_rejects_values_that_are_not_text(kind: type[Arn], text: str, invalid: object) -> None:
    del text
    _rejection(kind, invalid)


def test_arn_rejects_a_part_that_is_not_text_when_its_text_is_valid() -> None:
    with pytest.raises(InvalidRequestError, match="must be an ARN such as"):
        RoleArn("aws", "", 123456789012, "role/a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_arn_base_class_has_no_instances() -> None:
    with pytest.raises(InvalidRequestError, match="KinesisVideoStreamArn"):
        Arn.parse("arn:aws:iam::123456789012:role/a")
    with pytest.raises(InvalidRequestError, match="KinesisVideoStreamArn"):
        Arn("aws", "", "123456789012", "role/a")
