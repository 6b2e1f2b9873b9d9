"""Assemble the APIs of an emulator, and serve them on one port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

import attrs

from aiorekostream.emulator.call_log import CallLog
from aiorekostream.emulator.clocks import EmulatorClock
from aiorekostream.emulator.fault_script import FaultScript
from aiorekostream.emulator.http.callers import CallerDirectory
from aiorekostream.emulator.http.control import ControlPlane
from aiorekostream.emulator.http.cors import CrossOriginPolicy
from aiorekostream.emulator.http.dispatch import PlaneDispatcher
from aiorekostream.emulator.http.listener import Listener
from aiorekostream.emulator.http.operations import Dispatcher
from aiorekostream.emulator.http.rekognition import RekognitionPlane
from aiorekostream.emulator.model import load_model
from aiorekostream.emulator.result_services import ResultServices
from aiorekostream.emulator.world import OPERATIONS, World
from aiorekostream.emulator.world.answers import Refusal
from aiorekostream.emulator.world.model_validator import ModelValidator
from aiorekostream.emulator.world.quotas import Quotas
from aiorekostream.errors import ConfigurationError

__all__ = ["EmulatorServer"]

_T = TypeVar("_T")


@attrs.define(kw_only=True, eq=False)
class EmulatorServer:
    """The APIs of an emulator on one port.

    Attributes:
        host: the address to listen on.
        requested_port: the port to listen on; 0 selects a free one.
        world: the emulated state.
        results: the services with which results are read.
        quotas: the request quotas.
        callers: identifies callers.
        control: the control endpoints.
        cross_origin: the web pages that may call the APIs.
        clock: the emulator's clock.
        fault_script: the pending faults.
        call_log: the recorded calls.
        checks_answers: whether responses are validated against the model.
        new_id: generates request ids.
    """

    host: str
    requested_port: int
    world: World
    results: ResultServices
    quotas: Quotas
    callers: CallerDirectory
    control: ControlPlane
    cross_origin: CrossOriginPolicy
    clock: EmulatorClock
    fault_script: FaultScript
    call_log: CallLog
    checks_answers: bool
    new_id: Callable[[], str]
    _rekognition: RekognitionPlane | None = attrs.field(default=None, init=False)
    _listener: Listener | None = attrs.field(default=None, init=False)

    @property
    def listener(self) -> Listener:
        """What listens.

        Raises:
            ConfigurationError: the emulator is not running.
        """
        return _running(self._listener)

    async def start(self) -> None:
        """See ``Emulator.start``."""
        if self._listener is not None:
            raise ConfigurationError("the emulator is already running: call aclose() before start()")
        model = await asyncio.to_thread(load_model)
        dispatcher = Dispatcher(
            world=self.world,
            validator=ModelValidator(model, OPERATIONS, self.world.limits),
            quotas=self.quotas,
            accounts=self.callers.accounts,
            secrets=self.callers.secrets,
            checks_answers=self.checks_answers,
        )
        self._rekognition = RekognitionPlane(
            dispatcher=dispatcher,
            clock=self.clock,
            fault_script=self.fault_script,
            call_log=self.call_log,
            pump=self.results.pump,
        )
        planes = PlaneDispatcher(
            planes=(self.control, *self.results.planes(self.callers), self._rekognition),
            cross_origin=self.cross_origin,
            clock=self.clock,
            new_id=self.new_id,
        )
        self._listener = await Listener.open(self.host, self.requested_port, planes.handle)
        self.results.start()

    def create_stream_processor(self, request: Mapping[str, object], *, region: str, access_key: str) -> str:
        """See ``Emulator.create_stream_processor``."""
        dispatcher = _running(self._rekognition).dispatcher
        result = dispatcher.create(dispatcher.caller(access_key, region), request, self.clock.now())
        if isinstance(result, Refusal):
            name, reason = request.get("Name"), f"{result.code}: {result.message or f'no such service in {region}'}"
            raise ConfigurationError(f"cannot create the stream processor {name!r}: {reason}")
        return str((result.body or {})["StreamProcessorArn"])

    async def aclose(self) -> None:
        """See ``Emulator.aclose``."""
        listener, self._listener = self._listener, None
        if self._rekognition is not None:
            self._rekognition.close()
        if listener is not None:
            await listener.aclose()
        await self.results.aclose()


def _running(part: _T | None) -> _T:
    if part is None:
        raise ConfigurationError("the emulator is not running: use `async with` or call start()")
    return part
