"""Serve the control endpoints below ``/_emulator/``: the methods of ``Emulator`` for programs in other languages.

=======  ================================  =========================================================================
method   path                              request body or response
=======  ================================  =========================================================================
GET      ``/_emulator/health``             returns the status and the clock's time
GET      ``/_emulator/processors``         returns the current state of every processor
POST     ``/_emulator/reset``              removes all processors, faults and calls, and refills the quotas
GET      ``/_emulator/calls``              returns the recorded calls
DELETE   ``/_emulator/calls``              removes the recorded calls
POST     ``/_emulator/clock/advance``      ``{"seconds": 5}``; requires a ``ManualClock``
GET      ``/_emulator/faults``             returns the pending faults
POST     ``/_emulator/faults``             ``{"faults": [{"fault": "Throttle", "times": 3}]}``
DELETE   ``/_emulator/faults``             removes all pending faults
GET      ``/_emulator/dependency_faults``  returns the resources that are unavailable
PUT      ``/_emulator/dependency_faults``  ``{"denied_roles": ["*Retired*"]}``; replaces all of them
POST     ``/_emulator/fail``               ``{"name": "lobby", "status_message": "Access denied to Role", "after": 0}``
=======  ================================  =========================================================================

Every endpoint except ``health`` requires a caller on the same machine that uses a loopback host name. Requests from web
pages are rejected, so that a page in the developer's browser cannot control the emulator.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, TypeAlias, cast

import attrs
from aiohttp import web

from aiorekostream.emulator.answers import RefusedError
from aiorekostream.emulator.engine import Engine
from aiorekostream.emulator.options import (
    dependency_faults_from_json,
    fault_to_json,
    faults_from_json,
    member,
    seconds,
    text,
)
from aiorekostream.emulator.wire import read_object
from aiorekostream.errors import ConfigurationError, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiorekostream.emulator.answers import JsonObject
    from aiorekostream.emulator.call_log import RecordedCall

    _Endpoint: TypeAlias = Callable[["Control", JsonObject], object]

__all__ = ["Control"]

_ROOT = "/_emulator/"
_HEALTH = ("GET", "health")


@attrs.frozen
class Control:
    """Serve the endpoints below ``/_emulator/``.

    Attributes:
        engine: the engine under control.
        enabled: whether endpoints other than ``health`` are served.
    """

    engine: Engine
    enabled: bool

    def handles(self, path: str) -> bool:
        """Return whether a path is below ``/_emulator/``."""
        return path.startswith(_ROOT)

    def handle(self, request: web.BaseRequest, body: bytes) -> web.Response:
        """Execute a control request: 200 with JSON, 400 for an invalid body, 403 for a forbidden caller, or 404."""
        route = (request.method, request.path.removeprefix(_ROOT))
        endpoint = _ENDPOINTS.get(route)
        if endpoint is None:
            return _error(404, f"There is no control endpoint {route[0]} {request.path}.")
        if route != _HEALTH and not (self.enabled and _is_local(request)):
            return _error(
                403,
                "The control endpoints are disabled, or the caller is not a local program with a loopback host name.",
            )
        try:
            return web.json_response(endpoint(self, read_object(body)))
        except RefusedError as error:
            return _error(400, error.refusal.message or "")
        except (InvalidRequestError, ConfigurationError) as error:
            return _error(400, str(error))

    def health(self, _: JsonObject) -> object:
        """Return the status and the clock's time."""
        return {"status": "running", "now": self.engine.clock.now()}

    def processors(self, _: JsonObject) -> object:
        """Return the state of every processor."""
        return {"processors": [{**attrs.asdict(state), "tags": dict(state.tags)} for state in self.engine.states()]}

    def reset(self, _: JsonObject) -> object:
        """Reset the emulator. See ``Emulator.reset``."""
        self.engine.reset()
        return {}

    def calls(self, _: JsonObject) -> object:
        """Return the recorded calls."""
        return {"calls": [_call_to_json(call) for call in self.engine.call_log.calls]}

    def clear_calls(self, _: JsonObject) -> object:
        """Remove the recorded calls."""
        self.engine.call_log.clear()
        return {}

    def advance(self, members: JsonObject) -> object:
        """Advance the clock. See ``Emulator.advance``."""
        self.engine.advance(member(members, "seconds", seconds))
        return {"now": self.engine.clock.now()}

    def faults(self, _: JsonObject) -> object:
        """Return the pending faults."""
        return {"faults": [fault_to_json(fault) for fault in self.engine.fault_script.pending]}

    def add_faults(self, members: JsonObject) -> object:
        """Inject faults. See ``Emulator.inject``."""
        self.engine.fault_script.add(member(members, "faults", faults_from_json))
        return self.faults(members)

    def clear_faults(self, _: JsonObject) -> object:
        """Remove all pending faults."""
        self.engine.fault_script.clear()
        return {}

    def dependency_faults(self, _: JsonObject) -> object:
        """Return the resources that are unavailable."""
        return attrs.asdict(self.engine.world.dependency_faults)

    def set_dependency_faults(self, members: JsonObject) -> object:
        """Replace the resources that are unavailable."""
        self.engine.world.dependency_faults = dependency_faults_from_json(members)
        return self.dependency_faults(members)

    def fail(self, members: JsonObject) -> object:
        """Schedule the failure of a processor. See ``Emulator.fail``."""
        name, message = member(members, "name", text), member(members, "status_message", text)
        after = member({"after": 0, **members}, "after", seconds)
        self.engine.fail(name, message, after=after)
        return {}


_ENDPOINTS: Mapping[tuple[str, str], _Endpoint] = {
    _HEALTH: Control.health,
    ("GET", "processors"): Control.processors,
    ("POST", "reset"): Control.reset,
    ("GET", "calls"): Control.calls,
    ("DELETE", "calls"): Control.clear_calls,
    ("POST", "clock/advance"): Control.advance,
    ("GET", "faults"): Control.faults,
    ("POST", "faults"): Control.add_faults,
    ("DELETE", "faults"): Control.clear_faults,
    ("GET", "dependency_faults"): Control.dependency_faults,
    ("PUT", "dependency_faults"): Control.set_dependency_faults,
    ("POST", "fail"): Control.fail,
}


def _call_to_json(call: RecordedCall) -> JsonObject:
    return {**attrs.asdict(call, recurse=False), "faults": [fault_to_json(fault) for fault in call.faults]}


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


def _is_local(request: web.BaseRequest) -> bool:
    """Return whether a request comes from this machine, uses a loopback host name, and has no Origin header."""
    # The Host check defends against DNS rebinding; browsers send Origin with every cross-site POST, PUT and DELETE.
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    address = str(cast("tuple[object, ...]", peer)[0]) if isinstance(peer, tuple) else ""
    host = (request.headers.get("Host") or "").rpartition(":")
    name = host[0] if host[2].isdecimal() else host[0] + host[1] + host[2]
    return _is_loopback(address) and _is_loopback(name.strip("[]")) and "Origin" not in request.headers


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
