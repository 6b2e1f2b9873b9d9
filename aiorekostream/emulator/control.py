"""The control endpoints, ``/_emulator/...``: what the Python object can do, for programs in other languages.

=======  ============================  ==============================================================================
method   path                          body, and what comes of it
=======  ============================  ==============================================================================
GET      ``/_emulator/health``         whether the emulator runs, and its time
GET      ``/_emulator/processors``     every processor as it is now
POST     ``/_emulator/reset``          forgets every processor, fault, call and used quota
GET      ``/_emulator/record``         the calls
DELETE   ``/_emulator/record``         forgets them
POST     ``/_emulator/clock/advance``  ``{"seconds": 5}``, for a clock that is driven by hand
GET      ``/_emulator/faults``         the faults that are waiting
POST     ``/_emulator/faults``         ``{"faults": [{"fault": "Throttle", "times": 3}]}``
DELETE   ``/_emulator/faults``         takes them away
GET      ``/_emulator/dependency_faults``   what is out of reach
PUT      ``/_emulator/dependency_faults``   ``{"denied_roles": ["*Retired*"]}``; what is not named is within reach
POST     ``/_emulator/fail``           ``{"name": "lobby", "status_message": "Access denied to Role", "after": 0}``
=======  ============================  ==============================================================================

But for ``health``, they answer only callers on the same machine that ask for it by a loopback name, and no web pages.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, TypeAlias, cast

import attrs
from aiohttp import web

from aiorekostream.emulator.answers import RefusedError
from aiorekostream.emulator.engine import Engine
from aiorekostream.emulator.options import dependency_faults_from, fault_to, faults_from, member, seconds, text
from aiorekostream.emulator.wire import read_object
from aiorekostream.errors import ConfigurationError, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiorekostream.emulator.answers import JsonObject
    from aiorekostream.emulator.call_log import Call

    _Endpoint: TypeAlias = Callable[["Control", JsonObject], object]

__all__ = ["Control"]

_ROOT = "/_emulator/"
_HEALTH = ("GET", "health")


@attrs.frozen
class Control:
    """Answers what is below ``/_emulator/``.

    Attributes:
        engine: what is controlled.
        is_on: whether anything but ``health`` is answered.
    """

    engine: Engine
    is_on: bool

    def owns(self, path: str) -> bool:
        """Whether a path is below ``/_emulator/``."""
        return path.startswith(_ROOT)

    def answer(self, request: web.BaseRequest, body: bytes) -> web.Response:
        """Do what is asked and answer with JSON; 400 where the body is wrong, 403 where the caller may not, 404."""
        wanted = (request.method, request.path.removeprefix(_ROOT))
        endpoint = _ENDPOINTS.get(wanted)
        if endpoint is None:
            return _problem(404, f"There is no {wanted[0]} {request.path}.")
        if wanted != _HEALTH and not (self.is_on and _is_local(request)):
            return _problem(403, "The control endpoints answer only callers on this machine.")
        try:
            return web.json_response(endpoint(self, read_object(body)))
        except RefusedError as error:
            return _problem(400, error.refusal.message or "")
        except (InvalidRequestError, ConfigurationError) as error:
            return _problem(400, str(error))

    def health(self, _: JsonObject) -> object:
        """Whether the emulator runs."""
        return {"status": "running", "now": self.engine.clock.now()}

    def processors(self, _: JsonObject) -> object:
        """Every processor."""
        return {"processors": [{**attrs.asdict(state), "tags": dict(state.tags)} for state in self.engine.states()]}

    def reset(self, _: JsonObject) -> object:
        """Forget everything."""
        self.engine.reset()
        return {}

    def record(self, _: JsonObject) -> object:
        """The calls."""
        return {"calls": [_call_to(call) for call in self.engine.record.calls]}

    def forget_record(self, _: JsonObject) -> object:
        """Forget the calls."""
        self.engine.record.clear()
        return {}

    def advance(self, members: JsonObject) -> object:
        """Let time pass."""
        self.engine.advance(member(members, "seconds", seconds))
        return {"now": self.engine.clock.now()}

    def faults(self, _: JsonObject) -> object:
        """The faults that are waiting."""
        return {"faults": [fault_to(fault) for fault in self.engine.script.waiting]}

    def add_faults(self, members: JsonObject) -> object:
        """Inject faults."""
        self.engine.script.add(member(members, "faults", faults_from))
        return self.faults(members)

    def forget_faults(self, _: JsonObject) -> object:
        """Take the faults away."""
        self.engine.script.clear()
        return {}

    def dependency_faults(self, _: JsonObject) -> object:
        """What is out of reach."""
        return attrs.asdict(self.engine.world.dependency_faults)

    def set_dependency_faults(self, members: JsonObject) -> object:
        """Say what is out of reach."""
        self.engine.world.dependency_faults = dependency_faults_from(members)
        return self.dependency_faults(members)

    def fail(self, members: JsonObject) -> object:
        """Let a processor fail."""
        name, message = member(members, "name", text), member(members, "status_message", text)
        after = member({"after": 0, **members}, "after", seconds)
        self.engine.fail(name, message, after=after)
        return {}


_ENDPOINTS: Mapping[tuple[str, str], _Endpoint] = {
    _HEALTH: Control.health,
    ("GET", "processors"): Control.processors,
    ("POST", "reset"): Control.reset,
    ("GET", "record"): Control.record,
    ("DELETE", "record"): Control.forget_record,
    ("POST", "clock/advance"): Control.advance,
    ("GET", "faults"): Control.faults,
    ("POST", "faults"): Control.add_faults,
    ("DELETE", "faults"): Control.forget_faults,
    ("GET", "dependency_faults"): Control.dependency_faults,
    ("PUT", "dependency_faults"): Control.set_dependency_faults,
    ("POST", "fail"): Control.fail,
}


def _call_to(call: Call) -> JsonObject:
    return {**attrs.asdict(call, recurse=False), "faults": [fault_to(fault) for fault in call.faults]}


def _problem(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)


def _is_local(request: web.BaseRequest) -> bool:
    """Whether a request comes from this machine, knows it by a loopback name, and was not made by a web page."""
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
