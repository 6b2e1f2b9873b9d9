"""Define the timeouts of a call."""

import datetime
from typing import final

import attrs

from aiorekostream.domain.fields import seconds
from aiorekostream.domain.rules import Validated, collecting

__all__ = ["Timeout"]

# The range of a limit, in seconds.
_SHORTEST, _LONGEST = 0.001, 86_400.0


def _limit(value: datetime.timedelta | float) -> float:
    return seconds(value, least=_SHORTEST, most=_LONGEST)


@final
@attrs.frozen(kw_only=True, field_transformer=collecting)
class Timeout(Validated):
    """The timeouts of a call, each a ``timedelta`` or seconds, from 0.001 to 86,400.

    Attributes:
        connect: the time to open a connection; 5 s by default. The wait for a free connection does not count.
        read: the longest silence of the service after the request was sent; 30 s by default.
        total: the time of the whole call, with all attempts and the waits between them; 60 s by default.

    Raises:
        InvalidRequestError: timeouts are out of their range; all issues at once.
    """

    connect: float = attrs.field(default=5.0, converter=_limit)
    read: float = attrs.field(default=30.0, converter=_limit)
    total: float = attrs.field(default=60.0, converter=_limit)
