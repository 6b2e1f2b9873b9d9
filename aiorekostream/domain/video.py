"""Define positions in a Kinesis video stream, as the results of a session give them."""

import datetime
from typing import TypeAlias, final

import attrs

from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp

__all__ = ["ProducerTime", "VideoPosition"]

ProducerTime: TypeAlias = datetime.datetime | datetime.timedelta
"""The time of the producer (the camera): a date and time in UTC, or the time since the producer's own start."""


@final
@attrs.frozen(kw_only=True)
class VideoPosition:
    """The position of a frame in a Kinesis video stream.

    See https://docs.aws.amazon.com/rekognition/latest/dg/streaming-labels-detection.html and
    https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-kinesis-output-reference.html.

    Attributes:
        fragment_number: the fragment that contains the frame. Fragment numbers are ordered by their ingestion.
        server_timestamp: the date and time in UTC when Kinesis Video Streams began to receive the fragment.
        producer_timestamp: the time when the producer began to record the fragment: a date and time in UTC, or a
            ``timedelta`` since the producer's start for a producer that sends relative timecodes.
        frame_offset: the time from the beginning of the fragment to the frame.
    """

    fragment_number: FragmentNumber
    server_timestamp: datetime.datetime
    producer_timestamp: ProducerTime
    frame_offset: datetime.timedelta

    @property
    def frame_time(self) -> datetime.datetime | None:
        """The date and time in UTC of the frame, by the producer's clock; ``None`` if that time is relative."""
        if isinstance(self.producer_timestamp, datetime.timedelta):
            return None
        return self.producer_timestamp + self.frame_offset

    def start_selector(self) -> ProducerTimestamp | FragmentNumber:
        """Return the selector that starts a session at this fragment.

        It is the producer's time in milliseconds or, if that is relative, the fragment number: AWS would take a
        relative time for a date in 1970.
        """
        if isinstance(self.producer_timestamp, datetime.timedelta):
            return self.fragment_number
        return ProducerTimestamp.from_datetime(self.producer_timestamp)
