"""Convert faults, dependency faults, footage and values from and to JSON, for control endpoints and option files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar, cast

import attrs

from aiorekostream.domain.fields import finite
from aiorekostream.domain.geometry import BoundingBox
from aiorekostream.domain.rules import ABSENT, each, reject
from aiorekostream.emulator.delivery_faults import DELIVERY_FAULTS
from aiorekostream.emulator.faults import FAULTS
from aiorekostream.emulator.world.dependency_faults import DependencyFaults
from aiorekostream.emulator.world.faces import KnownFace, VisibleFace
from aiorekostream.emulator.world.footage import Appearance, Footage, RandomFootage
from aiorekostream.errors import InvalidRequestError, ValidationIssue

if TYPE_CHECKING:
    from aiorekostream.emulator.delivery_faults import DeliveryFault
    from aiorekostream.emulator.faults import Fault
    from aiorekostream.emulator.world.answers import JsonObject

__all__ = [
    "dependency_faults_from_json",
    "fault_from_json",
    "fault_to_json",
    "faults_from_json",
    "footage_from_json",
    "member",
    "seconds",
    "text",
]

_NO_BOX = dict.fromkeys(("left", "top", "width", "height"), ABSENT)
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


def faults_from_json(value: object) -> list[Fault | DeliveryFault]:
    """Read a list of faults."""
    return _list(value, "a list of faults", fault_from_json)


def fault_from_json(value: object) -> Fault | DeliveryFault:
    """Read a fault: the name of its class under ``fault``, and its attributes.

    Raises:
        InvalidRequestError: the class or an attribute is unknown, or a value is invalid.
    """
    given: object = value
    if not isinstance(value, Mapping):
        reject(given, "an object such as {'fault': 'Throttle'}")
    members = dict(cast("JsonObject", value))
    name = str(members.pop("fault", ""))
    if name in FAULTS:
        return _construct(FAULTS[name], members)
    if name in DELIVERY_FAULTS:
        return _construct(DELIVERY_FAULTS[name], members)
    return reject(given, f"an object whose 'fault' is one of {', '.join([*FAULTS, *DELIVERY_FAULTS])}")


def fault_to_json(fault: Fault | DeliveryFault) -> JsonObject:
    """Convert a fault to JSON."""
    return {"fault": type(fault).__name__, **attrs.asdict(fault)}


def dependency_faults_from_json(members: JsonObject) -> DependencyFaults:
    """Read dependency faults.

    Raises:
        InvalidRequestError: an attribute is unknown, or a value is invalid.
    """
    return _construct(DependencyFaults, members)


def footage_from_json(members: JsonObject) -> Footage | RandomFootage:
    """Read what the cameras see: ``appearances``, a list, or ``random``, the attributes of ``RandomFootage``.

    Raises:
        InvalidRequestError: neither or both are given, an attribute is unknown, or a value is invalid.
    """
    if members.keys() - {"appearances", "random"} or len(members) != 1:
        reject(dict(members), "an object with either 'appearances' or 'random'")
    if "random" in members:
        return member(members, "random", _random_footage)
    return Footage(member(members, "appearances", _appearances))


def _appearances(value: object) -> list[Appearance]:
    return _list(value, "a list of appearances", _appearance)


def _appearance(value: object) -> Appearance:
    members = _read_members(value, {"bounding_box": _box, "face": _visible_face})
    return _construct(Appearance, {"subject": ABSENT, **members})


def _random_footage(value: object) -> RandomFootage:
    return _construct(RandomFootage, _read_members(value, {"known_faces": _known_faces}))


def _visible_face(value: object) -> VisibleFace:
    return _construct(VisibleFace, _read_members(value, {"known_faces": _known_faces, "bounding_box": _box}))


def _known_faces(value: object) -> list[KnownFace]:
    return _list(
        value, "a list of known faces", lambda face: _construct(KnownFace, {"face_id": ABSENT, **_object(face)})
    )


def _box(value: object) -> BoundingBox:
    return _construct(BoundingBox, {**_NO_BOX, **_object(value)})


def _list(value: object, expected: str, read: Callable[[object], _T]) -> list[_T]:
    if not isinstance(value, list):
        reject(value, expected)
    return each(enumerate(cast("list[object]", value)), read)


def _read_members(value: object, readers: Mapping[str, Callable[[object], object]]) -> dict[str, object]:
    """Read the members of an object that have a reader of their own."""
    members = dict(_object(value))
    return members | {name: member(members, name, read) for name, read in readers.items() if name in members}


def _object(value: object) -> JsonObject:
    given: object = value
    if not isinstance(value, Mapping):
        reject(given, "an object")
    return cast("JsonObject", value)


def _construct(cls: type[_Value], members: JsonObject) -> _Value:
    known = {attribute.name for attribute in attrs.fields(cls) if attribute.init}
    unknown = [name for name in members if name not in known]
    if unknown:
        allowed = f"one of {', '.join(sorted(known))}"
        raise InvalidRequestError([ValidationIssue((name,), name, allowed) for name in unknown])
    make = cast("Callable[..., _Value]", cls)
    return make(**members)
