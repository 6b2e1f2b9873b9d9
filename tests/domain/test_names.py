"""ARNs: what is one, in which partition, and what only looks like one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
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
from tests.strategies import PLACES, VALUES

KINDS: dict[type[Arn], str] = {
    KinesisVideoStreamArn: "arn:{}:kinesisvideo:{}:123456789012:stream/front-door/1656000000000",
    KinesisDataStreamArn: "arn:{}:kinesis:{}:123456789012:stream/faces",
    SNSTopicArn: "arn:{}:sns:{}:123456789012:AmazonRekognitionDoors",
    StreamProcessorArn: "arn:{}:rekognition:{}:123456789012:streamprocessor/front-door",
}
ROLE = "arn:{}:iam::123456789012:role/service-role/Rekognition"
ALL: dict[type[Arn], str] = {**KINDS, RoleArn: ROLE}

each_kind = pytest.mark.parametrize(("kind", "text"), ALL.items(), ids=lambda it: getattr(it, "__name__", ""))


def _refusal(kind: type[Arn], text: object) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        kind.parse(text)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    (issue,) = caught.value.issues
    assert issue.value is text
    return issue.expected


@pytest.mark.parametrize(("partition", "region"), PLACES)
@pytest.mark.parametrize(("kind", "text"), KINDS.items(), ids=lambda it: getattr(it, "__name__", ""))
def test_every_partition_has_good_arns(kind: type[Arn], text: str, partition: str, region: str) -> None:
    arn = kind.parse(text.format(partition, region))
    assert (arn.partition, arn.region, arn.account_id) == (partition, region, "123456789012")
    assert str(arn) == text.format(partition, region)


@pytest.mark.parametrize("partition", sorted({partition for partition, _ in PLACES}))
def test_every_partition_has_good_roles(partition: str) -> None:
    role = RoleArn.parse(ROLE.format(partition))
    assert (role.partition, role.region, role.resource) == (partition, "", "role/service-role/Rekognition")


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_an_arn_reads_back_from_its_text(kind: type[Arn], data: st.DataObject) -> None:
    arn = data.draw(VALUES[kind])
    assert kind.parse(str(arn)) == arn


@each_kind
def test_an_arn_that_is_parsed_passes(kind: type[Arn], text: str) -> None:
    arn = kind.parse(text.format("aws", "us-east-1"))
    assert kind.parse(arn) is arn


@pytest.mark.parametrize(
    ("what", "change"),
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
        ("a resource with a letter that names cannot have", (r"$", "ü")),
        ("no scheme", (r"^arn:", "")),
    ],
)
@each_kind
def test_what_only_looks_like_an_arn_is_refused(kind: type[Arn], text: str, what: str, change: tuple[str, str]) -> None:
    if kind is SNSTopicArn and what == "another kind of resource":
        change = (r"[^:]*$", "a:b")
    wrong = re.sub(change[0], change[1], text.format("aws", "us-east-1"), count=1)
    assert "an ARN such as arn:aws:" in _refusal(kind, wrong)


@each_kind
def test_the_region_belongs_only_where_the_service_has_one(kind: type[Arn], text: str) -> None:
    good = text.format("aws", "us-east-1")
    wrong = good.replace("::", ":us-east-1:") if kind is RoleArn else good.replace(":us-east-1:", "::")
    _refusal(kind, wrong)


@each_kind
def test_the_arn_of_another_kind_is_refused(kind: type[Arn], text: str) -> None:
    del text
    others = {other: pattern.format("aws", "us-east-1") for other, pattern in ALL.items() if other is not kind}
    for other, wrong in others.items():
        _refusal(kind, wrong)
        _refusal(kind, other.parse(wrong))


@pytest.mark.parametrize(
    "region", ["", "useast1", "us-east-", "US-EAST-1", "us-east-1a", "us-east-\u0661", "us_east_1"]
)
def test_a_region_that_is_none_is_refused(region: str) -> None:
    _refusal(KinesisDataStreamArn, KINDS[KinesisDataStreamArn].format("aws", region))


@pytest.mark.parametrize(
    ("kind", "resource", "most"),
    [
        (KinesisVideoStreamArn, "stream/", 256),
        (KinesisDataStreamArn, "stream/", 128),
        (SNSTopicArn, "", 256),
        (StreamProcessorArn, "streamprocessor/", 128),
    ],
)
def test_a_resource_may_be_as_long_as_its_service_allows(kind: type[Arn], resource: str, most: int) -> None:
    place = ("aws", "us-east-1", "123456789012")
    assert kind(*place, resource + "a" * most).resource == resource + "a" * most
    for wrong in ("", "a" * (most + 1)):
        with pytest.raises(InvalidRequestError, match="must be an ARN such as"):
            kind(*place, resource + wrong)


def test_a_video_stream_may_lack_the_time_of_its_creation() -> None:
    # The number is the rule of Kinesis Video Streams, but Rekognition's own examples leave it out.
    assert KinesisVideoStreamArn.parse("arn:aws:kinesisvideo:us-west-2:123456789012:stream/lobby").region == "us-west-2"


@pytest.mark.parametrize("resource", ["role/", "role", "role/a/", "user/a", "role/a b"])
def test_a_role_needs_a_name(resource: str) -> None:
    _refusal(RoleArn, f"arn:aws:iam::123456789012:{resource}")


@pytest.mark.parametrize("wrong", [None, 5, b"arn:aws:iam::123456789012:role/a", ["arn"], object()])
@each_kind
def test_what_is_no_text_is_refused(kind: type[Arn], text: str, wrong: object) -> None:
    del text
    _refusal(kind, wrong)


def test_parts_of_other_types_are_refused_although_they_read_the_same() -> None:
    with pytest.raises(InvalidRequestError, match="must be an ARN such as"):
        RoleArn("aws", "", 123456789012, "role/a")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_there_is_no_arn_of_no_particular_kind() -> None:
    with pytest.raises(InvalidRequestError, match="KinesisVideoStreamArn"):
        Arn.parse("arn:aws:iam::123456789012:role/a")
    with pytest.raises(InvalidRequestError, match="KinesisVideoStreamArn"):
        Arn("aws", "", "123456789012", "role/a")
