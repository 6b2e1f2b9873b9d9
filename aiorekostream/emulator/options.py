"""Convert faults, dependency faults and single values from and to JSON, for control endpoints and option files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

import attrs

from aiorekostream.domain.fields import finite
from aiorekostream.domain.rules import ABSENT, each, reject
from aiorekostream.emulator.faults import FAULTS
from aiorekostream.emulator.world.dependency_faults import DependencyFaults
from aiorekostream.errors import InvalidRequestError, ValidationIssue

if TYPE_CHECKING:
    from aiorekostream.emulator.faults import Fault
    from aiorekostream.emulator.world.answers import JsonObject

__all__ = [
    "dependency_faults_from_json",
    "fault_from_json",
    "fault_to_json",
    "faults_from_json",
    "member",
    "seconds",
    "text",
]

_T = TypeVar("_T")
_Value = TypeVar("_Value", bound=attrs.AttrsInstance)


def member(members: JsonObject, name: str, read: Callable[[object], _T]) -> _T:
    """Read one member of an object.

    Raises:
        InvalidRequestError: the member is absent or invalid.
    """
    try:
        return read(members.get(name, ABSENT))
    except InvalidRequestError as error:
        raise InvalidRequestError([issue.under(name) for issue in error.issues]) from None


def text(value: object) -> str:
    """Read a string."""
    return value if isinstance(value, str) else reject(value, "a string")


def seconds(value: object) -> float:
    """Read a number of seconds, 0 to 1e9."""
    return finite(value, least=0, most=1e9)


def faults_from_json(value: object) -> list[Fault]:
    """Read a list of faults."""
    if not isinstance(value, list):
        reject(value, "a list of faults")
    return each(enumerate(cast("list[object]", value)), fault_from_json)


def fault_from_json(value: object) -> Fault:
    """Read a fault: the name of its class under ``fault``, and its attributes.

    Raises:
        InvalidRequestError: the class or an attribute is unknown, or a value is invalid.
    """
    given: object = value
    if not isinstance(value, Mapping):
        reject(given, "an object such as {'fault': 'Throttle'}")
    members = dict(cast("JsonObject", value))
    kind = FAULTS.get(str(members.pop("fault", "")))
    if kind is None:
        reject(given, f"an object whose 'fault' is one of {', '.join(FAULTS)}")
    return _construct(kind, members)


def fault_to_json(fault: Fault) -> JsonObject:
    """Convert a fault to JSON."""
    return {"fault": type(fault).__name__, **attrs.asdict(fault)}


def dependency_faults_from_json(members: JsonObject) -> DependencyFaults:
    """Read dependency faults.

    Raises:
        InvalidRequestError: an attribute is unknown, or a value is invalid.
    """
    return _construct(DependencyFaults, members)


def _construct(cls: type[_Value], members: JsonObject) -> _Value:
    known = {attribute.name for attribute in attrs.fields(cls)}
    unknown = [name for name in members if name not in known]
    if unknown:
        allowed = f"one of {', '.join(sorted(known))}"
        raise InvalidRequestError([ValidationIssue((name,), name, allowed) for name in unknown])
    make = cast("Callable[..., _Value]", cls)
    return make(**members)
