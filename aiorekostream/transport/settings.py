"""How the transport to AWS is set up."""

from __future__ import annotations

import attrs

from aiorekostream.errors import Fault, InvalidRequestError
from aiorekostream.transport.timeout import Timeout

__all__ = ["Settings"]


@attrs.frozen(kw_only=True)
class Settings:
    """What opening a client needs to know; ``None`` leaves the search to botocore.

    Attributes:
        region: the Region to call.
        endpoint_url: where to call instead of the Region's own endpoint.
        profile: the profile of the AWS config files.
        timeout: how long to wait for a connection and for an answer.
        max_connections: how many calls may be under way at once.

    Raises:
        InvalidRequestError: ``max_connections`` is no whole number above zero.
    """

    region: str | None
    endpoint_url: str | None
    profile: str | None
    timeout: Timeout
    max_connections: int

    def __attrs_post_init__(self) -> None:
        number = self.max_connections
        if not isinstance(number, int) or isinstance(number, bool) or number < 1:
            raise InvalidRequestError([Fault(("max_connections",), number, "a whole number above 0")])
