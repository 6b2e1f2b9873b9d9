"""Serve the control endpoints below ``/_emulator/``: the methods of ``Emulator`` for programs in other languages.

=======  ================================  =========================================================================
method   path                              request body or response
=======  ================================  =========================================================================
GET      ``/_emulator/health``             returns the status and the clock's time
GET      ``/_emulator/processors``         returns the current state of every processor
POST     ``/_emulator/reset``              removes all processors, results, faults and calls, and refills quotas
GET      ``/_emulator/calls``              returns the recorded calls; 400 if calls are not recorded
DELETE   ``/_emulator/calls``              removes the recorded calls
POST     ``/_emulator/clock/advance``      ``{"seconds": 5}``; requires a ``ManualClock``
GET      ``/_emulator/faults``             returns the pending faults
POST     ``/_emulator/faults``             ``{"faults": [{"fault": "Throttle", "times": 3}]}``
DELETE   ``/_emulator/faults``             removes all pending faults
GET      ``/_emulator/dependency_faults``  returns the resources that are unavailable
PUT      ``/_emulator/dependency_faults``  ``{"denied_roles": ["*Retired*"]}``; replaces all of them
PUT      ``/_emulator/footage``            ``{"appearances": [{"subject": "PERSON", "at": 2}]}`` or ``{"random": {}}``
POST     ``/_emulator/fail``               ``{"name": "lobby", "status_message": "Access denied to Role", "after": 0}``
=======  ================================  =========================================================================

Every endpoint except ``health`` requires a caller on the same machine that uses a loopback host name. Requests from web
pages are rejected, so that a page in the developer's browser cannot control the emulator.
"""

from __future__ import annotations

import ipaddress
import json
from typing import TYPE_CHECKING, Protocol, TypeAlias

import attrs

from aiorekostream.emulator.http.dispatch import Plane
from aiorekostream.emulator.http.wire import HttpResponse, read_object
from aiorekostream.emulator.options import (
    dependency_faults_from_json,
    fault_to_json,
    faults_from_json,
    footage_from_json,
    member,
    seconds,
    text,
)
from aiorekostream.emulator.world.answers import RefusedError
from aiorekostream.errors import ConfigurationError, InvalidRequestError

if TYPE_CHECKING:
    import datetime
    from collections.abc import Callable, Mapping, Sequence

    from aiorekostream.emulator.call_log import RecordedCall
    from aiorekostream.emulator.clocks import EmulatorClock
    from aiorekostream.emulator.delivery_faults import DeliveryFault
    from aiorekostream.emulator.faults import Fault
    from aiorekostream.emulator.http.wire import HttpRequest, RequestHead
    from aiorekostream.emulator.world.answers import JsonObject, Refusal
    from aiorekostream.emulator.world.dependency_faults import DependencyFaults
    from aiorekostream.emulator.world.footage import Analyst
    from aiorekostream.emulator.world.processors import ProcessorState

    _Endpoint: TypeAlias = Callable[["ControlPlane", JsonObject], object]

__all__ = ["ControlPlane", "Controlled"]

_ROOT = "/_emulator/"
_HEALTH = ("GET", "health")


class Controlled(Protocol):
    """The methods of ``Emulator`` that the endpoints call."""

    @property
    def dependency_faults(self) -> DependencyFaults:
        """See ``Emulator.dependency_faults``."""
        ...

    @dependency_faults.setter
    def dependency_faults(self, dependency_faults: DependencyFaults) -> None: ...

    @property
    def clock(self) -> EmulatorClock:
        """See ``Emulator.clock``."""
        ...

    @property
    def is_recording(self) -> bool:
        """See ``Emulator.is_recording``."""
        ...

    @property
    def calls(self) -> Sequence[RecordedCall]:
        """See ``Emulator.calls``."""
        ...

    def clear_calls(self) -> None:
        """See ``Emulator.clear_calls``."""
        ...

    @property
    def processors(self) -> Sequence[ProcessorState]:
        """See ``Emulator.processors``."""
        ...

    def advance(self, seconds: datetime.timedelta | float) -> None:
        """See ``Emulator.advance``."""
        ...

    @property
    def faults(self) -> Sequence[Fault | DeliveryFault]:
        """See ``Emulator.faults``."""
        ...

    def inject(self, *faults: Fault | DeliveryFault) -> None:
        """See ``Emulator.inject``."""
        ...

    def clear_faults(self) -> None:
        """See ``Emulator.clear_faults``."""
        ...

    @property
    def footage(self) -> Analyst:
        """See ``Emulator.footage``."""
        ...

    @footage.setter
    def footage(self, footage: Analyst) -> None: ...

    def fail(self, name: str, status_message: str, *, after: datetime.timedelta | float = 0.0) -> None:
        """See ``Emulator.fail``."""
        ...

    def reset(self) -> None:
        """See ``Emulator.reset``."""
        ...


@attrs.frozen
class ControlPlane(Plane):
    """Serve the endpoints below ``/_emulator/``.

    Attributes:
        emulator: the emulator under control.
        enabled: whether endpoints other than ``health`` are served.
    """

    emulator: Controlled
    enabled: bool

    @property
    def is_for_pages(self) -> bool:
        """False: a page in the developer's browser must not control the emulator."""
        return False

    def accepts(self, head: RequestHead) -> bool:
        """Return whether a path is below ``/_emulator/``."""
        return head.path.startswith(_ROOT)

    def refuse(self, refusal: Refusal, request_id: str) -> HttpResponse:
        """See ``Plane.refuse``."""
        del request_id
        return _error(refusal.status, refusal.message or "")

    async def respond(self, request: HttpRequest) -> HttpResponse:
        """Execute a control request: 200 with JSON, 400 for an invalid body, 403 for a forbidden caller, or 404."""
        path = request.head.path.partition("?")[0]
        route = (request.head.method, path.removeprefix(_ROOT))
        endpoint = _ENDPOINTS.get(route)
        if endpoint is None:
            return _error(404, f"There is no control endpoint {route[0]} {path}.")
        if route != _HEALTH and not (self.enabled and _is_local(request)):
            return _error(
                403,
                "The control endpoints are disabled, or the caller is not a local program with a loopback host name.",
            )
        try:
            return _json(200, endpoint(self, read_object(request.body)))
        except RefusedError as error:
            return _error(400, error.refusal.message or "")
        except (InvalidRequestError, ConfigurationError) as error:
            return _error(400, str(error))

    def health(self, _: JsonObject) -> object:
        """Return the status and the clock's time."""
        return {"status": "running", "now": self.emulator.clock.now()}

    def processors(self, _: JsonObject) -> object:
        """Return the state of every processor."""
        states = self.emulator.processors
        return {"processors": [{**attrs.asdict(state), "tags": dict(state.tags)} for state in states]}

    def reset(self, _: JsonObject) -> object:
        """Reset the emulator. See ``Emulator.reset``."""
        self.emulator.reset()
        return {}

    def calls(self, _: JsonObject) -> object:
        """Return the recorded calls; an error if calls are not recorded."""
        if not self.emulator.is_recording:
            raise ConfigurationError("calls are not recorded: use Emulator(record=True) or the option --record")
        return {"calls": [_call_to_json(call) for call in self.emulator.calls]}

    def clear_calls(self, _: JsonObject) -> object:
        """Remove the recorded calls."""
        self.emulator.clear_calls()
        return {}

    def advance(self, members: JsonObject) -> object:
        """Advance the clock. See ``Emulator.advance``."""
        self.emulator.advance(member(members, "seconds", seconds))
        return {"now": self.emulator.clock.now()}

    def faults(self, _: JsonObject) -> object:
        """Return the pending faults."""
        return {"faults": [fault_to_json(fault) for fault in self.emulator.faults]}

    def add_faults(self, members: JsonObject) -> object:
        """Inject faults. See ``Emulator.inject``."""
        self.emulator.inject(*member(members, "faults", faults_from_json))
        return self.faults(members)

    def clear_faults(self, _: JsonObject) -> object:
        """Remove all pending faults."""
        self.emulator.clear_faults()
        return {}

    def dependency_faults(self, _: JsonObject) -> object:
        """Return the resources that are unavailable."""
        return attrs.asdict(self.emulator.dependency_faults)

    def set_dependency_faults(self, members: JsonObject) -> object:
        """Replace the resources that are unavailable."""
        self.emulator.dependency_faults = dependency_faults_from_json(members)
        return self.dependency_faults(members)

    def set_footage(self, members: JsonObject) -> object:
        """Replace what the cameras see."""
        self.emulator.footage = footage_from_json(members)
        return {}

    def fail(self, members: JsonObject) -> object:
        """Schedule the failure of a processor. See ``Emulator.fail``."""
        name, message = member(members, "name", text), member(members, "status_message", text)
        after = member({"after": 0, **members}, "after", seconds)
        self.emulator.fail(name, message, after=after)
        return {}


_ENDPOINTS: Mapping[tuple[str, str], _Endpoint] = {
    _HEALTH: ControlPlane.health,
    ("GET", "processors"): ControlPlane.processors,
    ("POST", "reset"): ControlPlane.reset,
    ("GET", "calls"): ControlPlane.calls,
    ("DELETE", "calls"): ControlPlane.clear_calls,
    ("POST", "clock/advance"): ControlPlane.advance,
    ("GET", "faults"): ControlPlane.faults,
    ("POST", "faults"): ControlPlane.add_faults,
    ("DELETE", "faults"): ControlPlane.clear_faults,
    ("GET", "dependency_faults"): ControlPlane.dependency_faults,
    ("PUT", "dependency_faults"): ControlPlane.set_dependency_faults,
    ("PUT", "footage"): ControlPlane.set_footage,
    ("POST", "fail"): ControlPlane.fail,
}


def _call_to_json(call: RecordedCall) -> JsonObject:
    return {**attrs.asdict(call, recurse=False), "faults": [fault_to_json(fault) for fault in call.faults]}


def _json(status: int, body: object) -> HttpResponse:
    return HttpResponse(status, json.dumps(body).encode(), "application/json; charset=utf-8")


def _error(status: int, message: str) -> HttpResponse:
    return _json(status, {"message": message})


def _is_local(request: HttpRequest) -> bool:
    """Return whether a request comes from this machine, uses a loopback host name, and has no Origin header."""
    # The Host check defends against DNS rebinding; browsers send Origin with every cross-site POST, PUT and DELETE.
    headers = request.head.headers
    host = headers.get("host", "").rpartition(":")
    name = host[0] if host[2].isdecimal() else host[0] + host[1] + host[2]
    return _is_loopback(request.connection.peer) and _is_loopback(name.strip("[]")) and "origin" not in headers


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
