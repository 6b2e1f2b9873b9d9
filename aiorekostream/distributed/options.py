"""Define the options of what hosts share on a Redis server, validated together."""

import datetime
from urllib.parse import quote, urlsplit

import attrs
from redis.asyncio import BlockingConnectionPool, Redis

from aiorekostream.domain.fields import count, finite, optional_count, seconds
from aiorekostream.domain.rules import Validated, collecting, reject
from aiorekostream.limits import Scope

__all__ = ["RedisOptions", "RedisSlotOptions", "describe_server", "tagged_key"]

# The range of the time for a reply, in seconds.
_SHORTEST, _LONGEST = 0.001, 60.0
_LEAST_SLACK = 0.01


def describe_server(target: str | Redis) -> str:
    """Return the address of a server without user name and password."""
    if isinstance(target, str):
        parts = urlsplit(target)
        return parts.netloc.rpartition("@")[2] or parts.path
    settings = target.connection_pool.connection_kwargs
    return str(settings.get("path") or f"{settings.get('host', 'localhost')}:{settings.get('port', 6379)}")


def tagged_key(prefix: str, scope: Scope, name: str) -> str:
    """Return what the keys of something that belongs to an account and Region begin with.

    The braces make all of them one hash slot of a cluster.
    """
    parts = (quote(part, safe="") for part in (scope.account, scope.region, scope.endpoint, name))
    return f"{prefix}:{{{':'.join(parts)}}}"


def _target(value: str | Redis) -> str | Redis:
    if isinstance(value, Redis):
        return value
    expected = "a redis://, rediss:// or unix:// URL, such as rediss://user:password@host:6379/0, or a Redis"
    if not isinstance(value, str):
        reject(value, expected)
    try:
        BlockingConnectionPool.from_url(value)
        describe_server(value).encode()
    except Exception:  # noqa: BLE001 - whatever the parser raises
        is_valid = False
    else:
        is_valid = True
    if not is_valid:  # outside of the block: the message of the parser's error may quote the password
        reject(value.rpartition("@")[2].partition("?")[0], expected)
    return value


def _prefix(value: str) -> str:
    if not isinstance(value, str) or not value or set(value) & set("{}"):
        reject(value, "text without braces, of at least 1 character")
    return _encodable(value, "text without braces, of at least 1 character")


def _account(value: str | None) -> str | None:
    if value is not None and not isinstance(value, str):
        reject(value, "text, or None")
    return value if value is None else _encodable(value, "text, or None")


def _encodable(value: str, expected: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        reject(value, expected)
    return value


def _timeout(value: datetime.timedelta | float) -> float:
    return seconds(value, least=_SHORTEST, most=_LONGEST)


def _slack(value: float) -> float:
    return finite(value, least=_LEAST_SLACK, most=1)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class RedisOptions(Validated):
    """See ``RedisRateLimiter``.

    Raises:
        InvalidRequestError: arguments break their rules; all issues at once. No message contains a password.
    """

    redis: str | Redis = attrs.field(converter=_target, repr=describe_server)
    prefix: str = attrs.field(converter=_prefix)
    expected_hosts: int = attrs.field(converter=count)
    timeout: float = attrs.field(converter=_timeout)
    slack: float = attrs.field(converter=_slack)
    account: str | None = attrs.field(converter=_account)


@attrs.frozen(kw_only=True, field_transformer=collecting)
class RedisSlotOptions(Validated):
    """See ``RedisSessionSlots``.

    Raises:
        InvalidRequestError: arguments break their rules; all issues at once. No message contains a password.
    """

    redis: str | Redis = attrs.field(converter=_target, repr=describe_server)
    prefix: str = attrs.field(converter=_prefix)
    expected_hosts: int | None = attrs.field(converter=optional_count)
    timeout: float = attrs.field(converter=_timeout)
    account: str | None = attrs.field(converter=_account)
