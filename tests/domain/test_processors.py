"""The two kinds of processor to be created: what each needs, and what each cannot have."""

from __future__ import annotations

import enum
import math
from typing import Any

import attrs
import pytest
from hypothesis import given, settings

from aiorekostream.domain.enums import Label, ProcessorKind
from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor, S3Destination
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from tests import strategies

PLACE = "us-east-1:123456789012"
COMMON: dict[str, Any] = {
    "name": "front-door",
    "kinesis_video_stream_arn": f"arn:aws:kinesisvideo:{PLACE}:stream/front-door/1656000000000",
    "role_arn": "arn:aws:iam::123456789012:role/Rekognition",
}
FACES: dict[str, Any] = {
    **COMMON,
    "kinesis_data_stream_arn": f"arn:aws:kinesis:{PLACE}:stream/faces",
    "collection_id": "staff",
}
LABELS: dict[str, Any] = {
    **COMMON,
    "labels": ["PERSON"],
    "s3_destination": S3Destination("pictures"),
    "sns_topic_arn": f"arn:aws:sns:{PLACE}:doors",
}


def _face_search(**changes: Any) -> FaceSearchProcessor:  # noqa: ANN401 - whatever is tried
    return FaceSearchProcessor(**{**FACES, **changes})


def _label_detection(**changes: Any) -> LabelDetectionProcessor:  # noqa: ANN401 - whatever is tried
    return LabelDetectionProcessor(**{**LABELS, **changes})


def _issue(make: Any, **changes: Any) -> ValidationIssue:  # noqa: ANN401 - a class
    with pytest.raises(InvalidRequestError) as caught:
        make(**changes)
    (issue,) = caught.value.issues
    return issue


def test_each_kind_says_which_it_is() -> None:
    assert _face_search().kind is ProcessorKind.FACE_SEARCH
    assert _label_detection().kind is ProcessorKind.LABEL_DETECTION


@pytest.mark.parametrize("name", sorted(FACES))
def test_a_face_search_needs_every_one_of_these(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        FaceSearchProcessor(**{key: value for key, value in FACES.items() if key != name})
    assert _issue(_face_search, **{name: None}).path == name


@pytest.mark.parametrize("name", sorted(LABELS))
def test_a_label_detection_needs_every_one_of_these(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        LabelDetectionProcessor(**{key: value for key, value in LABELS.items() if key != name})
    assert _issue(_label_detection, **{name: None}).path == name


@pytest.mark.parametrize("name", ["s3_destination", "sns_topic_arn", "labels", "kms_key_id", "regions_of_interest"])
def test_a_face_search_has_no_place_for_what_belongs_to_label_detection(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        _face_search(**{name: LABELS.get(name, ())})


@pytest.mark.parametrize("name", ["kinesis_data_stream_arn", "collection_id", "face_match_threshold"])
def test_a_label_detection_has_no_place_for_what_belongs_to_face_search(name: str) -> None:
    with pytest.raises(TypeError, match=name):
        _label_detection(**{name: FACES.get(name, 80)})


# names, ids and other text


@pytest.mark.parametrize("good", ["a", "a" * 128, "A-z_0.9", "-", "..."])
def test_a_name_has_1_to_128_signs(good: str) -> None:
    assert _label_detection(name=good).name == good
    assert _face_search(name=good).name == good


@pytest.mark.parametrize(
    "wrong", ["", "a" * 129, "a b", "tür", "a\n", "\na", "a/b", "arn:aws:x", "\u0661", 5, b"a", None, True]
)
def test_another_name_is_refused(wrong: object) -> None:
    issue = _issue(_label_detection, name=wrong)
    assert (issue.path, issue.value) == ("name", wrong)
    assert "1 to 128" in issue.expected


@pytest.mark.parametrize("good", ["a", "a" * 255])
def test_a_collection_id_has_1_to_255_signs(good: str) -> None:
    assert _face_search(collection_id=good).collection_id == good


@pytest.mark.parametrize("wrong", ["", "a" * 256, "a b", "a\n", 5])
def test_another_collection_id_is_refused(wrong: object) -> None:
    assert "1 to 255" in _issue(_face_search, collection_id=wrong).expected


@pytest.mark.parametrize(
    "good",
    [
        "1234abcd-12ab-34cd-56ef-1234567890ab",
        "alias/doors",
        "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/1234abcd",
        "arn:aws:kms:us-east-1:123456789012:alias/doors",
        "a",
        "a" * 2048,
    ],
)
def test_a_kms_key_is_an_id_an_arn_or_an_alias(good: str) -> None:
    assert _label_detection(kms_key_id=good).kms_key_id == good


@pytest.mark.parametrize("wrong", ["", "a" * 2049, "/alias", "-a", "a b", "a\n", 5])
def test_another_kms_key_is_refused(wrong: object) -> None:
    issue = _issue(_label_detection, kms_key_id=wrong)
    assert issue.path == "kms_key_id"
    assert "1 to 2048" in issue.expected


@pytest.mark.parametrize("good", ["abc", "a" * 255, "My.Bucket_1-2"])
def test_a_bucket_has_3_to_255_signs(good: str) -> None:
    assert S3Destination(good).bucket == good


@pytest.mark.parametrize("wrong", ["", "ab", "a" * 256, "a/b", "buc\u212aet", "abc\n", "s3://abc", 555, None])
def test_another_bucket_is_refused(wrong: object) -> None:
    issue = _issue(S3Destination, bucket=wrong)
    assert issue.path == "bucket"
    assert "3 to 255" in issue.expected


@pytest.mark.parametrize("good", ["", "doors/", "a" * 1024, "Köln/日本 😀\n"])
def test_a_key_prefix_is_any_text_of_up_to_1024_characters(good: str) -> None:
    assert S3Destination("pictures", good).key_prefix == good


@pytest.mark.parametrize("wrong", ["a" * 1025, "\ud800", "a\udfffb", None, 5])
def test_a_key_prefix_that_cannot_be_sent_is_refused(wrong: object) -> None:
    issue = _issue(S3Destination, bucket="pictures", key_prefix=wrong)
    assert issue.path == "key_prefix"
    assert "1024" in issue.expected


def test_text_that_is_a_member_of_somebody_elses_enumeration_is_taken_as_its_text() -> None:
    class Door(str, enum.Enum):  # noqa: UP042 - as people have them
        FRONT = "front-door"

    name = _label_detection(name=Door.FRONT).name
    assert (name, type(name), str(name)) == ("front-door", str, "front-door")


# percentages


@pytest.mark.parametrize("good", [0, 100, 0.0, 100.0, 50, 79.9])
def test_a_confidence_and_a_similarity_are_percentages(good: float) -> None:
    assert _label_detection(min_confidence=good).min_confidence == good
    # AWS raises what is below 80 to 80, and refuses nothing.
    assert _face_search(face_match_threshold=good).face_match_threshold == good
    assert type(_face_search(face_match_threshold=good).face_match_threshold) is float


@pytest.mark.parametrize(
    "wrong", [-0.001, 100.001, math.nan, math.inf, -math.inf, pytest.param(10**400, id="huge"), True, "50", b"5", [50]]
)
def test_what_is_no_percentage_is_refused(wrong: object) -> None:
    for issue in (
        _issue(_label_detection, min_confidence=wrong),
        _issue(_face_search, face_match_threshold=wrong),
    ):
        assert issue.expected == "a number from 0 to 100"


@pytest.mark.parametrize("wrong", [0, 1, "true", "", [], object()])
def test_data_sharing_is_true_or_false_and_nothing_like_them(wrong: object) -> None:
    assert _issue(_label_detection, data_sharing_opt_in=wrong).expected == "True or False"
    assert _issue(_face_search, data_sharing_opt_in=wrong).expected == "True or False"


def test_what_may_be_left_to_aws_is_left_to_aws() -> None:
    assert _face_search().face_match_threshold is None
    assert _face_search().data_sharing_opt_in is None
    assert _label_detection().min_confidence is None
    assert _label_detection().kms_key_id is None
    assert _label_detection().regions_of_interest == ()
    assert _label_detection().tags == {}


# labels


@pytest.mark.parametrize(
    "good",
    [["PET"], ["PERSON", "ALL"], ["PERSON", "PET", "PACKAGE", "ALL"], [Label.PACKAGE, "PET"], iter(["PET"])],
    ids=str,
)
def test_any_subset_of_the_labels_is_good(good: Any) -> None:  # noqa: ANN401 - whatever can be iterated
    found = _label_detection(labels=good).labels
    assert {type(label) for label in found} == {Label}


@given(strategies.labels)
def test_labels_keep_their_order_and_a_set_gets_one(labels: tuple[Label, ...]) -> None:
    assert _label_detection(labels=labels).labels == labels
    assert _label_detection(labels=set(labels)).labels == tuple(sorted(labels))


@pytest.mark.parametrize(
    ("wrong", "path"),
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
def test_labels_that_aws_does_not_have_or_that_come_twice_are_refused(wrong: object, path: str) -> None:
    issue = _issue(_label_detection, labels=wrong)
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
def test_a_face_search_has_both_streams_in_one_region(data: str) -> None:
    issue = _issue(_face_search, kinesis_data_stream_arn=data)
    assert issue.path == "kinesis_data_stream_arn"
    assert issue.value == data
    assert issue.expected == "a stream in the Region of the video stream, us-east-1 (partition aws)"


@settings(max_examples=20)
@given(strategies.face_search_processors())
def test_streams_in_one_region_are_good_in_every_partition(processor: FaceSearchProcessor) -> None:
    assert processor.kinesis_video_stream_arn.region == processor.kinesis_data_stream_arn.region


def test_streams_are_not_compared_while_one_of_them_is_wrong() -> None:
    issue = _issue(_face_search, kinesis_data_stream_arn="nonsense")
    assert issue.expected.startswith("an ARN such as")


@pytest.mark.parametrize("wrong", ["pictures", {"Bucket": "pictures"}, None, S3Destination])
def test_the_destination_is_an_s3_destination(wrong: object) -> None:
    issue = _issue(_label_detection, s3_destination=wrong)
    assert (issue.path, issue.expected) == ("s3_destination", "an S3Destination")


def test_a_field_is_looked_at_again_when_a_value_evolves() -> None:
    processor = _face_search()
    assert attrs.evolve(processor, name="lobby").name == "lobby"
    with pytest.raises(InvalidRequestError, match="name: must be 1 to 128 characters"):
        attrs.evolve(processor, name="")
