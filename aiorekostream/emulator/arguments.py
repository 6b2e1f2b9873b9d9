"""Check the arguments of an emulator, all of them together."""

from __future__ import annotations

import random as stdlib_random  # noqa: TID251 - the default random source of faults with a probability
import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final, TypeVar, cast

import attrs

from aiorekostream.domain.fields import UNICODE, flag, text, whole_number
from aiorekostream.domain.rules import (
    Validated,
    as_mapping,
    as_step,
    as_tuple,
    collecting,
    each,
    has_method,
    items_of,
    reject,
)
from aiorekostream.emulator.clocks import EmulatorClock, RealClock
from aiorekostream.emulator.http.callers import CallerDirectory
from aiorekostream.emulator.http.cors import origins
from aiorekostream.emulator.world.contexts import Timings
from aiorekostream.emulator.world.dependency_faults import DependencyFaults
from aiorekostream.emulator.world.footage import Analyst, Footage
from aiorekostream.limits import Limits

__all__ = ["NO_KEYS", "EmulatorArguments", "checked_faults", "checked_footage", "new_uuid"]

_ValueT = TypeVar("_ValueT")

NO_KEYS: Final[Mapping[str, str]] = MappingProxyType({})
"""No access keys: the default of arguments that map them."""

_HOST = re.compile(r"[^\x00-\x20\x7f\ud800-\udfff]+")
# The port field of TCP has 16 bits: https://www.rfc-editor.org/rfc/rfc9293#section-3.1.
_MAX_PORT = 65_535
# Characters. AWS's secret keys have 40, and no URL of a server is as long: only wrong values are refused.
_MAX_URL = 2048
_KEY = re.compile(r"[\x21-\x7e]+")
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKey.html: the longest access key id.
_MAX_KEY = 128
_MAX_SECRET = 1024
# https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html
_ACCOUNT = re.compile(r"[0-9]{12}")


def new_uuid() -> str:
    """Return a random UUID."""
    return str(uuid.uuid4())


def checked_faults(value: DependencyFaults | None) -> DependencyFaults:
    """Return dependency faults, none by default; reject anything else."""
    return DependencyFaults() if value is None else _instance(value, DependencyFaults)


def checked_footage(value: Analyst | None) -> Analyst:
    """Return what the cameras see, nothing by default; reject anything else."""
    if value is not None and not (has_method(value, "detect") and has_method(value, "next_change")):
        reject(value, "a Footage, a RandomFootage or another Analyst")
    return Footage() if value is None else value


def _instance(value: _ValueT, kind: type[_ValueT]) -> _ValueT:
    # By the type: an object may claim another class, or raise when it is asked.
    if not issubclass(type(value), kind):
        reject(value, f"a {kind.__name__}")
    return value


def _host(value: str) -> str:
    return text(value, least=1, most=255, pattern=_HOST, expected="a host name or an IP address")


def _port(value: int) -> int:
    return whole_number(value, least=0, most=_MAX_PORT)


def _clock(value: EmulatorClock | None) -> EmulatorClock:
    if value is not None and not has_method(value, "now"):
        reject(value, "a ManualClock, a ScaledClock or another EmulatorClock, or None")
    return RealClock() if value is None else value


def _limits(value: Limits) -> Limits:
    return _instance(value, Limits)


def _timings(value: Timings | None) -> Timings:
    return Timings() if value is None else _instance(value, Timings)


def _deliver_to(value: str | None) -> str | None:
    if value is None:
        return None
    return text(value, least=0, most=_MAX_URL, pattern=UNICODE, expected="the URL of a server, or None")


def _accounts(value: Mapping[str, str]) -> dict[str, str]:
    return _by_key(value, lambda item: text(item, least=12, most=12, pattern=_ACCOUNT, expected="twelve digits"))


def _credentials(value: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if value is None else _by_key(value, _secret)


def _secret(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= _MAX_SECRET or _KEY.fullmatch(value) is None:
        # The value is not shown, whatever it is.
        reject(type(value).__name__, f"a secret key: 1 to {_MAX_SECRET} printable ASCII characters")
    return value


def _by_key(value: Mapping[str, str], read: Callable[[object], str]) -> dict[str, str]:
    """Read a mapping from access keys."""
    items = items_of(as_mapping(value, "a mapping from access keys"))
    keys = each(((as_step(key), key) for key, _ in items), _access_key)
    return dict(zip(keys, each(((as_step(key), item) for key, item in items), read), strict=True))


def _access_key(value: object) -> str:
    expected = f"an access key: 1 to {_MAX_KEY} printable ASCII characters"
    return text(value, least=1, most=_MAX_KEY, pattern=_KEY, expected=expected)


def _host_names(value: Iterable[str]) -> frozenset[str]:
    return frozenset(each(enumerate(as_tuple(value, "a collection of host names")), _host_name))


def _host_name(value: object) -> str:
    return text(value, least=1, most=255, pattern=_HOST, expected="a host name").lower()


def _random(value: Callable[[], float] | None) -> Callable[[], float]:
    if value is None:
        return stdlib_random.Random(0).random  # noqa: S311 - no secret depends on it
    return _function(value, "a function that returns a number in [0, 1), or None")


def _new_id(value: Callable[[], str]) -> Callable[[], str]:
    return _function(value, "a function that returns an id")


def _function(value: Callable[[], _ValueT], expected: str) -> Callable[[], _ValueT]:
    if not callable(cast("object", value)):
        reject(value, expected)
    return value


@attrs.frozen(kw_only=True, field_transformer=collecting)
class EmulatorArguments(Validated):
    """The arguments of an emulator, with the defaults in place of ``None``. See ``Emulator``.

    Raises:
        InvalidRequestError: arguments break their rules; all issues at once. No message contains a secret key.
    """

    host: str = attrs.field(converter=_host)
    port: int = attrs.field(converter=_port)
    clock: EmulatorClock = attrs.field(converter=_clock)
    limits: Limits = attrs.field(converter=_limits)
    quotas: bool = attrs.field(converter=flag)
    timings: Timings = attrs.field(converter=_timings)
    dependency_faults: DependencyFaults = attrs.field(converter=checked_faults)
    footage: Analyst = attrs.field(converter=checked_footage)
    raw_message_delivery: bool = attrs.field(converter=flag)
    deliver_to: str | None = attrs.field(converter=_deliver_to)
    allow_remote: bool = attrs.field(converter=flag)
    accounts: dict[str, str] = attrs.field(converter=_accounts)
    credentials: dict[str, str] | None = attrs.field(converter=_credentials, repr=False)
    allow_origins: tuple[str, ...] = attrs.field(converter=origins)
    allow_hosts: frozenset[str] = attrs.field(converter=_host_names)
    control: bool = attrs.field(converter=flag)
    record: bool = attrs.field(converter=flag)
    check_answers: bool = attrs.field(converter=flag)
    random: Callable[[], float] = attrs.field(converter=_random)
    new_id: Callable[[], str] = attrs.field(converter=_new_id)

    def callers(self) -> CallerDirectory:
        """Return the accounts, the secret keys and the host names of the callers."""
        return CallerDirectory(accounts=self.accounts, secrets=self.credentials, hosts=self.allow_hosts)
