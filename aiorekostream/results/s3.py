"""Fetch the pictures that label detection stores in S3."""

import asyncio
import datetime
from types import ModuleType, TracebackType
from typing import Any, Self, cast

import attrs

from aiorekostream.clock import Clock
from aiorekostream.domain.fields import count
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.domain.rules import collecting, reject
from aiorekostream.domain.s3 import S3Uri
from aiorekostream.errors import ConfigurationError, MalformedResponseError, ValidationIssue
from aiorekostream.results.calls import CallOptions, open_calls
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.transport.options import AwsSession
from aiorekostream.transport.timeout import Timeout

__all__ = ["S3Images"]

_EXTRA = "drawing needs the package Pillow: install aiorekostream[draw]"
_OPERATION = "GetObject"


@attrs.frozen(kw_only=True, field_transformer=collecting)
class _ImageOptions(CallOptions):
    max_bytes: int = attrs.field(converter=count)


class S3Images:
    """Fetch pictures from S3.

    It opens its connections with the first call, and keeps them until ``aclose``::

        async with S3Images(region="us-east-1") as images:
            picture = await images.fetch(label.frame_image, box=label.bounding_box)

    It may be shared by any number of tasks of one event loop. Requires the permission ``s3:GetObject`` and, for
    pictures that are encrypted with a key of KMS, ``kms:Decrypt``.
    """

    def __init__(
        self,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        profile: str | None = None,
        session: AwsSession | None = None,
        max_bytes: int = 20_000_000,
        max_connections: int = 20,
        retry: RetryPolicy | None = None,
        timeout: Timeout | datetime.timedelta | float | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Set up; nothing is opened or sent yet.

        Args:
            region: the Region of the buckets.
            endpoint_url: the endpoint URL; AWS's by default.
            profile: a profile of the AWS config files.
            session: an aiobotocore session with credentials and settings.
            max_bytes: the size of the largest picture that is fetched, in bytes, at least 1.
            max_connections: the most connections at once, at least 1.
            retry: the retries of a call.
            timeout: a ``Timeout``, or the total time of a call as a ``timedelta`` or in seconds; 60 s by default.
            clock: measures the time; the event loop's clock by default.

        Raises:
            InvalidRequestError: arguments break their rules; all issues at once.
        """
        options = _ImageOptions(
            region=region,
            endpoint_url=endpoint_url,
            profile=profile,
            session=session,
            retry=retry,
            timeout=timeout,
            clock=clock,
            max_connections=max_connections,
            max_bytes=max_bytes,
        )
        self._max_bytes = options.max_bytes
        self._calls = open_calls("s3", options)

    async def __aenter__(self) -> Self:
        await self._calls.client.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections. Has no effect the second time."""
        await self._calls.client.aclose()

    async def fetch(self, image: S3Uri | str, *, box: BoundingBox | None = None) -> bytes:
        """Fetch a picture.

        Args:
            image: its address, such as the ``frame_image`` of a ``DetectedLabel``.
            box: a box to draw on it, such as the ``bounding_box`` of the label; the result is a JPEG then. Needs the
                extra ``draw``.

        Raises:
            InvalidRequestError: the address is no S3 URI, or the box is no ``BoundingBox``.
            ResourceNotFoundError: there is no such bucket or picture.
            MalformedResponseError: the object is larger than ``max_bytes`` or, with ``box``, no picture.
            CallError: the call did not succeed.
            ConfigurationError: no Region, no credentials, the extra ``draw`` is not installed, or it is closed.
        """
        uri = S3Uri.parse(image)
        if box is None:
            return await self._get(uri)
        if not isinstance(box, BoundingBox):
            reject(box, "a BoundingBox, or None")
        drawing = await asyncio.to_thread(_import_drawing)
        content = await self._get(uri)
        try:
            # In a thread: decoding and encoding take milliseconds of CPU time.
            drawn: bytes = await asyncio.to_thread(drawing.with_box, content, box)
        except ValueError as error:
            raise _malformed(uri, "a picture") from error
        return drawn

    async def _get(self, uri: S3Uri) -> bytes:
        async def read(response: dict[str, object]) -> bytes:
            body: Any = response["Body"]
            async with body as stream:
                size = response.get("ContentLength")
                if isinstance(size, int) and size > self._max_bytes:
                    raise _malformed(uri, f"an object of at most {self._max_bytes} bytes")
                content = cast("bytes", await stream.read())
            if isinstance(size, int) and len(content) != size:
                raise _malformed(uri, f"read whole: {size} bytes")
            return content

        members = {"Bucket": uri.bucket, "Key": uri.key}
        return await self._calls.call("get_object", members, read)


def _malformed(uri: S3Uri, expected: str) -> MalformedResponseError:
    return MalformedResponseError([ValidationIssue((), str(uri), expected)], operation=_OPERATION)


def _import_drawing() -> ModuleType:
    try:
        from aiorekostream.results import drawing  # noqa: PLC0415 - slow, and Pillow is an extra
    except ModuleNotFoundError as error:
        raise ConfigurationError(_EXTRA) from error
    return drawing
