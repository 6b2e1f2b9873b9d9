"""What label detections report, in the pure world: no HTTP, and the time is an argument."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from aiorekostream.domain.enums import Label
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.emulator import Appearance, DependencyFaults, Detection, Footage, Timings, VideoMoment
from aiorekostream.emulator.world import World
from aiorekostream.emulator.world.notifications import Notification
from aiorekostream.emulator.world.objects import Picture, StoredObject
from aiorekostream.emulator.world.result_sink import NoResults
from aiorekostream.limits import Limits
from tests.emulator.samples import ACCOUNT, HERE, WorldHarness, labels, session, video

if TYPE_CHECKING:
    from aiorekostream.emulator.world.identity import Caller

BOX = BoundingBox(left=0.125, top=0.25, width=0.1875, height=0.5)


@attrs.define
class KeptResults(NoResults):
    """Keeps what is reported."""

    opened: list[tuple[str, str]] = attrs.field(factory=list)
    notifications: list[Notification] = attrs.field(factory=list)
    objects: list[StoredObject] = attrs.field(factory=list)

    def open(self, owner: Caller, topic_arn: str, bucket: str, now: float) -> None:
        del owner, now
        self.opened.append((topic_arn, bucket))

    def store(self, stored: StoredObject) -> None:
        self.objects.append(stored)

    def publish(self, notification: Notification) -> None:
        self.notifications.append(notification)

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(notification.message) for notification in self.notifications]

    @property
    def course(self) -> list[tuple[float, str]]:
        """The time of each message after the start at 1000, with the labels or the type of the event."""
        return [
            (
                round(notification.at - 1000, 6),
                " ".join(label["name"] for label in message.get("labels", [])) or notification.event,
            )
            for notification, message in zip(self.notifications, self.messages, strict=True)
        ]


@attrs.define
class Household(WorldHarness):
    """A world with footage, whose results are kept."""

    results: KeptResults = attrs.field(factory=KeptResults)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        super().wait(seconds)
        self.world.advance(self.now)


def household(
    *appearances: Appearance,
    analyst: Any = None,  # noqa: ANN401 - an Analyst
    timings: Timings | None = None,
    dependency_faults: DependencyFaults | None = None,
    **changes: object,
) -> Household:
    """Return a world with a label detection named door."""
    numbers, results = itertools.count(1), KeptResults()
    world = World(
        new_id=lambda: f"session-{next(numbers)}",
        timings=timings or Timings(detecting=0.5),
        dependency_faults=dependency_faults or DependencyFaults(),
        analyst=analyst or Footage(appearances),
        sink=results,
    )
    home = Household(world, results=results)
    home.done("CreateStreamProcessor", **labels("door", **changes))
    return home


COMPLETE = "STREAM_PROCESSING_COMPLETE"


def test_label_is_reported_once_in_a_session_at_its_first_occurrence() -> None:
    """A person at 2 s, a package at 4 s and a person at 6 s are two messages, and the summary is the third."""
    home = household(
        Appearance(Label.PERSON, at=2, duration=1),
        Appearance(Label.PACKAGE, at=4, duration=1),
        Appearance(Label.PERSON, at=6),
    )
    home.done("StartStreamProcessor", **session("door", seconds=10))
    assert home.results.course == []
    home.wait(2.5)
    assert home.results.course == [(2.5, "PERSON")]
    home.wait(600)
    assert home.results.course == [(2.5, "PERSON"), (4.5, "PACKAGE"), (10, COMPLETE)]


def test_message_of_a_detection_is_spelled_as_at_aws() -> None:
    """The order of the members is that of the records that were seen in public."""
    home = household(Appearance(Label.PERSON, at=2, bounding_box=BOX), Tags={"site": "north"})
    home.done("StartStreamProcessor", **session("door", seconds=30))
    home.wait(2.5)
    (notification,) = home.results.notifications
    assert json.dumps(json.loads(notification.message), separators=(",", ":")) == notification.message
    event_id = notification.event_id
    key = f"doors/door/session-1/{event_id}"
    (message,) = home.results.messages
    mapping = message["labels"][0]["videoMapping"]["kinesisVideoMapping"]
    expected = {
        "inputInformation": {"kinesisVideo": {"streamArn": video("door")}},
        "eventNamespace": {"type": "LABEL_DETECTED"},
        "labels": [
            {
                "id": message["labels"][0]["id"],
                "name": "PERSON",
                "frameImageUri": f"s3://pictures/{key}/frame.jpg",
                "croppedImageUri": f"s3://pictures/{key}/crop-1.jpg",
                "videoMapping": {
                    "kinesisVideoMapping": {
                        "fragmentNumber": mapping["fragmentNumber"],
                        "serverTimestamp": mapping["serverTimestamp"],
                        "producerTimestamp": 1_655_930_624_000,
                        "frameOffsetMillis": 1_123,
                    }
                },
                "boundingBox": {"left": 0.125, "top": 0.25, "height": 0.5, "width": 0.1875},
                "confidence": 97.25,
            }
        ],
        "eventId": event_id,
        "tags": {"site": "north"},
        "sessionId": "session-1",
        "startStreamProcessorRequest": {
            "name": "door",
            "startSelector": {"kvsStreamStartSelector": {"producerTimestamp": 1_655_930_623_123}},
            "stopSelector": {"maxDurationInSeconds": 30},
        },
    }
    assert json.dumps(message) == json.dumps(expected)
    assert mapping["fragmentNumber"].isdecimal()
    assert mapping["serverTimestamp"] > mapping["producerTimestamp"]
    assert (notification.topic_arn, notification.processor) == (f"arn:aws:sns:us-east-1:{ACCOUNT}:doors", "door")


def test_message_of_the_end_is_spelled_as_at_aws() -> None:
    home = household()
    home.done("StartStreamProcessor", **session("door", seconds=30))
    home.wait(30)
    (message,) = home.results.messages
    expected = {
        "inputInformation": {"kinesisVideo": {"streamArn": video("door"), "processedVideoDurationMillis": 30_000}},
        "eventNamespace": {"type": COMPLETE},
        "streamProcessingResults": {"message": "Stream processing has completed."},
        "eventId": message["eventId"],
        "tags": {},
        "sessionId": "session-1",
        "startStreamProcessorRequest": {
            "name": "door",
            "startSelector": {"kvsStreamStartSelector": {"producerTimestamp": 1_655_930_623_123}},
            "stopSelector": {"maxDurationInSeconds": 30},
        },
    }
    assert json.dumps(message) == json.dumps(expected)


def test_envelope_is_that_of_sns() -> None:
    home = household()
    home.done("StartStreamProcessor", **session("door"))
    home.wait(10)
    (notification,) = home.results.notifications
    envelope = json.loads(notification.envelope())
    assert list(envelope) == [
        "Type",
        "MessageId",
        "TopicArn",
        "Subject",
        "Message",
        "Timestamp",
        "SignatureVersion",
        "Signature",
        "SigningCertURL",
        "UnsubscribeURL",
    ]
    assert envelope["Message"] == notification.message
    assert envelope["Subject"] == "Rekognition Stream Processing Event"
    assert notification.envelope().startswith('{\n  "Type" : "Notification",\n  "MessageId" : ')
    assert envelope["Timestamp"] == "1970-01-01T00:16:50.000Z"


def test_labels_of_one_class_in_one_frame_are_one_message() -> None:
    home = household(Appearance(Label.PERSON, at=2), Appearance(Label.PACKAGE, at=2), Appearance(Label.PERSON, at=2))
    home.done("StartStreamProcessor", **session("door"))
    home.wait(10)
    assert home.results.course == [(2.5, "PERSON PERSON"), (2.5, "PACKAGE"), (10, COMPLETE)]
    assert len({label["id"] for message in home.results.messages for label in message.get("labels", [])}) == 3


def test_event_ids_differ_between_events_and_sessions() -> None:
    home = household(Appearance(Label.PERSON), Appearance(Label.PACKAGE))
    for _ in range(2):
        home.done("StartStreamProcessor", **session("door"))
        home.wait(10)
    assert len({message["eventId"] for message in home.results.messages}) == 6


@pytest.mark.parametrize(
    ("wanted", "reported"),
    [(["PERSON"], {"PERSON"}), (["PET", "PACKAGE"], {"PET", "PACKAGE"}), (["ALL"], {"PERSON", "PET", "PACKAGE"})],
)
def test_only_the_labels_of_the_processor_are_reported(wanted: list[str], reported: set[str]) -> None:
    home = household(
        *(Appearance(label) for label in (Label.PERSON, Label.PET, Label.PACKAGE)),
        Settings={"ConnectedHome": {"Labels": wanted}},
    )
    home.done("StartStreamProcessor", **session("door"))
    home.wait(10)
    assert {label for _, label in home.results.course} - {COMPLETE} == reported


def test_label_is_reported_once_its_confidence_is_sufficient() -> None:
    home = household(
        Appearance(Label.PERSON, at=1, duration=2, confidence=79),
        Appearance(Label.PERSON, at=4, confidence=80),
        Settings={"ConnectedHome": {"Labels": ["PERSON"], "MinConfidence": 80}},
    )
    home.done("StartStreamProcessor", **session("door"))
    home.wait(10)
    assert home.results.course == [(4.5, "PERSON"), (10, COMPLETE)]


LEFT_HALF = {"BoundingBox": {"Left": 0.0, "Top": 0.0, "Width": 0.5, "Height": 1.0}}
TRIANGLE = {"Polygon": [{"X": 0.0, "Y": 0.0}, {"X": 1.0, "Y": 0.0}, {"X": 0.0, "Y": 1.0}]}


@pytest.mark.parametrize(
    ("region", "left", "is_reported"),
    [
        (LEFT_HALF, 0.1, True),
        (LEFT_HALF, 0.44, True),
        (LEFT_HALF, 0.46, False),
        (LEFT_HALF, 0.7, False),
        (TRIANGLE, 0.1, True),
        (TRIANGLE, 0.8, False),
    ],
)
def test_only_what_is_in_the_regions_is_reported(region: dict[str, Any], left: float, *, is_reported: bool) -> None:
    box = BoundingBox(left=left, top=0.4, width=0.2, height=0.2)
    home = household(Appearance(Label.PERSON, bounding_box=box), RegionsOfInterest=[region])
    home.done("StartStreamProcessor", **session("door"))
    home.wait(10)
    assert ("PERSON" in [label for _, label in home.results.course]) == is_reported


@pytest.mark.parametrize(
    ("timings", "reported_at", "end"),
    [(Timings(detecting=3), 5, 5), (Timings(detecting=0.5, stopping=20), 4.3, 24)],
)
def test_stopped_session_reports_what_it_saw_until_the_stop(timings: Timings, reported_at: float, end: float) -> None:
    """A person is seen before the stop and reported after it, and a package is not seen any more."""
    home = household(Appearance(Label.PERSON, at=3.8), Appearance(Label.PACKAGE, at=4.2), timings=timings)
    home.done("StartStreamProcessor", **session("door", seconds=60))
    home.wait(4)
    home.done("StopStreamProcessor", Name="door")
    home.wait(600)
    assert home.results.course == [(reported_at, "PERSON"), (end, COMPLETE)]
    video_input = home.results.messages[-1]["inputInformation"]["kinesisVideo"]
    assert video_input["processedVideoDurationMillis"] == 4_000


def test_last_moment_of_a_session_is_reported_at_its_end() -> None:
    home = household(Appearance(Label.PERSON, at=9.9), Appearance(Label.PACKAGE, at=10), timings=Timings(detecting=3))
    home.done("StartStreamProcessor", **session("door"))
    home.wait(600)
    assert home.results.course == [(10, "PERSON"), (10, COMPLETE)]


def test_failed_session_has_no_summary() -> None:
    home = household(Appearance(Label.PERSON, at=1), Appearance(Label.PACKAGE, at=8))
    home.done("StartStreamProcessor", **session("door", seconds=60))
    home.world.schedule_failure("door", "Access denied to Role", home.now, after=5)
    home.wait(600)
    assert home.results.course == [(1.5, "PERSON")]
    assert home.status("door") == "FAILED"


@pytest.mark.parametrize("denied", [{"denied_topics": ["doors"]}, {"denied_buckets": ["pictures"]}])
def test_denied_topic_or_bucket_ends_the_session_without_a_message(denied: dict[str, Any]) -> None:
    home = household(Appearance(Label.PERSON), dependency_faults=DependencyFaults(**denied))
    home.done("StartStreamProcessor", **session("door"))
    home.wait(600)
    assert (home.results.notifications, home.results.objects) == ([], [])
    assert home.status("door") == "FAILED"


def test_deleted_processor_reports_nothing_more() -> None:
    """AWS advises deleting a processor that has been starting for two minutes."""
    home = household(Appearance(Label.PERSON, at=3), timings=Timings(stuck=1))
    home.done("StartStreamProcessor", **session("door", seconds=60))
    home.wait(2)
    home.done("DeleteStreamProcessor", Name="door")
    home.wait(600)
    assert home.results.notifications == []


def test_objects_are_below_prefix_processor_and_session() -> None:
    home = household(Appearance(Label.PERSON, at=1), KmsKeyId="alias/doors")
    home.done("StartStreamProcessor", **session("door"))
    home.wait(10)
    objects = home.results.objects
    names = [stored.key.removeprefix("doors/door/session-1/").rpartition("/")[2] for stored in objects]
    assert names == ["frame.jpg", "crop-1.jpg", "session-summary.json"]
    assert {(stored.account, stored.bucket, stored.kms_key) for stored in objects} == {
        (HERE.account, "pictures", "alias/doors")
    }
    frame, crop = objects[0].content, objects[1].content
    assert isinstance(frame, Picture)
    assert isinstance(crop, Picture)
    assert (frame.crop, crop.crop) == (None, frame.detections[0])
    summary = objects[2].content
    assert isinstance(summary, bytes)
    assert [label["name"] for label in json.loads(summary)["labels"]] == ["PERSON"]


@pytest.mark.parametrize(("prefix", "first"), [(None, "door"), ("a/b", "a/b/door"), ("data/", "data/door")])
def test_key_prefix_is_followed_by_one_slash(prefix: str | None, first: str) -> None:
    target = {"Bucket": "pictures"} if prefix is None else {"Bucket": "pictures", "KeyPrefix": prefix}
    home = household(Output={"S3Destination": target})
    home.done("StartStreamProcessor", **session("door"))
    home.wait(10)
    assert [stored.key for stored in home.results.objects] == [f"{first}/session-1/session-summary.json"]


def test_video_begins_at_the_fragment_of_the_start() -> None:
    """The number of a fragment contains its time; a number that does not exist stands for now."""
    home = household(Appearance(Label.PERSON, at=0))
    home.done("StartStreamProcessor", **session("door"))
    home.wait(10)
    mapping = home.results.messages[0]["labels"][0]["videoMapping"]["kinesisVideoMapping"]
    home.done(
        "StartStreamProcessor",
        Name="door",
        StartSelector={"KVSStreamStartSelector": {"FragmentNumber": mapping["fragmentNumber"]}},
        StopSelector={"MaxDurationInSeconds": 1},
    )
    home.wait(10)
    again = home.results.messages[2]["labels"][0]["videoMapping"]["kinesisVideoMapping"]
    assert again == {**mapping, "frameOffsetMillis": 0}
    home.done(
        "StartStreamProcessor",
        Name="door",
        StartSelector={"KVSStreamStartSelector": {"FragmentNumber": "12345"}},
        StopSelector={"MaxDurationInSeconds": 1},
    )
    begun = home.now
    home.wait(10)
    frame = home.results.messages[4]["labels"][0]["videoMapping"]["kinesisVideoMapping"]
    assert frame["producerTimestamp"] + frame["frameOffsetMillis"] == round(begun * 1000)


def test_face_search_reports_nothing_here() -> None:
    home = household()
    assert home.results.opened == [(f"arn:aws:sns:us-east-1:{ACCOUNT}:doors", "pictures")]
    assert home.world.next_result_at() is None


@attrs.define
class CountingLabelAnalyst:
    """Sees a person from two seconds after each start, and counts what it is asked."""

    asked: int = 0

    def detect(self, moment: VideoMoment, /) -> list[Detection]:
        self.asked += 1
        return [Detection(subject=Label.PERSON)] if moment.at >= moment.session_start + 2 else []

    def next_change(self, moment: VideoMoment, /) -> float | None:
        return moment.at + 1


def test_results_of_many_cameras_are_made_when_time_reaches_them() -> None:
    """An hour of 200 cameras asks the analyst only until each label was seen."""
    analyst, results = CountingLabelAnalyst(), KeptResults()
    numbers = itertools.count(1)
    world = World(
        new_id=lambda: f"session-{next(numbers)}",
        limits=Limits(concurrent_label_detection={"us-east-1": 200}),
        analyst=analyst,
        sink=results,
    )
    home = Household(world, results=results)
    for number in range(200):
        name = f"camera-{number}"
        home.done("CreateStreamProcessor", **labels(name, Settings={"ConnectedHome": {"Labels": ["PERSON"]}}))
        home.done("StartStreamProcessor", **session(name, seconds=120))
    assert (analyst.asked, results.notifications) == (600, [])
    home.wait(3600)
    assert (analyst.asked, len(results.notifications)) == (600, 400)
    assert [notification.at for notification in results.notifications] == [1003.0] * 200 + [1120.0] * 200


def test_results_of_one_account_come_in_the_order_of_time() -> None:
    home = household(Appearance(Label.PERSON, at=4, stream="door"), Appearance(Label.PERSON, at=1, stream="gate"))
    home.done("CreateStreamProcessor", **labels("gate"))
    home.done("StartStreamProcessor", **session("door", seconds=5))
    home.done("StartStreamProcessor", **session("gate", seconds=20))
    home.wait(600)
    assert home.results.course == [(1.5, "PERSON"), (4.5, "PERSON"), (5, COMPLETE), (20, COMPLETE)]
