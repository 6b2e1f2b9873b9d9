"""The emulator as an object: an HTTP server on this machine that stands in for Amazon Rekognition."""

from __future__ import annotations

import asyncio
import random as dice  # noqa: TID251 - the one place that throws dice, for faults that strike with a probability
import uuid
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from aiorekostream.emulator.call_log import Call, CallLog
from aiorekostream.emulator.clocks import EmulatorClock, RealClock
from aiorekostream.emulator.control import Control
from aiorekostream.emulator.dependency_faults import DependencyFaults
from aiorekostream.emulator.dispatcher import Dispatcher
from aiorekostream.emulator.engine import Engine, ProcessorState
from aiorekostream.emulator.fault_script import FaultScript
from aiorekostream.emulator.handlers import Handlers
from aiorekostream.emulator.listener import Listener
from aiorekostream.emulator.model import load_model
from aiorekostream.emulator.quotas import Quotas
from aiorekostream.emulator.referee import Referee
from aiorekostream.emulator.timings import Timings
from aiorekostream.emulator.world import OPERATIONS, World
from aiorekostream.errors import ConfigurationError
from aiorekostream.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from aiorekostream.emulator.faults import Fault

__all__ = ["Emulator"]

_TIMINGS, _AT_HAND = Timings(), DependencyFaults()
_NONE: Mapping[str, str] = MappingProxyType({})


def _new_id() -> str:
    return str(uuid.uuid4())


class Emulator:
    """A stateful Amazon Rekognition endpoint for stream processors, over real HTTP, on this machine.

    It serves any AWS SDK in any language that is told its ``url``, for instance by ``AWS_ENDPOINT_URL_REKOGNITION``.
    The ten operations on stream processors and their tags are there, as
    https://docs.aws.amazon.com/rekognition/latest/APIReference/ describes them.

    Use it in ``async with``, or call ``start`` and ``aclose``. It belongs to the event loop that it was started on.

    Args:
        host: the address to listen on; nobody but this machine reaches the default.
        port: the port; 0 takes one that is free.
        clock: ``RealClock()`` if not given.
        limits: AWS's numbers: rates, concurrency, counts.
        quotas: whether requests above the rates of ``limits`` are refused.
        timings: how long things take.
        dependency_faults: which roles, streams and collections are out of reach.
        accounts: the account (twelve digits) of an access key; every other key has one of its own, derived from it.
        credentials: the secret of each access key, to check signatures; if not given, requests need only look signed.
        control: whether the endpoints below ``/_emulator/`` answer.
        record: whether calls are kept in ``calls`` (the latest million).
        check_answers: whether its own answers are held against Amazon's model: ``InternalFailure`` if they are wrong.
        random: numbers from 0 up to and without 1, for faults with a probability; the same in every run if not given.
        new_id: makes the ids of sessions and requests; random UUIDs if not given.

    Raises:
        ConfigurationError: (from ``start``) the address cannot be had.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: EmulatorClock | None = None,
        limits: Limits = DEFAULT_LIMITS,
        quotas: bool = True,
        timings: Timings | None = None,
        dependency_faults: DependencyFaults | None = None,
        accounts: Mapping[str, str] = _NONE,
        credentials: Mapping[str, str] | None = None,
        control: bool = True,
        record: bool = True,
        check_answers: bool = False,
        random: Callable[[], float] | None = None,
        new_id: Callable[[], str] = _new_id,
    ) -> None:
        self._host = host
        self._port = port
        self._limits = limits
        self._accounts = dict(accounts)
        self._credentials = None if credentials is None else dict(credentials)
        self._control = control
        self._check_answers = check_answers
        self._new_id = new_id
        self._engine = Engine(
            clock=RealClock() if clock is None else clock,
            world=World(
                new_id=new_id,
                limits=limits,
                timings=timings or _TIMINGS,
                dependency_faults=dependency_faults or _AT_HAND,
            ),
            quotas=Quotas(limits.quotas if quotas else {}),
            script=FaultScript(dice.Random(0).random if random is None else random),  # noqa: S311 - no secret depends on it
            record=CallLog(keeps=record),
        )
        self._closing = asyncio.Event()
        self._listener: Listener | None = None

    async def start(self) -> None:
        """Listen. Amazon's model is read on another thread, once for each process.

        Raises:
            ConfigurationError: the emulator runs already, or the address cannot be had.
        """
        if self._listener is not None:
            raise ConfigurationError("the emulator runs already")
        model = await asyncio.to_thread(load_model)
        desk = Dispatcher(
            world=self._engine.world,
            referee=Referee(model, OPERATIONS, self._limits),
            quotas=self._engine.quotas,
            accounts=self._accounts,
            secrets=self._credentials,
            checks_answers=self._check_answers,
        )
        self._closing = asyncio.Event()
        handlers = Handlers(
            engine=self._engine,
            desk=desk,
            control=Control(self._engine, self._control),
            new_id=self._new_id,
            closing=self._closing,
        )
        self._listener = await Listener.open(self._host, self._port, handlers.handle)

    async def aclose(self) -> None:
        """Stop listening and end every request that is under way; what the emulator knows stays readable."""
        listener, self._listener = self._listener, None
        self._closing.set()
        if listener is not None:
            await listener.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def port(self) -> int:
        """The port that it listens on.

        Raises:
            ConfigurationError: it does not run.
        """
        return self._running().port

    @property
    def url(self) -> str:
        """The endpoint URL for ``endpoint_url`` or ``AWS_ENDPOINT_URL_REKOGNITION``, without a slash at the end.

        Raises:
            ConfigurationError: it does not run.
        """
        return self._running().url

    @property
    def clock(self) -> EmulatorClock:
        """The clock that it was given."""
        return self._engine.clock

    @property
    def calls(self) -> Sequence[Call]:
        """Every request that was received, with what was done and what was answered."""
        return self._engine.record.calls

    def clear_calls(self) -> None:
        """Forget the calls so far."""
        self._engine.record.clear()

    @property
    def processors(self) -> Sequence[ProcessorState]:
        """Every stream processor of every account and Region, as it is now."""
        return tuple(self._engine.states())

    @property
    def next_event(self) -> float | None:
        """When the next thing happens by itself, in epoch seconds of the clock; None if nothing will."""
        self._engine.world.advance(self.clock.now())
        return self._engine.world.next_moment()

    def advance(self, seconds: float) -> None:
        """Let time pass, 0 seconds or more; for an emulator with a ``ManualClock``.

        Raises:
            ConfigurationError: the clock is another one.
            InvalidRequestError: time would go back.
        """
        self._engine.advance(seconds)

    @property
    def faults(self) -> Sequence[Fault]:
        """The scripted faults that are waiting, each with the number of times that it has left."""
        return self._engine.script.waiting

    def inject(self, *faults: Fault) -> None:
        """Inject faults: every latency that matches a request applies to it, and the first other fault that matches."""
        self._engine.script.add(faults)

    def clear_faults(self) -> None:
        """Take away every scripted fault."""
        self._engine.script.clear()

    @property
    def dependency_faults(self) -> DependencyFaults:
        """Which roles, streams and collections are out of reach; may be set, and counts for the starts that follow."""
        return self._engine.world.dependency_faults

    @dependency_faults.setter
    def dependency_faults(self, dependency_faults: DependencyFaults) -> None:
        self._engine.world.dependency_faults = dependency_faults

    def fail(self, name: str, status_message: str, *, after: float = 0.0) -> None:
        """Let the processors of this name that are at work become FAILED; if there are none, the next one that starts.

        Args:
            name: the name of the processor, in whichever account and Region.
            status_message: its StatusMessage, such as ``Access denied to Role``.
            after: how many seconds of the clock after now, or after the start.
        """
        self._engine.fail(name, status_message, after=after)

    def reset(self) -> None:
        """Forget every processor, scripted fault, call and used quota; time and dependency_faults stay."""
        self._engine.reset()

    def _running(self) -> Listener:
        if self._listener is None:
            raise ConfigurationError("the emulator does not run: use `async with` or call start()")
        return self._listener
