"""Pictures from S3, and boxes on them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.domain.s3 import S3Uri
from aiorekostream.errors import InvalidRequestError, MalformedResponseError, ResourceNotFoundError
from aiorekostream.results import S3Images
from aiorekostream.results.drawing import with_box

BOX = BoundingBox(left=0.25, top=0.25, width=0.5, height=0.5)
KEY = "events/porch/a b?c#d%20é.jpg"


def _picture(size: tuple[int, int] = (320, 180), kind: str = "JPEG", mode: str = "RGB") -> bytes:
    content = io.BytesIO()
    Image.new(mode, size, 0).save(content, kind)
    return content.getvalue()


@pytest.fixture
def bucket(boto: dict[str, Any]) -> str:
    boto["s3"].create_bucket(Bucket="porch-pictures")
    boto["s3"].put_object(Bucket="porch-pictures", Key=KEY, Body=_picture())
    boto["s3"].put_object(Bucket="porch-pictures", Key="text", Body=b"no picture")
    return "porch-pictures"


async def test_fetch_returns_the_stored_bytes(moto_url: str, bucket: str) -> None:
    async with S3Images(region="us-east-1", endpoint_url=moto_url) as images:
        assert await images.fetch(S3Uri(bucket, KEY)) == _picture()
        assert await images.fetch(f"s3://{bucket}/{KEY}") == _picture()


async def test_fetch_draws_the_box_of_a_label(moto_url: str, bucket: str) -> None:
    async with S3Images(region="us-east-1", endpoint_url=moto_url) as images:
        content = await images.fetch(S3Uri(bucket, KEY), box=BOX)
    with Image.open(io.BytesIO(content)) as drawn:
        assert (drawn.format, drawn.size) == ("JPEG", (320, 180))
        red = [_red(drawn, x, 90) for x in (40, 80, 160, 239, 280)]
    assert [value > 128 for value in red] == [False, True, False, True, False]


async def test_absent_objects_and_buckets_are_not_found(moto_url: str, bucket: str) -> None:
    async with S3Images(region="us-east-1", endpoint_url=moto_url) as images:
        for uri in (f"s3://{bucket}/nothing", "s3://no-such-bucket/key"):
            with pytest.raises(ResourceNotFoundError, match="GetObject"):
                await images.fetch(uri)


async def test_large_and_broken_pictures_are_reported(moto_url: str, bucket: str) -> None:
    async with S3Images(region="us-east-1", endpoint_url=moto_url, max_bytes=100) as images:
        with pytest.raises(MalformedResponseError, match="at most 100 bytes"):
            await images.fetch(S3Uri(bucket, KEY))
        with pytest.raises(MalformedResponseError, match="a picture"):
            await images.fetch(f"s3://{bucket}/text", box=BOX)
        assert await images.fetch(f"s3://{bucket}/text") == b"no picture"


async def test_invalid_arguments_are_rejected_before_anything_is_sent() -> None:
    async with S3Images(region="us-east-1", endpoint_url="http://127.0.0.1:1") as images:
        for image, box in (("http://bucket/key", None), ("s3://bucket/key", (0, 0, 1, 1))):
            with pytest.raises(InvalidRequestError):
                await images.fetch(image, box=box)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(InvalidRequestError):
        S3Images(max_bytes=0)


def _red(image: Image.Image, x: int, y: int) -> int:
    pixel = image.getpixel((x, y))
    assert isinstance(pixel, tuple)
    return int(pixel[0])


@pytest.mark.parametrize(
    "box",
    [
        BoundingBox(left=-1e300, top=-5, width=1e301, height=10),
        BoundingBox(left=0.5, top=0.5, width=-0.25, height=-0.25),
        BoundingBox(left=0, top=0, width=0, height=0),
    ],
    ids=["far-outside", "negative", "empty"],
)
def test_any_box_is_drawn_as_far_as_it_is_inside(box: BoundingBox) -> None:
    with Image.open(io.BytesIO(with_box(_picture(), box))) as drawn:
        assert drawn.size == (320, 180)


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGBA"), ("PNG", "L"), ("GIF", "P"), ("WEBP", "RGB")])
def test_picture_of_any_kind_becomes_a_jpeg(kind: str, mode: str) -> None:
    with Image.open(io.BytesIO(with_box(_picture((64, 64), kind, mode), BOX))) as drawn:
        assert drawn.format == "JPEG"


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8\xff\xe0", _picture()[:300], _picture((8_000, 8_000), "PNG", "1")], ids=len
)
def test_broken_or_huge_picture_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="picture"):
        with_box(content, BOX)
