"""Measure the time of parsing a LABEL_DETECTED of two labels, against ``json.loads`` of the same text.

    python bench/decode_events.py [--rounds 41] [--smoke]

The ways take turns, so that a slow moment of the machine affects all of them alike; the figure that counts is the
median of the paired ratios. pydantic is listed where it is installed, with models of the same members and with the
conversions that it has of its own: times as milliseconds, no S3 URIs, no order of fragments.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.util
import json
import statistics
import time
import types
from typing import TYPE_CHECKING, Any

from aiorekostream.results import parse_notification

if TYPE_CHECKING:
    from collections.abc import Callable

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


def _pydantic_event() -> Any:  # noqa: ANN401 - a class of a library that may not be there
    pydantic: Any = importlib.import_module("pydantic")

    def model(title: str, /, **members: object) -> Any:  # noqa: ANN401 - the same
        return pydantic.create_model(title, **{key: (kind, ...) for key, kind in members.items()})

    mapping = model(
        "Mapping",
        fragmentNumber=str,
        serverTimestamp=datetime.datetime,
        producerTimestamp=datetime.datetime,
        frameOffsetMillis=float,
    )
    box = model("Box", left=float, top=float, height=float, width=float)
    label: Any = model(
        "DetectedLabel",
        id=str,
        confidence=float,
        name=str,
        frameImageUri=str,
        croppedImageUri=str,
        videoMapping=model("VideoMapping", kinesisVideoMapping=mapping),
        boundingBox=box,
    )
    return model(
        "Event",
        inputInformation=model("Input", kinesisVideo=model("Video", streamArn=str)),
        eventNamespace=model("Namespace", type=str),
        labels=types.GenericAlias(list, (label,)),
        eventId=str,
        tags=dict[str, str],
        sessionId=str,
        startStreamProcessorRequest=model("Request", name=str),
    )


def ways() -> dict[str, Callable[[str], object]]:
    """Return the ways to read the text, by name."""
    found: dict[str, Callable[[str], object]] = {"json.loads": json.loads, "parse_notification": parse_notification}
    if importlib.util.find_spec("pydantic") is not None:
        found["pydantic"] = _pydantic_event().model_validate_json
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--smoke", action="store_true", help="as little as possible, to check that it runs")
    options = parser.parse_args()
    rounds, calls = (1, 2) if options.smoke else (options.rounds, _CALLS)
    readers = ways()
    figures: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for name, read in readers.items():
            began = time.process_time()
            for _ in range(calls):
                read(EVENT)
            if number:  # the first round warms up
                figures.setdefault(name, []).append((time.process_time() - began) / calls * 1e6)
    print(
        f"CPU time of a LABEL_DETECTED of two labels, {len(EVENT)} bytes, medians of {rounds} rounds of {calls} calls"
    )
    for name, times in figures.items():
        ratio = statistics.median(
            each / max(base, 1e-9) for each, base in zip(times, figures["json.loads"], strict=True)
        )
        print(f"{name:20}{statistics.median(times):7.1f} us   {ratio:.2f} of json.loads")


if __name__ == "__main__":
    main()
