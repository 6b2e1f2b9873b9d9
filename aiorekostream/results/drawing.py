"""Draw a box on a picture with Pillow; import this module late, in a worker thread."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from aiorekostream.domain.geometry import BoundingBox

__all__ = ["with_box"]

_COLOUR = (255, 64, 0)
_LINE = 1 / 300  # of the longer side
_QUALITY = 90  # of 100
# Stream processors read video of at most 1080p: this is 16 times as large.
_MAX_PIXELS = 16 * 1920 * 1080


def with_box(content: bytes, box: BoundingBox) -> bytes:
    """Return a picture as JPEG, with a box drawn on it. What is outside of the picture is not drawn.

    Raises:
        ValueError: the content is no picture that Pillow reads, or is too large.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.width * image.height > _MAX_PIXELS:
                raise ValueError(f"the picture has {image.width} x {image.height} pixels")
            drawn = image.convert("RGB")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:  # of broken files
        raise ValueError("no picture") from error
    width, height = drawn.size
    left, right = sorted((_pixel(box.left, width), _pixel(box.left + box.width, width)))
    top, bottom = sorted((_pixel(box.top, height), _pixel(box.top + box.height, height)))
    line = max(2, round(max(width, height) * _LINE))
    ImageDraw.Draw(drawn).rectangle((left, top, right, bottom), outline=_COLOUR, width=line)
    encoded = io.BytesIO()
    drawn.save(encoded, "JPEG", quality=_QUALITY)
    return encoded.getvalue()


def _pixel(ratio: float, size: int) -> int:
    # A line just outside of the picture is not seen, and numbers far outside are none that Pillow takes.
    return round(min(max(ratio, -0.5), 1.5) * (size - 1))
