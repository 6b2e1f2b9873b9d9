"""Scripted faults, surroundings and single values from and to plain JSON, for the control endpoints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

import attrs

from aiorekostream.domain.rules import ABSENT, refuse
from aiorekostream.domain.scalars import finite
from aiorekostream.emulator.faults import FAULTS
from aiorekostream.emulator.surroundings import Surroundings
from aiorekostream.errors import Fault, InvalidRequestError

if TYPE_CHECKING:
    from aiorekostream.emulator.answers import JsonObject
    from aiorekostream.emulator.faults import ScriptedFault

__all__ = ["fault_from", "fault_to", "faults_from", "member", "seconds", "surroundings_from", "text"]

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
        raise InvalidRequestError([fault.under(name) for fault in error.faults]) from None


def text(value: object) -> str:
    """Text."""
    return value if isinstance(value, str) else refuse(value, "a string")


def seconds(value: object) -> float:
    """A number of seconds, 0 or more."""
    return finite(value, least=0, most=1e9)


def faults_from(value: object) -> list[ScriptedFault]:
    """A list of faults."""
    if not isinstance(value, list):
        refuse(value, "a list of faults")
    return [fault_from(item) for item in cast("list[object]", value)]


def fault_from(value: object) -> ScriptedFault:
    """A fault: its kind under ``fault``, and its attributes.

    Raises:
        InvalidRequestError: there is no such kind, or no such attribute, or its value is wrong.
    """
    given: object = value
    if not isinstance(value, Mapping):
        refuse(given, "an object such as {'fault': 'Throttle'}")
    members = dict(cast("JsonObject", value))
    kind = FAULTS.get(str(members.pop("fault", "")))
    if kind is None:
        refuse(given, f"an object whose 'fault' is one of {', '.join(FAULTS)}")
    return _made(kind, members)


def fault_to(fault: ScriptedFault) -> JsonObject:
    """The JSON of a fault."""
    return {"fault": type(fault).__name__, **attrs.asdict(fault)}


def surroundings_from(members: JsonObject) -> Surroundings:
    """What is out of reach."""
    return _made(Surroundings, members)


def _made(cls: type[_Value], members: JsonObject) -> _Value:
    known = {attribute.name for attribute in attrs.fields(cls)}
    unknown = [name for name in members if name not in known]
    if unknown:
        allowed = f"one of {', '.join(sorted(known))}"
        raise InvalidRequestError([Fault((name,), name, allowed) for name in unknown])
    make = cast("Callable[..., _Value]", cls)
    return make(**members)
