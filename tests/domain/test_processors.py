"""Processors of both kinds: required, optional and forbidden fields, and their validation."""

from __future__ import annotations

import enum
import math
from typing import Any

import attrs
import pytest
from hypothesis import given

from aiorekostream.domain.enums import Label, ProcessorKind
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor, S3Destination
from aiorekostream.domain.requests import RESET, LabelDetectionUpdate
from aiorekostream.errors import AwsGuidanceWarning, InvalidRequestError, ValidationIssue
from tests import strategies
from tests.effort import examples

REGION_AND_ACCOUNT = "us-east-1:123456789012"
COMMON: dict[str, Any] = {
    "name": "front-door",
    "kinesis_video_stream_arn": f"arn:aws:kinesisvideo:{REGION_AND_ACCOUNT}:stream/front-door/1656000000000",
    "role_arn": "arn:aws:iam::123456789012:role/Rekognition",
}
FACES: dict[str, Any] = {
    **COMMON,
    "kinesis_data_stream_arn": f"arn:aws:kinesis:{REGION_AND_ACCOUNT}:stream/faces",
    "collection_id": "staff",
}
LABELS: dict[str, Any] = {
    **COMMON,
    "labels": ["PERSON"],
    "s3_destination": S3Destination("pictures"),
    "sns_topic_arn": f"arn:aws:sns:{REGION_AND_ACCOUNT}:doors",
}


def _face_search(**changes: Any) -> FaceSearchProcessor:  # noqa: ANN401 - any field and value
    return FaceSearchProcessor(**{**FACES, **changes})


def _label_detection(**changes: Any) -> LabelDetectionProcessor:  # noqa: ANN401 - any field and value
    return LabelDetectionProcessor(**{**LABELS, **changes})


def _issue(make: Any, **changes: Any) -> ValidationIssue:  # noqa: ANN401 - any callable
    with pytest.raises(InvalidRequestError) as caught:
        make(**changes)
    (issue,) = caught.value.issues
    return issue


def test_processor_has_its_kind() -> None:
    assert _face_search().kind is ProcessorKind.FACE_SEARCH
    assert _label_detection().kind is ProcessorKind.LABEL_DETECTION


@pytest.mark.parametrize("name", sorted(FACES))
def test_face_search_requires_the_field(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        FaceSearchProcessor(**{key: value for key, value in FACES.items() if key != name})
    assert _issue(_face_search, **{name: None}).path == name


@pytest.mark.parametrize("name", sorted(LABELS))
def test_label_detection_requires_the_field(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        LabelDetectionProcessor(**{key: value for key, value in LABELS.items() if key != name})
    assert _issue(_label_detection, **{name: None}).path == name


@pytest.mark.parametrize("name", ["s3_destination", "sns_topic_arn", "labels", "kms_key_id"])
def test_face_search_has_no_fields_of_label_detection(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        _face_search(**{name: LABELS.get(name, ())})


@pytest.mark.parametrize("name", ["kinesis_data_stream_arn", "collection_id", "face_match_threshold"])
def test_label_detection_has_no_fields_of_face_search(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        _label_detection(**{name: FACES.get(name, 80)})


# names, ids and other text


@pytest.mark.parametrize("valid", ["a", "a" * 128, "A-z_0.9", "-", "..."])
def test_processor_name_accepts_1_to_128_characters(valid: str) -> None:
    assert _label_detection(name=valid).name == valid
    assert _face_search(name=valid).name == valid


@pytest.mark.parametrize(
    "invalid", ["", "a" * 129, "a b", "tür", "a\n", "\na", "a/b", "arn:aws:x", "\u0661", 5, b"a", None, True]
)
def test_processor_name_rejects_other_values(invalid: object) -> None:
    issue = _issue(_label_detection, name=invalid)
    assert (issue.path, issue.value) == ("name", invalid)
    assert "1 to 128" in issue.expected


@pytest.mark.parametrize("valid", ["a", "a" * 255])
def test_collection_id_accepts_1_to_255_characters(valid: str) -> None:
    assert _face_search(collection_id=valid).collection_id == valid


@pytest.mark.parametrize("invalid", ["", "a" * 256, "a b", "a\n", 5])
def test_collection_id_rejects_other_values(invalid: object) -> None:
    assert "1 to 255" in _issue(_face_search, collection_id=invalid).expected


@pytest.mark.parametrize(
    "valid",
    [
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "alias/doors",
        "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/1234abcd",
        "arn:aws:kms:us-east-1:123456789012:alias/doors",
        "a",
        "a" * 2048,
    ],
)
def test_kms_key_id_accepts_an_id_an_arn_or_an_alias(valid: str) -> None:
    assert _label_detection(kms_key_id=valid).kms_key_id == valid


@pytest.mark.parametrize("invalid", ["", "a" * 2049, "/alias", "-a", "a b", "a\n", 5])
def test_kms_key_id_rejects_other_values(invalid: object) -> None:
    issue = _issue(_label_detection, kms_key_id=invalid)
    assert issue.path == "kms_key_id"
    assert "1 to 2048" in issue.expected


@pytest.mark.parametrize("valid", ["abc", "a" * 255, "My.Bucket_1-2"])
def test_bucket_accepts_3_to_255_characters(valid: str) -> None:
    assert S3Destination(valid).bucket == valid


@pytest.mark.parametrize("invalid", ["", "ab", "a" * 256, "a/b", "buc\u212aet", "abc\n", "s3://abc", 555, None])
def test_bucket_rejects_other_values(invalid: object) -> None:
    issue = _issue(S3Destination, bucket=invalid)
    assert issue.path == "bucket"
    assert "3 to 255" in issue.expected


@pytest.mark.parametrize("valid", ["", "doors/", "a" * 1024, "Köln/日本 😀\n"])
def test_key_prefix_accepts_text_of_up_to_1024_characters(valid: str) -> None:
    assert S3Destination("pictures", valid).key_prefix == valid


@pytest.mark.parametrize("invalid", ["a" * 1025, "\ud800", "a\udfffb", None, 5])
def test_key_prefix_rejects_text_that_cannot_be_sent(invalid: object) -> None:
    issue = _issue(S3Destination, bucket="pictures", key_prefix=invalid)
    assert issue.path == "key_prefix"
    assert "1024" in issue.expected


def test_text_field_converts_a_foreign_enum_member_to_plain_text() -> None:
    class Door(str, enum.Enum):  # noqa: UP042 - existing programs define enums like this
        FRONT = "front-door"

    name = _label_detection(name=Door.FRONT).name
    assert (name, type(name), str(name)) == ("front-door", str, "front-door")


# percentages


@pytest.mark.parametrize("valid", [0, 100, 0.0, 100.0, 50, 79.9])
def test_percentage_accepts_0_to_100_and_returns_a_float(valid: float) -> None:
    assert _label_detection(min_confidence=valid).min_confidence == valid
    # AWS accepts a value below 80 and treats it as 80.
    assert _face_search(face_match_threshold=valid).face_match_threshold == valid
    assert type(_face_search(face_match_threshold=valid).face_match_threshold) is float


@pytest.mark.parametrize(
    "invalid",
    [-0.001, 100.001, math.nan, math.inf, -math.inf, pytest.param(10**400, id="huge"), True, "50", b"5", [50]],
)
def test_percentage_rejects_other_values(invalid: object) -> None:
    for issue in (
        _issue(_label_detection, min_confidence=invalid),
        _issue(_face_search, face_match_threshold=invalid),
    ):
        assert issue.expected == "a number from 0 to 100"


@pytest.mark.parametrize("invalid", [0, 1, "true", "", [], object()])
def test_data_sharing_rejects_values_that_are_not_bool(invalid: object) -> None:
    assert _issue(_label_detection, data_sharing_opt_in=invalid).expected == "True or False"
    assert _issue(_face_search, data_sharing_opt_in=invalid).expected == "True or False"


def test_processor_leaves_optional_fields_to_aws_by_default() -> None:
    assert _face_search().face_match_threshold is None
    assert _face_search().data_sharing_opt_in is None
    assert _label_detection().min_confidence is None
    assert _label_detection().kms_key_id is None
    assert _label_detection().regions_of_interest == ()
    assert _label_detection().tags == {}


# labels


@pytest.mark.parametrize(
    "valid",
    [["PET"], ["PERSON", "ALL"], ["PERSON", "PET", "PACKAGE", "ALL"], [Label.PACKAGE, "PET"], iter(["PET"])],
    ids=str,
)
def test_labels_accept_any_subset_of_the_known_labels(valid: Any) -> None:  # noqa: ANN401 - any iterable
    labels = _label_detection(labels=valid).labels
    assert {type(label) for label in labels} == {Label}


@given(strategies.labels)
def test_labels_keep_their_order_and_a_set_is_sorted(labels: tuple[Label, ...]) -> None:
    assert _label_detection(labels=labels).labels == labels
    assert _label_detection(labels=set(labels)).labels == tuple(sorted(labels))


@pytest.mark.parametrize(
    ("invalid", "path"),
    [
        (["PERSON", "person"], "labels[1]"),
        (["VEHICLE"], "labels[0]"),
        ([""], "labels[0]"),
        ([None], "labels[0]"),
        ([b"PET"], "labels[0]"),
        ([Label("VEHICLE")], "labels[0]"),
        (["PET", "PERSON", "PET"], "labels"),
        ([Label.PET, "PET"], "labels"),
        ([], "labels"),
        ("PET", "labels"),
        (b"PET", "labels"),
        ({"PET": 1}, "labels"),
        (5, "labels"),
    ],
    ids=str,
)
def test_labels_reject_unknown_duplicate_and_missing_labels(invalid: object, path: str) -> None:
    issue = _issue(_label_detection, labels=invalid)
    assert issue.path == path
    assert "PERSON, PET, PACKAGE, ALL" in issue.expected


# between fields


@pytest.mark.parametrize(
    "data",
    [
        "arn:aws:kinesis:us-west-2:123456789012:stream/faces",
        "arn:aws-us-gov:kinesis:us-east-1:123456789012:stream/faces",
    ],
)
def test_face_search_rejects_streams_in_different_regions(data: str) -> None:
    issue = _issue(_face_search, kinesis_data_stream_arn=data)
    assert issue.path == "kinesis_data_stream_arn"
    assert issue.value == data
    assert issue.expected == "a stream in the Region of the video stream, us-east-1 (partition aws)"


@pytest.mark.filterwarnings("ignore::aiorekostream.errors.AwsGuidanceWarning")
@examples(20)
@given(strategies.face_search_processors())
def test_face_search_accepts_streams_in_one_region_of_any_partition(processor: FaceSearchProcessor) -> None:
    assert processor.kinesis_video_stream_arn.region == processor.kinesis_data_stream_arn.region


def test_face_search_does_not_compare_streams_when_one_is_invalid() -> None:
    issue = _issue(_face_search, kinesis_data_stream_arn="nonsense")
    assert issue.expected.startswith("an ARN such as")


@pytest.mark.parametrize("invalid", ["pictures", {"Bucket": "pictures"}, None, S3Destination])
def test_label_detection_rejects_another_type_of_destination(invalid: object) -> None:
    issue = _issue(_label_detection, s3_destination=invalid)
    assert (issue.path, issue.expected) == ("s3_destination", "an S3Destination")


def test_processor_is_validated_again_when_evolved() -> None:
    processor = _face_search()
    assert attrs.evolve(processor, name="lobby").name == "lobby"
    with pytest.raises(InvalidRequestError, match="name: must be 1 to 128 characters"):
        attrs.evolve(processor, name="")


# guidance


@pytest.mark.parametrize("value", [0.001, 0.85, 1, 1.0])
def test_processor_warns_of_a_ratio_where_percent_is_meant(value: float) -> None:
    """AWS accepts it, and 0.85 means 0.85 %."""
    for name, make in (("face_match_threshold", _face_search), ("min_confidence", _label_detection)):
        with pytest.warns(AwsGuidanceWarning, match=f"{name} is a percentage from 0 to 100: {value:g} means") as caught:
            assert getattr(make(**{name: value}), name) == value
        assert [warning.filename for warning in caught] == [__file__]
    with pytest.warns(AwsGuidanceWarning, match="min_confidence") as caught:
        LabelDetectionUpdate(name="front-door", min_confidence=value)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize("value", [None, 0, 1.001, 50, 100])
def test_processor_does_not_warn_of_other_percentages(value: float | None) -> None:
    """Warnings are errors in the tests."""
    assert _face_search(face_match_threshold=value).face_match_threshold == value
    assert _label_detection(min_confidence=value).min_confidence == value


def test_update_does_not_warn_of_a_confidence_that_is_not_a_number() -> None:
    assert LabelDetectionUpdate(name="front-door", min_confidence=RESET).min_confidence is RESET


def test_face_search_warns_of_regions_of_interest() -> None:
    box = BoundingBox(left=0, top=0, width=0.5, height=0.5)
    with pytest.warns(AwsGuidanceWarning, match="should not have regions of interest"):
        assert _face_search(regions_of_interest=[box]).regions_of_interest == (box,)
    assert _face_search(regions_of_interest=[]) == _face_search()


def test_invalid_processor_raises_without_a_warning() -> None:
    assert _issue(_label_detection, min_confidence=0.85, name="").path == "name"
