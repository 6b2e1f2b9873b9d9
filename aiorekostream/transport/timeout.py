"""Define the timeouts of a call."""

import datetime
from typing import cast, final

import attrs

from aiorekostream.domain.fields import Duration, seconds
from aiorekostream.domain.rules import Validated, collecting
from aiorekostream.errors import InvalidRequestError, ValidationIssue

__all__ = ["Timeout", "timeout_of"]

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


def timeout_of(value: Timeout | Duration | None) -> Timeout:
    """Return a ``Timeout``: as it is given, with a total time, or with the defaults.

    Raises:
        InvalidRequestError: the value is neither a ``Timeout`` nor a time.
    """
    if value is None:
        return Timeout()
    # By the type: an object may claim another class, or raise when it is asked.
    if issubclass(type(value), Timeout):
        return cast("Timeout", value)
    try:
        return Timeout(total=cast("float", value))
    except InvalidRequestError as error:
        expected = "a Timeout, or the total time of a call as a timedelta or in seconds"
        issues = [ValidationIssue((), value, f"{expected}: {issue.expected}") for issue in error.issues]
        raise InvalidRequestError(issues) from error
