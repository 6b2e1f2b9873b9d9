"""Measure the time of parsing an event and a face search record, against ``json.loads`` of the same text.

    python bench/decode_events.py [--rounds 41] [--with FOLDER] [--smoke]

The event is a LABEL_DETECTED of two labels; target: 3 times ``json.loads``. The record is one of two faces with a match
each; targets: 2.0 with the extra ``fast``, which parses JSON with orjson, and 2.7 without it.

The ways take turns, so that a slow moment of the machine affects all of them alike; the figure that counts is the
median of the paired ratios. Values that are parsed from the result of ``json.loads`` are those of an installation
without ``fast``. pydantic is listed where it is installed, or is in the folder ``--with``, by default the one that
``make bench`` fills. Its models have the same members, and the conversions that it has of its own: times are not
rounded to milliseconds, offsets are numbers, and there are no S3 URIs and no order of fragments.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.util
import json
import statistics
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs

from aiorekostream.results import parse_face_record, parse_notification

_CALLS = 500  # in a round


def _label(number: int, name: str) -> dict[str, object]:
    return {
        "id": f"2d7a9b5e-4c1f-4d0a-9e58-0c3f2f3e7a6{number}",
        "confidence": 97.25,
        "name": name,
        "frameImageUri": f"s3://porch-pictures/events/porch/0c3f2f3e-7a60-4b6b/notifications/{number}_0.jpg",
        "croppedImageUri": f"s3://porch-pictures/events/porch/0c3f2f3e-7a60-4b6b/notifications/{number}_0_heroimage.jpg",
        "videoMapping": {
            "kinesisVideoMapping": {
                "fragmentNumber": f"9134385233318143259570422908763011045166015923{number}",
                "serverTimestamp": 1_650_000_123_456,
                "producerTimestamp": 1_650_000_122_104,
                "frameOffsetMillis": 400,
            }
        },
        "boundingBox": {"left": 0.125123, "top": 0.25, "height": 0.5, "width": 0.1875},
    }


EVENT = json.dumps(
    {
        "inputInformation": {
            "kinesisVideo": {"streamArn": "arn:aws:kinesisvideo:us-east-1:111122223333:stream/porch/1650000000000"}
        },
        "eventNamespace": {"type": "LABEL_DETECTED"},
        "labels": [_label(1, "PERSON"), _label(2, "PACKAGE")],
        "eventId": "0c3f2f3e-7a60-4b6b-9a55-8a2f9d6d1d5b",
        "tags": {},
        "sessionId": "6f1c8e9c-0d57-4e8b-9f2b-1f5d0e5f6a77",
        "startStreamProcessorRequest": {
            "name": "porch",
            "startSelector": {"kvsStreamStartSelector": {"producerTimestamp": 1_650_000_122_104}},
            "stopSelector": {"maxDurationInSeconds": 30},
        },
    },
    separators=(",", ":"),
)


def _face(number: int) -> dict[str, object]:
    def box(left: float) -> dict[str, float]:
        return {"Height": 0.3125, "Width": 0.1875, "Left": left, "Top": 0.25}

    places = {
        "eyeLeft": (0.4512345, 0.3612345),
        "eyeRight": (0.5312345, 0.36234567),
        "mouthLeft": (0.4612345, 0.47123456),
        "mouthRight": (0.52123456, 0.4712345),
        "nose": (0.49123457, 0.4212345),
    }
    return {
        "DetectedFace": {
            "BoundingBox": box(0.40625),
            "Confidence": 99.975174,
            "Landmarks": [{"X": x, "Y": y, "Type": kind} for kind, (x, y) in places.items()],
            "Pose": {"Pitch": -2.125, "Roll": 1.75, "Yaw": -11.5},
            "Quality": {"Brightness": 51.25, "Sharpness": 67.25},
        },
        "MatchedFaces": [
            {
                "Similarity": 98.41207,
                "Face": {
                    "BoundingBox": box(0.103426),
                    "FaceId": f"0a1b2c3d-1111-4222-8333-44445555666{number}",
                    "Confidence": 99.999201,
                    "ImageId": f"5d4c3b2a-1111-3222-9333-44445555666{number}",
                    "ExternalImageId": f"resident-0{number}",
                    "IndexFacesModelVersion": "6.0",
                },
            }
        ],
    }


# Times as Rekognition writes them: doubles of Java, in exponent notation.
RECORD = (
    json.dumps(
        {
            "InputInformation": {
                "KinesisVideo": {
                    "StreamArn": "arn:aws:kinesisvideo:us-east-1:111122223333:stream/porch/1650000000000",
                    "FragmentNumber": "91343852333181432590752468930488589352006740803",
                    "ServerTimestamp": 1650000123.456,
                    "ProducerTimestamp": 1650000122.104,
                    "FrameOffsetInSeconds": 2.8410000801086426,
                }
            },
            "StreamProcessorInformation": {"Status": "RUNNING"},
            "FaceSearchResponse": [_face(1), _face(2)],
        },
        separators=(",", ":"),
    )
    .replace("1650000122.104", "1.650000122104E9")
    .replace("1650000123.456", "1.650000123456E9")
)


def _model(title: str, /, **members: object) -> Any:  # noqa: ANN401 - a class of a library that may not be there
    pydantic: Any = importlib.import_module("pydantic")
    return pydantic.create_model(
        title, **{key: kind if isinstance(kind, tuple) else (kind, ...) for key, kind in members.items()}
    )


def _list_of(model: Any) -> object:  # noqa: ANN401 - the same
    return types.GenericAlias(list, (model,))


def _pydantic_event() -> Any:  # noqa: ANN401 - the same
    mapping = _model(
        "Mapping",
        fragmentNumber=str,
        serverTimestamp=datetime.datetime,
        producerTimestamp=datetime.datetime,
        frameOffsetMillis=float,
    )
    label = _model(
        "DetectedLabel",
        id=str,
        confidence=float,
        name=str,
        frameImageUri=str,
        croppedImageUri=str,
        videoMapping=_model("VideoMapping", kinesisVideoMapping=mapping),
        boundingBox=_model("Box", left=float, top=float, height=float, width=float),
    )
    return _model(
        "Event",
        inputInformation=_model("Input", kinesisVideo=_model("Video", streamArn=str)),
        eventNamespace=_model("Namespace", type=str),
        labels=_list_of(label),
        eventId=str,
        tags=dict[str, str],
        sessionId=str,
        startStreamProcessorRequest=_model("Request", name=str),
    )


def _pydantic_record() -> Any:  # noqa: ANN401 - the same
    box = _model("Box", Height=float, Width=float, Left=float, Top=float)
    video = _model(
        "Video",
        StreamArn=str,
        FragmentNumber=str,
        ServerTimestamp=datetime.datetime,
        ProducerTimestamp=datetime.datetime,
        FrameOffsetInSeconds=float,
    )
    detected = _model(
        "DetectedFace",
        BoundingBox=box,
        Confidence=float,
        Landmarks=_list_of(_model("Landmark", X=float, Y=float, Type=str)),
        Pose=_model("Pose", Pitch=float, Roll=float, Yaw=float),
        Quality=_model("Quality", Brightness=float, Sharpness=float),
    )
    face = _model(
        "Face",
        BoundingBox=box,
        FaceId=str,
        Confidence=float,
        ImageId=str,
        ExternalImageId=(str | None, None),
        IndexFacesModelVersion=(str | None, None),
    )
    match = _model("MatchedFace", Similarity=float, Face=face)
    return _model(
        "Record",
        InputInformation=_model("Input", KinesisVideo=video),
        StreamProcessorInformation=_model("Processor", Status=str),
        FaceSearchResponse=_list_of(_model("Searched", DetectedFace=detected, MatchedFaces=_list_of(match))),
    )


@attrs.frozen(kw_only=True)
class DecodeCase:
    """A text and the function that parses it.

    Attributes:
        title: what the text is.
        text: JSON as the service writes it.
        name: the name of the function.
        parse: the function.
        model: makes the model of pydantic.
        target: the most time without orjson, in times of ``json.loads``.
        target_with_fast: the same with orjson.
    """

    title: str
    text: str
    name: str
    parse: Callable[[object], object]
    model: Callable[[], Any]
    target: float
    target_with_fast: float

    def ways(self) -> dict[str, Callable[[str], object]]:
        """Return the ways to read the text, by name."""
        parse = self.parse
        found: dict[str, Callable[[str], object]] = {
            "json.loads": json.loads,
            f"{self.name}, json": lambda text: parse(json.loads(text)),
        }
        if importlib.util.find_spec("orjson") is not None:
            found["orjson.loads"] = importlib.import_module("orjson").loads
            found[f"{self.name}, orjson"] = parse
        if importlib.util.find_spec("pydantic") is not None:
            found["pydantic"] = self.model().model_validate_json
        return found

    def targets(self) -> dict[str, float]:
        """Return the target of each way that has one."""
        return {f"{self.name}, json": self.target, f"{self.name}, orjson": self.target_with_fast}


CASES = (
    DecodeCase(
        title="a LABEL_DETECTED of two labels",
        text=EVENT,
        name="parse_notification",
        parse=parse_notification,
        model=_pydantic_event,
        target=3,
        target_with_fast=3,
    ),
    DecodeCase(
        title="a face search record of two faces",
        text=RECORD,
        name="parse_face_record",
        parse=parse_face_record,
        model=_pydantic_record,
        target=2.7,
        target_with_fast=2,
    ),
)


def measure(case: DecodeCase, *, rounds: int, calls: int) -> None:
    """Measure the ways to read one text, and print their times."""
    figures: dict[str, list[float]] = {}
    ways, targets = case.ways(), case.targets()
    for number in range(rounds + 1):
        for name, read in ways.items():
            began = time.process_time()
            for _ in range(calls):
                read(case.text)
            if number:  # the first round warms up
                figures.setdefault(name, []).append((time.process_time() - began) / calls * 1e6)
    print(f"CPU time of {case.title}, {len(case.text)} bytes, medians of {rounds} rounds of {calls} calls")
    for name, times in figures.items():
        ratio = statistics.median(
            each / max(base, 1e-9) for each, base in zip(times, figures["json.loads"], strict=True)
        )
        target = f"   target {targets[name]:g}" if name in targets else ""
        print(f"{name:28}{statistics.median(times):7.1f} us   {ratio:.2f} of json.loads{target}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--with", dest="folder", default=Path(sys.prefix) / "contenders", help="a folder with pydantic")
    parser.add_argument("--smoke", action="store_true", help="as little as possible, to check that it runs")
    options = parser.parse_args()
    sys.path.append(str(options.folder))  # last, so that it replaces nothing
    rounds, calls = (1, 2) if options.smoke else (options.rounds, _CALLS)
    for case in CASES:
        measure(case, rounds=rounds, calls=calls)


if __name__ == "__main__":
    main()
