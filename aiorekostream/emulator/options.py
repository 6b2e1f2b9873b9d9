"""Scripted faults, dependency_faults and single values from and to plain JSON, for the control endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

import attrs

from aiorekostream.domain.fields import finite
from aiorekostream.domain.rules import ABSENT, reject
from aiorekostream.emulator.dependency_faults import DependencyFaults
from aiorekostream.emulator.faults import FAULTS
from aiorekostream.errors import InvalidRequestError, ValidationIssue

if TYPE_CHECKING:
    from aiorekostream.emulator.answers import JsonObject
    from aiorekostream.emulator.faults import Fault

__all__ = ["dependency_faults_from", "fault_from", "fault_to", "faults_from", "member", "seconds", "text"]

_T = TypeVar("_T")
_Value = TypeVar("_Value", bound=attrs.AttrsInstance)


def member(members: JsonObject, name: str, read: Callable[[object], _T]) -> _T:
    """One member of an object, read.

    Raises:
        InvalidRequestError: it is absent or wrong.
    """
    try:
        return read(members.get(name, ABSENT))
    except InvalidRequestError as error:
        raise InvalidRequestError([fault.under(name) for fault in error.issues]) from None


def text(value: object) -> str:
    """Text."""
    return value if isinstance(value, str) else reject(value, "a string")


def seconds(value: object) -> float:
    """A number of seconds, 0 or more."""
    return finite(value, least=0, most=1e9)


def faults_from(value: object) -> list[Fault]:
    """A list of faults."""
    if not isinstance(value, list):
        reject(value, "a list of faults")
    return [fault_from(item) for item in cast("list[object]", value)]


def fault_from(value: object) -> Fault:
    """A fault: its kind under ``fault``, and its attributes.

    Raises:
        InvalidRequestError: there is no such kind, or no such attribute, or its value is wrong.
    """
    given: object = value
    if not isinstance(value, Mapping):
        reject(given, "an object such as {'fault': 'Throttle'}")
    members = dict(cast("JsonObject", value))
    kind = FAULTS.get(str(members.pop("fault", "")))
    if kind is None:
        reject(given, f"an object whose 'fault' is one of {', '.join(FAULTS)}")
    return _made(kind, members)


def fault_to(fault: Fault) -> JsonObject:
    """The JSON of a fault."""
    return {"fault": type(fault).__name__, **attrs.asdict(fault)}


def dependency_faults_from(members: JsonObject) -> DependencyFaults:
    """What is out of reach."""
    return _made(DependencyFaults, members)


def _made(cls: type[_Value], members: JsonObject) -> _Value:
    known = {attribute.name for attribute in attrs.fields(cls)}
    unknown = [name for name in members if name not in known]
    if unknown:
        allowed = f"one of {', '.join(sorted(known))}"
        raise InvalidRequestError([ValidationIssue((name,), name, allowed) for name in unknown])
    make = cast("Callable[..., _Value]", cls)
    return make(**members)
