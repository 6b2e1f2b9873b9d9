"""Define addresses of objects in S3."""

import re
from typing import Self, final

import attrs

from aiorekostream.domain.rules import reject

__all__ = ["S3Uri"]

# https://docs.aws.amazon.com/rekognition/latest/APIReference/API_S3Destination.html
_BUCKET = r"[0-9A-Za-z.\-_]{3,255}"
_SCHEME = "s3://"
_EXPECTED = "an S3 URI such as s3://bucket/key"


@final
@attrs.frozen
class S3Uri:
    """The address of an object in S3: read with ``parse``, written with ``str``.

    Attributes:
        bucket: the bucket, 3 to 255 characters of ``a-z A-Z 0-9 . - _``.
        key: the key, at least 1 character. It is taken as it is and not percent-decoded.

    Raises:
        InvalidRequestError: the bucket or the key is invalid.
    """

    bucket: str
    key: str

    def __attrs_post_init__(self) -> None:
        if type(self.bucket) is not str or re.fullmatch(_BUCKET, self.bucket) is None:
            reject(self.bucket, "the name of a bucket: 3 to 255 characters of a-z, A-Z, 0-9, '.', '-', '_'")
        if type(self.key) is not str or not self.key:
            reject(self.key, "the key of an object: text of at least 1 character")

    @classmethod
    def parse(cls, value: str | Self) -> Self:
        """Parse text; an instance of this class is returned as it is.

        Args:
            value: the text, such as ``s3://porch-pictures/events/frame.jpg``.

        Raises:
            InvalidRequestError: the value is no S3 URI with a bucket and a key.
        """
        if isinstance(value, cls):
            return value
        if not isinstance(value, str) or not value.startswith(_SCHEME):
            reject(value, _EXPECTED)
        # By hand: to urllib, '?' and '#', which a key may contain, end it.
        bucket, _, key = str.__str__(value)[len(_SCHEME) :].partition("/")
        if re.fullmatch(_BUCKET, bucket) is None or not key:
            reject(value, _EXPECTED)
        return cls(bucket, key)

    def __str__(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.key}"
