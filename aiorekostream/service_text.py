"""Make text of a service safe for errors, logs and events: one line of limited length. Pure."""

import re

__all__ = ["has_control", "one_line"]

_SHOWN = 300  # characters
# Controls, separators of lines and paragraphs, marks that reorder text, and surrogates, which cannot be encoded.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def one_line(text: str) -> str:
    """Return a text with its control characters escaped, cut at 300 characters; idempotent."""
    text = _CONTROL.sub(_escaped, text[: 10 * _SHOWN])
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def has_control(text: str) -> bool:
    """Return whether a text has characters that ``one_line`` escapes."""
    return _CONTROL.search(text) is not None


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
