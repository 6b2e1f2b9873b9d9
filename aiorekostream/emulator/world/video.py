"""Number the fragments and the frames of a video stream as Kinesis Video Streams does.

A fragment number, as observed, is ``2**156 + sequence * 2**92 + server time * 2**28 + 28 random bits``: it grows with
the order of ingestion, and contains the moment of ingestion in milliseconds. AWS does not document this format, so
programs must not rely on it.

Everything here is a function of the stream and the time, so a frame has the same numbers in every session.
"""

from __future__ import annotations

import hashlib
import re

import attrs

__all__ = ["FrameMapping", "map_frame", "producer_time"]

# Milliseconds; the emulator's own choice within AWS's 1 to 20 seconds.
_FRAGMENT_LENGTH = 2_000
# Milliseconds from the producer's clock to the arrival at AWS; the emulator's own choice.
_INGESTION_DELAY = 350

_BASE, _SEQUENCE_BIT, _TIME_BIT = 1 << 156, 92, 28
_TIME_MASK, _RANDOM_MASK = (1 << (_SEQUENCE_BIT - _TIME_BIT)) - 1, (1 << _TIME_BIT) - 1
_CREATION = re.compile(r"/([0-9]+)")
# Milliseconds: 3 March 1973 and 16 November 5138. A number outside is no moment of a stream that exists.
_EARLIEST, _LATEST = 10**11, 10**14


@attrs.frozen
class FrameMapping:
    """Where a frame is in the video stream: the ``kinesisVideoMapping`` of a detection.

    Attributes:
        fragment_number: the number of the fragment, in decimal digits.
        server_timestamp: when the fragment began to arrive at AWS, in epoch milliseconds.
        producer_timestamp: when the producer began to record the fragment, in epoch milliseconds.
        frame_offset: the milliseconds from the beginning of the fragment to the frame.
    """

    fragment_number: str
    server_timestamp: int
    producer_timestamp: int
    frame_offset: int


def map_frame(stream_arn: str, at: float) -> FrameMapping:
    """Map a moment of a video stream to its fragment.

    Args:
        stream_arn: the ARN of the stream. Fragments are counted from the creation time in it, if it has one.
        at: the moment on the producer's clock, in epoch seconds.
    """
    frame = round(at * 1000)
    creation = _CREATION.fullmatch(stream_arn, stream_arn.rfind("/"))
    origin = 0 if creation is None else int(creation[1])
    index, offset = divmod(frame - origin, _FRAGMENT_LENGTH)
    produced = frame - offset
    arrived = produced + _INGESTION_DELAY
    digest = hashlib.blake2b(f"{stream_arn} {index}".encode(), digest_size=4).digest()
    random_bits = int.from_bytes(digest, "big") & _RANDOM_MASK
    number = _BASE + ((index + 1) << _SEQUENCE_BIT) + (arrived << _TIME_BIT) + random_bits
    return FrameMapping(str(number), arrived, produced, offset)


def producer_time(fragment_number: str) -> float | None:
    """Return when a fragment begins on the producer's clock, in epoch seconds; None for a number of another format."""
    number = int(fragment_number)
    milliseconds = (number >> _TIME_BIT & _TIME_MASK) - _INGESTION_DELAY
    # A frame before the stream's creation, which only a test has, is in a fragment with a negative place.
    is_observed_format = _BASE >> 1 < number < _BASE << 1
    return milliseconds / 1000 if is_observed_format and _EARLIEST <= milliseconds < _LATEST else None
