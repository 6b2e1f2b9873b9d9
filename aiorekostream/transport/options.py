"""Define the options of the transport to AWS."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, cast

import attrs

from aiorekostream.domain.rules import has_method
from aiorekostream.errors import InvalidRequestError, ValidationIssue
from aiorekostream.transport.timeout import Timeout

__all__ = ["AwsConfig", "AwsSession", "TransportOptions", "transport_options"]


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


class AwsConfig(Protocol):
    """The part of ``botocore.config.Config`` and ``aiobotocore.config.AioConfig`` that a client uses.

    See https://docs.aws.amazon.com/boto3/latest/reference/core/config.html.
    """

    def merge(self, other_config: Any) -> Any:  # noqa: ANN401 - another configuration
        """Return a configuration with the options of both, where the other one wins."""
        ...


@attrs.frozen(eq=False, repr=False, kw_only=True)  # a repr would show the keys
class TransportOptions:
    """The options of an aiobotocore client. ``None`` lets botocore resolve the value. See ``AwsTransport``.

    Attributes:
        region: the Region.
        endpoint_url: the endpoint URL.
        profile: the profile of the AWS config files.
        timeout: the connect and read timeouts.
        max_connections: the maximum number of concurrent connections, at least 1.
        aws_access_key_id: the access key.
        aws_secret_access_key: the secret key.
        aws_session_token: the session token of temporary credentials.
        config: further options of botocore by name.
    """

    region: str | None
    endpoint_url: str | None
    profile: str | None
    timeout: Timeout
    max_connections: int
    aws_access_key_id: str | None = None
    aws_secret_access_key: str | None = None
    aws_session_token: str | None = None
    config: Mapping[str, Any] = attrs.field(factory=dict[str, Any])


# Options of botocore that have an argument of their own; both may not say it.
_ARGUMENTS = {
    "region_name": "region",
    "connect_timeout": "timeout",
    "read_timeout": "timeout",
    "max_pool_connections": "max_connections",
}
# Options of botocore that are not the caller's, and what to use instead.
_REFUSED = {
    "retries": "left out of config: retry= says how often a call is retried",
    "http_session_cls": "left out of config: the client has an HTTP session of its own",
}
_MAX_CONNECTIONS = 100


def transport_options(
    *,
    session: AwsSession | None,
    region: str | None,
    endpoint_url: str | None,
    profile: str | None,
    timeout: Timeout | None,
    max_connections: int | None,
    aws_access_key_id: str | None = None,
    aws_secret_access_key: str | None = None,
    aws_session_token: str | None = None,
    config: AwsConfig | None = None,
) -> TransportOptions:
    """Check the options of the transport, and combine arguments and ``config``.

    Raises:
        InvalidRequestError: options break their rules, or ``config`` and an argument say the same; all issues at once.
    """
    keys = {
        "aws_access_key_id": aws_access_key_id,
        "aws_secret_access_key": aws_secret_access_key,
        "aws_session_token": aws_session_token,
    }
    texts = {"region": region, "endpoint_url": endpoint_url, "profile": profile, **keys}
    issues = [
        # The value of a secret is not shown, whatever it is.
        ValidationIssue((name,), type(value).__name__ if name in keys else value, "text, or None")
        for name, value in texts.items()
        if value is not None and not issubclass(type(value), str)
    ]
    if session is not None and not has_method(session, "create_client"):
        issues.append(ValidationIssue(("session",), session, "an aiobotocore session, or None"))
    if session is not None and profile is not None:
        expected = "left out beside session=, not both: a session has a profile of its own"
        issues.append(ValidationIssue(("profile",), profile, expected))
    if max_connections is not None and (type(max_connections) is not int or max_connections < 1):
        issues.append(ValidationIssue(("max_connections",), max_connections, "a whole number above 0"))
    issues += _key_issues(keys)
    said = _said(config)
    if said is None:
        issues.append(ValidationIssue(("config",), config, "a botocore Config or an aiobotocore AioConfig, or None"))
        said = dict[str, object]()
    given = {"region": region, "timeout": timeout, "max_connections": max_connections}
    for option, argument in _ARGUMENTS.items():
        if option in said and given[argument] is not None:
            issues.append(ValidationIssue((argument,), given[argument], f"given here or as config.{option}, not both"))
    issues += [ValidationIssue(("config", name), said[name], text) for name, text in _REFUSED.items() if name in said]
    if issues:
        raise InvalidRequestError(issues)
    limits = {name.removesuffix("_timeout"): said[name] for name in ("connect_timeout", "read_timeout") if name in said}
    return TransportOptions(
        region=region if region is not None else cast("str | None", said.get("region_name")),
        endpoint_url=endpoint_url,
        profile=profile,
        timeout=timeout or Timeout(**cast("dict[str, float]", limits)),
        max_connections=max_connections or cast("int", said.get("max_pool_connections", _MAX_CONNECTIONS)),
        config={name: value for name, value in said.items() if name not in _ARGUMENTS},
        **keys,
    )


def _said(config: AwsConfig | None) -> Mapping[str, object] | None:
    """Return the options that the caller has given; ``None`` for what is no configuration.

    A configuration has a value for every option, and only a private member has those that it was given.
    """
    if config is None:
        return dict[str, object]()
    try:
        options = cast("object", getattr(config, "_user_provided_options", None))
        # aiobotocore 3.0 keeps what belongs to it apart.
        connector = cast("object", getattr(config, "connector_args", None))
        http_session = cast("object", getattr(config, "http_session_cls", None))
    except Exception:  # noqa: BLE001 - the value is foreign code, and may raise anything
        return None
    if not isinstance(options, Mapping):
        return None
    said = dict(cast("Mapping[str, object]", options))
    if connector:
        said.setdefault("connector_args", connector)
    if not str(getattr(http_session, "__module__", "aiobotocore")).startswith("aiobotocore"):
        said.setdefault("http_session_cls", http_session)
    return said


def _key_issues(keys: Mapping[str, str | None]) -> Iterator[ValidationIssue]:
    access, secret, token = keys.values()
    names = ("aws_access_key_id", "aws_secret_access_key")
    for name, value, other in zip(names, (access, secret), (secret, access), strict=True):
        if value is None and (other is not None or token is not None):
            yield ValidationIssue((name,), None, "given together with the other parts of the credentials")
