"""Read the option files of the command ``emulator``: TOML, where an unknown key is an error that names the key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

import attrs

from aiorekostream.domain.rules import ABSENT, each, reject
from aiorekostream.emulator.delivery_faults import DeliveryFault
from aiorekostream.emulator.faults import Fault
from aiorekostream.emulator.options import (
    dependency_faults_from_json,
    faults_from_json,
    footage_from_json,
    member,
    text,
)
from aiorekostream.emulator.world.dependency_faults import DependencyFaults
from aiorekostream.errors import ConfigurationError, InvalidRequestError, ValidationIssue
from aiorekostream.limits import Limits, Quota

if TYPE_CHECKING:
    from pathlib import Path

    from aiorekostream.emulator.world.footage import Footage, RandomFootage

__all__ = [
    "CredentialsFile",
    "FaultsFile",
    "ProcessorEntry",
    "read_credentials",
    "read_faults",
    "read_footage",
    "read_limits",
    "read_processors",
]

_T = TypeVar("_T")
_Table = Mapping[str, object]

_ACCOUNT = re.compile(r"[0-9]{12}")
_UNLIMITED = "unlimited"


@attrs.frozen
class CredentialsFile:
    """The access keys that are accepted.

    Attributes:
        secrets: secret keys by access key, at least one.
        accounts: account ids by access key, where they are given.
    """

    secrets: Mapping[str, str]
    accounts: Mapping[str, str]

    @property
    def first_key(self) -> str:
        """The first access key of the file."""
        return next(iter(self.secrets))


@attrs.frozen
class FaultsFile:
    """The faults to inject.

    Attributes:
        faults: the faults, in order.
        dependency_faults: the resources that are unavailable.
    """

    faults: Sequence[Fault | DeliveryFault]
    dependency_faults: DependencyFaults


@attrs.frozen
class ProcessorEntry:
    """A stream processor to create.

    Attributes:
        request: the members of CreateStreamProcessor.
        region: the Region.
        access_key: the access key whose account owns it; empty if it is not given.
    """

    request: Mapping[str, object]
    region: str
    access_key: str


def read_credentials(path: Path) -> CredentialsFile:
    """Read a file with one table for each access key: ``secret_access_key`` and, optionally, ``account``.

    Raises:
        ConfigurationError: the file is not readable or invalid.
    """
    return _read(path, _credentials)


def read_limits(path: Path) -> Limits:
    """Read a file with the attributes of ``Limits``; a quota is ``{rate, burst}`` or ``"unlimited"``.

    Raises:
        ConfigurationError: the file is not readable or invalid.
    """
    return _read(path, _limits)


def read_faults(path: Path) -> FaultsFile:
    """Read a file with ``[[faults]]`` and ``[dependency_faults]``, as the control endpoints take them.

    Raises:
        ConfigurationError: the file is not readable or invalid.
    """
    return _read(path, _faults)


def read_footage(path: Path) -> Footage | RandomFootage:
    """Read a file with ``[[appearances]]`` or with ``[random]``, as the control endpoint takes them.

    Raises:
        ConfigurationError: the file is not readable or invalid.
    """
    return _read(path, footage_from_json)


def read_processors(path: Path) -> Sequence[ProcessorEntry]:
    """Read a file with ``[[processors]]``: AWS's members, and optionally ``region`` and ``access_key``.

    Raises:
        ConfigurationError: the file is not readable or invalid.
    """
    return _read(path, _processors)


def _read(path: Path, parse: Callable[[_Table], _T]) -> _T:
    try:
        # An editor may begin a file with a byte order mark, which TOML does not have.
        return parse(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    # ValueError: not UTF-8, not TOML, or an InvalidRequestError. RecursionError: brackets nested a thousand times.
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"cannot use {path}: {error}") from error


def _credentials(members: _Table) -> CredentialsFile:
    tables = dict(zip(members, each(members.items(), _access_key), strict=True))
    if not tables:
        reject(members, "at least one access key: a table [AKIA...] with secret_access_key")
    return CredentialsFile(
        {key: secret for key, (secret, _) in tables.items()},
        {key: account for key, (_, account) in tables.items() if account},
    )


def _access_key(value: object) -> tuple[str, str]:
    try:
        members = _table(value, "secret_access_key", "account")
        secret = member(members, "secret_access_key", text)
        return secret, member({"account": "", **members}, "account", _account)
    except InvalidRequestError as error:
        # A value that is not where it belongs may be the secret key.
        hidden = (attrs.evolve(issue, path=issue.steps, value="(not shown)") for issue in error.issues)
        raise InvalidRequestError(hidden) from None


def _account(value: object) -> str:
    account = text(value)
    if account and not _ACCOUNT.fullmatch(account):
        reject(value, "an account id of twelve digits, in quotes")
    return account


def _limits(members: _Table) -> Limits:
    known = _table(members, *(field.name for field in attrs.fields(Limits)))
    make = cast("Callable[..., Limits]", Limits)
    if "quotas" not in known:
        return make(**known)
    return make(**{**known, "quotas": member(known, "quotas", _quotas)})


def _quotas(value: object) -> Mapping[str, Quota | None]:
    members = _table(value)
    return dict(zip(members, each(members.items(), _quota), strict=True))


def _quota(value: object) -> Quota | None:
    if value == _UNLIMITED:
        return None
    if not isinstance(value, Mapping):
        reject(value, f"a table such as {{ rate = 5, burst = 5 }}, or {_UNLIMITED!r}")
    members = _table(cast("object", value), "rate", "burst")
    make = cast("Callable[..., Quota]", Quota)
    return make(rate=members.get("rate", ABSENT), burst=members.get("burst", ABSENT))


def _faults(members: _Table) -> FaultsFile:
    defaults: dict[str, object] = {"faults": [], "dependency_faults": {}}
    known = {**defaults, **_table(members, "faults", "dependency_faults")}
    return FaultsFile(
        member(known, "faults", faults_from_json),
        member(known, "dependency_faults", lambda value: dependency_faults_from_json(_table(value))),
    )


def _processors(members: _Table) -> Sequence[ProcessorEntry]:
    return member(_table(members, "processors"), "processors", _entries)


def _entries(value: object) -> Sequence[ProcessorEntry]:
    if not isinstance(value, list):
        reject(value, "one or more tables [[processors]]")
    return tuple(each(enumerate(cast("list[object]", value)), _entry))


def _entry(value: object) -> ProcessorEntry:
    members = {"region": "us-east-1", "access_key": "", **_table(value)}
    region, access_key = member(members, "region", text), member(members, "access_key", text)
    del members["region"], members["access_key"]
    return ProcessorEntry(members, region, access_key)


def _table(value: object, *known: str) -> _Table:
    """Check that a value is a table, and that it has no other keys than the known ones, if any are given."""
    given: object = value
    if not isinstance(value, Mapping):
        reject(given, "a table")
    members = cast("_Table", value)
    unknown = [key for key in members if known and key not in known]
    if unknown:
        allowed = f"left out: the keys here are {', '.join(known)}"
        raise InvalidRequestError([ValidationIssue((key,), members[key], allowed) for key in unknown])
    return members
