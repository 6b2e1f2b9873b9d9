"""What the emulated service finds around it: which roles, streams and collections are out of reach.

AWS looks at them only when a processor starts, so a start succeeds and the processor is FAILED a little later. The
messages are those of https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.rules import Validated, as_tuple, collecting, each, reject

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiorekostream.emulator.definitions import ProcessorDefinition
    from aiorekostream.emulator.resources import Stream

__all__ = ["DependencyFaults"]


def _glob(value: object) -> str:
    if not isinstance(value, str) or not value:
        reject(value, "a pattern such as 'arn:aws:iam::*:role/Retired*'")
    return value


def _globs(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(each(enumerate(as_tuple(value, "a collection of patterns")), _glob))


@attrs.frozen(kw_only=True, field_transformer=collecting)
class DependencyFaults(Validated):
    """Which resources are out of reach; everything that is not named here exists and can be used.

    Every attribute is a collection of patterns (``*``, ``?``, ``[...]``) that are held against the ARN of a role or
    stream and against its bare name, or against the id of a collection. Streams of another Region than the processor's
    are missing whatever stands here, as they are at AWS.

    Attributes:
        denied_roles: roles that do not exist, do not trust Rekognition or have no policy: ``Access denied to Role``.
        denied_video_streams: video streams that the role may not read: ``Access denied to Kinesis Video``.
        denied_data_streams: data streams that the role may not write: ``Access denied to Kinesis Data``.
        missing_video_streams: video streams that do not exist: ``Stream <name> doesn't exist``.
        missing_data_streams: data streams that do not exist: ``Stream <name> under account <account> not found``.
        missing_collections: collections that do not exist: ``Collection not found``.

    Raises:
        InvalidRequestError: an attribute is no collection of texts.
    """

    denied_roles: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    denied_video_streams: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    denied_data_streams: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    missing_video_streams: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    missing_data_streams: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    missing_collections: tuple[str, ...] = attrs.field(default=(), converter=_globs)

    def failure(self, plan: ProcessorDefinition, region: str) -> str | None:
        """The StatusMessage of the first thing that is out of reach of a processor that starts in a Region, if any."""
        if _any(self.denied_roles, plan.role, plan.role.rpartition("/")[2]):
            return "Access denied to Role"
        return self._video_failure(plan.video, region) or self._data_failure(plan, region)

    def _video_failure(self, video: Stream, region: str) -> str | None:
        if video.region != region or _any(self.missing_video_streams, video.arn, video.name):
            return f"Stream {video.name} doesn't exist"
        if _any(self.denied_video_streams, video.arn, video.name):
            return "Access denied to Kinesis Video"
        return None

    def _data_failure(self, plan: ProcessorDefinition, region: str) -> str | None:
        data = plan.data
        if plan.collection is not None and _any(self.missing_collections, plan.collection):
            return "Collection not found"
        if data is None:
            return None
        if data.region != region or _any(self.missing_data_streams, data.arn, data.name):
            return f"Stream {data.name} under account {data.account} not found"
        if _any(self.denied_data_streams, data.arn, data.name):
            return "Access denied to Kinesis Data"
        return None


def _any(globs: tuple[str, ...], *texts: str) -> bool:
    return any(fnmatchcase(text, glob) for glob in globs for text in texts)
