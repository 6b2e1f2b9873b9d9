"""Define the options of the transport to AWS."""

from typing import Any, Protocol

import attrs

from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.transport.timeout import Timeout

__all__ = ["AwsSession", "TransportOptions"]


class AwsSession(Protocol):
    """The part of ``aiobotocore.session.AioSession`` that a client uses; annotations need no aiobotocore.

    See https://aiobotocore.readthedocs.io/en/latest/.
    """

    def create_client(self, service_name: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - a client of aiobotocore
        """Return an async context manager, which opens a client."""
        ...

    async def get_credentials(self) -> Any:  # noqa: ANN401 - credentials of aiobotocore
        """Return the credentials; ``None`` if there are none."""
        ...

    def get_component(self, name: Any) -> Any:  # noqa: ANN401 - a component of botocore
        """Return a component, such as the loader of botocore's data files."""
        ...


@attrs.frozen(kw_only=True)
class TransportOptions:
    """The options of an aiobotocore client. ``None`` lets botocore resolve the value. See ``AwsTransport``.

    Attributes:
        region: the Region.
        endpoint_url: the endpoint URL.
        profile: the profile of the AWS config files.
        timeout: the connect and read timeouts.
        max_connections: the maximum number of concurrent connections, at least 1.

    Raises:
        InvalidRequestError: options break their rules; all issues at once.
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
            if value is not None and not issubclass(type(value), str)
        ]
        number = self.max_connections
        if type(number) is not int or number < 1:
            issues.append(ValidationIssue(("max_connections",), number, "a whole number above 0"))
        if issues:
            raise InvalidRequestError(issues)
