"""Define which roles, streams, collections, buckets, topics and keys are unavailable to the emulated service.

AWS checks these dependencies only when a processor starts: the start succeeds and the processor becomes FAILED shortly
after. The messages are those of
https://docs.aws.amazon.com/rekognition/latest/dg/streaming-video-troubleshooting.html.
UNCERTAIN: AWS documents no message for buckets, topics and keys. Theirs are the emulator's, in the form of the others.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import final

import attrs

from aiorekostream.domain.rules import Validated, as_tuple, collecting, each, reject
from aiorekostream.emulator.world.definitions import ProcessorDefinition
from aiorekostream.emulator.world.identity import Stream

__all__ = ["DependencyFaults"]


def _glob(value: object) -> str:
    if not isinstance(value, str) or not value:
        reject(value, "a pattern such as 'arn:aws:iam::*:role/Retired*'")
    return value


def _globs(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(each(enumerate(as_tuple(value, "a collection of patterns")), _glob))


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class DependencyFaults(Validated):
    """The resources that are unavailable; every other resource exists and is accessible.

    Each attribute is a collection of patterns (``*``, ``?``, ``[...]``). A pattern is matched against the ARN and the
    bare name of a role, stream, topic or key, or against the name of a bucket or collection. A stream in another Region
    than the processor's is always missing, as it is at AWS.

    Attributes:
        denied_roles: roles that do not exist, do not trust Rekognition or have no policy: ``Access denied to Role``.
        denied_video_streams: video streams that the role may not read: ``Access denied to Kinesis Video``.
        denied_data_streams: data streams that the role may not write: ``Access denied to Kinesis Data``.
        missing_video_streams: video streams that do not exist: ``Stream <name> doesn't exist``.
        missing_data_streams: data streams that do not exist: ``Stream <name> under account <account> not found``.
        missing_collections: collections that do not exist: ``Collection not found``.
        denied_buckets: buckets that the role may not write to: ``Access denied to S3``.
        denied_topics: topics that the role may not publish to: ``Access denied to SNS``.
        denied_keys: KMS keys, by id, alias or ARN as given, that the role may not use: ``Access denied to KMS``.
        missing_buckets: buckets that do not exist: ``Bucket <name> doesn't exist``.
        missing_topics: topics that do not exist: ``Topic <name> doesn't exist``.
        missing_keys: KMS keys that do not exist: ``Key <name> doesn't exist``.

    Raises:
        InvalidRequestError: an attribute is not a collection of strings.
    """

    denied_roles: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    denied_video_streams: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    denied_data_streams: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    missing_video_streams: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    missing_data_streams: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    missing_collections: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    denied_buckets: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    denied_topics: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    denied_keys: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    missing_buckets: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    missing_topics: tuple[str, ...] = attrs.field(default=(), converter=_globs)
    missing_keys: tuple[str, ...] = attrs.field(default=(), converter=_globs)

    def failure(self, definition: ProcessorDefinition, region: str) -> str | None:
        """Return the StatusMessage of the first unavailable dependency of a processor that starts in a Region, or None.

        Args:
            definition: the processor.
            region: the processor's Region.
        """
        if _any(self.denied_roles, definition.role, definition.role.rpartition("/")[2]):
            return "Access denied to Role"
        return (
            self._video_failure(definition.video, region)
            or self._data_failure(definition, region)
            or self._storage_failure(definition)
        )

    def is_missing_data_stream(self, arn: str, name: str) -> bool:
        """Return whether a data stream does not exist.

        Args:
            arn: its ARN.
            name: its name.
        """
        return _any(self.missing_data_streams, arn, name)

    def _video_failure(self, video: Stream, region: str) -> str | None:
        if video.region != region or _any(self.missing_video_streams, video.arn, video.name):
            return f"Stream {video.name} doesn't exist"
        if _any(self.denied_video_streams, video.arn, video.name):
            return "Access denied to Kinesis Video"
        return None

    def _data_failure(self, definition: ProcessorDefinition, region: str) -> str | None:
        data = definition.data
        if definition.collection is not None and _any(self.missing_collections, definition.collection):
            return "Collection not found"
        if data is None:
            return None
        if data.region != region or self.is_missing_data_stream(data.arn, data.name):
            return f"Stream {data.name} under account {data.account} not found"
        if _any(self.denied_data_streams, data.arn, data.name):
            return "Access denied to Kinesis Data"
        return None

    def _storage_failure(self, definition: ProcessorDefinition) -> str | None:
        for kind, service, dependency, missing, denied in (
            ("Bucket", "S3", definition.bucket, self.missing_buckets, self.denied_buckets),
            ("Topic", "SNS", definition.topic, self.missing_topics, self.denied_topics),
            ("Key", "KMS", definition.key, self.missing_keys, self.denied_keys),
        ):
            if dependency is None:
                continue
            name = dependency.rpartition(":")[2].rpartition("key/")[2]
            if _any(missing, dependency, name):
                return f"{kind} {name} doesn't exist"
            if _any(denied, dependency, name):
                return f"Access denied to {service}"
        return None


def _any(globs: tuple[str, ...], *texts: str) -> bool:
    return any(fnmatchcase(text, glob) for glob in globs for text in texts)
