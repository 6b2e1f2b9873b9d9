"""Make the pictures that a label detection stores: JPEG with boxes if Pillow is installed, else a small fixed one.

A drawn picture is padded to a fixed size with a comment, so that the size of an object is known before it is drawn.
"""

from __future__ import annotations

import base64
import functools
import io
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

    from aiorekostream.emulator.world.footage import Detection
    from aiorekostream.emulator.world.objects import Picture

__all__ = ["picture_size", "render"]

# A grey JPEG of 64 by 36 pixels.
_FIXED = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABsSFBcUERsXFhceHBsgKEIrKCUlKFE6PTBCYFVlZF9VXVtqeJmBanGQc1tdhbWGkJ6j"
    "q62rZ4C8ybqmx5moq6T/2wBDARweHigjKE4rK06kbl1upKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSkpKSk"
    "pKSkpKSkpKT/wAARCAAkAEADASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAP/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QA"
    "FQEBAQAAAAAAAAAAAAAAAAAAAAH/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCACoAAAAAAAAAAAAAAAAAAAAAA"
    "/9k="
)
# Pixels of a frame.
_WIDTH, _HEIGHT = 640, 360
# Bytes of a drawn picture; it takes about 6,000 without the comment.
_DRAWN_SIZE = 24_576
_MARKER_SIZE = 4
# Pixels; the least side of a crop.
_LEAST_SIDE = 8
_COLOURS = {"PERSON": (230, 159, 0), "PET": (86, 180, 233), "PACKAGE": (0, 158, 115)}
_WALL, _FLOOR, _TEXT = (52, 60, 70), (74, 82, 92), (236, 239, 242)
# Pictures that are kept: one is usually fetched soon after it was listed or looked up.
_KEPT = 32


@functools.cache
def _pillow() -> tuple[ModuleType, ModuleType] | None:
    try:
        from PIL import Image, ImageDraw  # noqa: PLC0415 - the extra `draw` may be absent
    except ImportError:
        return None
    return Image, ImageDraw


def picture_size() -> int:
    """Return the size of every picture in bytes."""
    return len(_FIXED) if _pillow() is None else _DRAWN_SIZE


def render(picture: Picture) -> bytes:
    """Return a picture as JPEG."""
    return _FIXED if _pillow() is None else _drawn(picture)


@functools.lru_cache(maxsize=_KEPT)
def _drawn(picture: Picture) -> bytes:
    from PIL import Image, ImageDraw  # noqa: PLC0415 - the extra `draw` may be absent

    image = Image.new("RGB", (_WIDTH, _HEIGHT), _WALL)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, _HEIGHT * 2 // 3, _WIDTH, _HEIGHT), fill=_FLOOR)
    for detection in picture.detections:
        colour = _COLOURS.get(detection.subject, _TEXT)
        box = _pixels(detection)
        draw.rectangle(box, outline=colour, width=3)
        draw.text((box[0] + 6, box[1] + 5), f"{detection.subject} {detection.confidence:.1f} %", fill=colour)
    draw.text((8, _HEIGHT - 18), picture.title, fill=_TEXT)
    if picture.crop is not None:
        image = image.crop(_pixels(picture.crop))
    for quality in (80, 50, 20):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        if buffer.tell() + _MARKER_SIZE <= _DRAWN_SIZE:
            return _padded(buffer.getvalue())
    return _padded(_FIXED)


def _pixels(detection: Detection) -> tuple[int, int, int, int]:
    """Return a box in pixels, at least 8 by 8 and inside the frame."""
    box = detection.bounding_box
    left = min(max(round(box.left * _WIDTH), 0), _WIDTH - _LEAST_SIDE)
    top = min(max(round(box.top * _HEIGHT), 0), _HEIGHT - _LEAST_SIDE)
    right = min(max(round((box.left + box.width) * _WIDTH), left + _LEAST_SIDE), _WIDTH)
    bottom = min(max(round((box.top + box.height) * _HEIGHT), top + _LEAST_SIDE), _HEIGHT)
    return left, top, right, bottom


def _padded(jpeg: bytes) -> bytes:
    """Add a comment after the first marker of a JPEG, so that it has the size of every drawn picture."""
    length = _DRAWN_SIZE - len(jpeg) - 2
    return jpeg[:2] + b"\xff\xfe" + struct.pack(">H", length) + bytes(length - 2) + jpeg[2:]
