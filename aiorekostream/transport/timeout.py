"""How long a call may take, part by part."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import attrs

from aiorekostream.errors import InvalidRequestError, ValidationIssue

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Timeout"]


@attrs.frozen(kw_only=True)
class Timeout:
    """The time limits of a call, in seconds.

    Attributes:
        connect: how long a connection may take to come about. Waiting for a free connection is not counted.
        read: how long the service may be silent after the request was sent.
        total: how long the whole call may take, every attempt and every wait between them included.

    Raises:
        InvalidRequestError: a limit is not a finite number above zero.
    """

    connect: float = 5.0
    read: float = 30.0
    total: float = 60.0

    def __attrs_post_init__(self) -> None:
        if issues := tuple(self._issues()):
            raise InvalidRequestError(issues)

    def _issues(self) -> Iterator[ValidationIssue]:
        for name, value in attrs.asdict(self).items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (is_number and math.isfinite(value) and value > 0):
                yield ValidationIssue((name,), value, "a finite number of seconds above 0")
