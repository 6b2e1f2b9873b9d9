"""How the transport to AWS is set up."""

from __future__ import annotations

import attrs

from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.transport.timeout import Timeout

__all__ = ["TransportOptions"]


@attrs.frozen(kw_only=True)
class TransportOptions:
    """What opening a client needs to know; ``None`` leaves the search to botocore.

    Attributes:
        region: the Region to call.
        endpoint_url: where to call instead of the Region's own endpoint.
        profile: the profile of the AWS config files.
        timeout: how long to wait for a connection and for an answer.
        max_connections: how many calls may be under way at once.

    Raises:
        InvalidRequestError: ``max_connections`` is no whole number above zero, or what should be text is not.
    """

    region: str | None
    endpoint_url: str | None
    profile: str | None
    timeout: Timeout
    max_connections: int

    def __attrs_post_init__(self) -> None:
        words = {"region": self.region, "endpoint_url": self.endpoint_url, "profile": self.profile}
        issues = [
            ValidationIssue((name,), value, "text, or None")
            for name, value in words.items()
            if value is not None and not isinstance(value, str)
        ]
        number = self.max_connections
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            issues.append(ValidationIssue(("max_connections",), number, "a whole number above 0"))
        if issues:
            raise InvalidRequestError(issues)
