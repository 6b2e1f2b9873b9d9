"""Run the emulator: a local HTTP server with the stream processor API of Amazon Rekognition."""

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

from aiorekostream.domain.fields import seconds as duration
from aiorekostream.emulator.arguments import NO_KEYS, EmulatorArguments, checked_faults, checked_footage, new_uuid
from aiorekostream.emulator.call_log import CallLog, RecordedCall
from aiorekostream.emulator.clocks import EmulatorClock, manual
from aiorekostream.emulator.delivery_faults import DeliveryFault
from aiorekostream.emulator.fault_script import FaultScript
from aiorekostream.emulator.faults import Fault
from aiorekostream.emulator.http.control import ControlPlane
from aiorekostream.emulator.http.cors import CrossOriginPolicy
from aiorekostream.emulator.result_services import ResultServices
from aiorekostream.emulator.server import EmulatorServer
from aiorekostream.emulator.world import World
from aiorekostream.emulator.world.contexts import Timings
from aiorekostream.emulator.world.dependency_faults import DependencyFaults
from aiorekostream.emulator.world.footage import Analyst
from aiorekostream.emulator.world.processors import ProcessorState
from aiorekostream.emulator.world.quotas import Quotas
from aiorekostream.limits import DEFAULT_LIMITS, Limits

__all__ = ["Emulator"]


class Emulator:
    """Serve a stateful, local emulation of Amazon Rekognition's stream processor API over HTTP.

    Any AWS SDK in any language can use it: pass ``url`` as the endpoint URL, for instance in the environment variable
    ``AWS_ENDPOINT_URL_REKOGNITION``. It implements the ten operations on stream processors and their tags as
    https://docs.aws.amazon.com/rekognition/latest/APIReference/ describes them.

    Use it as an async context manager, or call ``start`` and ``aclose``. An emulator belongs to the event loop on which
    it was started.

    Args:
        host: the address to listen on; the default is reachable only from the same machine.
        port: the port to listen on; the default 0 selects a free one.
        clock: the clock of sessions, state changes and quotas; ``RealClock()`` by default.
        limits: the limits of every account: request rates, concurrent sessions and counts; AWS's defaults by default.
        quotas: whether requests above the rates of ``limits`` are refused, and reads of data streams above AWS's.
        timings: the durations of state changes.
        dependency_faults: the roles, streams and collections that are unavailable; none by default.
        footage: what the cameras see: ``Footage``, ``RandomFootage`` or another ``Analyst``; nothing by default.
        raw_message_delivery: whether queues receive the messages of label detections without SNS's envelope.
        deliver_to: the URL of a server of SNS, S3 and Kinesis, such as moto's, that gets the results instead of the
            emulator's own queues, buckets and data streams. It must have the topics, buckets and streams.
        allow_remote: whether ``deliver_to`` may be another machine.
        accounts: account ids (twelve digits) by access key; the account of any other key is derived from the key.
        credentials: secret keys by access key, to check signatures; by default requests need a well-formed signature
            that is not verified.
        allow_origins: the origins of the web pages that may call the API, such as ``http://localhost:3000``, or ``*``
            for every page; none by default. Pages never reach the control endpoints.
        allow_hosts: further host names under which SQS, S3 and Kinesis are reached, such as the name of a container.
            Addresses and ``localhost`` are always allowed.
        control: whether the endpoints below ``/_emulator/`` are served.
        record: whether ``calls`` records calls (the latest 100,000).
        check_answers: whether the emulator's own responses are validated against Amazon's model; a mismatch becomes an
            ``InternalFailure``.
        random: returns numbers in [0, 1) for faults with a probability; by default a generator with a fixed seed.
        new_id: generates the ids of sessions and requests; random UUIDs by default.

    Raises:
        ConfigurationError: ``deliver_to`` is not a URL, or is another machine without ``allow_remote``.
        InvalidRequestError: arguments break their rules; all issues at once.
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
        footage: Analyst | None = None,
        raw_message_delivery: bool = False,
        deliver_to: str | None = None,
        allow_remote: bool = False,
        accounts: Mapping[str, str] = NO_KEYS,
        credentials: Mapping[str, str] | None = None,
        allow_origins: Iterable[str] = (),
        allow_hosts: Iterable[str] = (),
        control: bool = True,
        record: bool = True,
        check_answers: bool = False,
        random: Callable[[], float] | None = None,
        new_id: Callable[[], str] = new_uuid,
    ) -> None:
        given = EmulatorArguments(
            host=host,
            port=port,
            clock=clock,
            limits=limits,
            quotas=quotas,
            timings=timings,
            dependency_faults=dependency_faults,
            footage=footage,
            raw_message_delivery=raw_message_delivery,
            deliver_to=deliver_to,
            allow_remote=allow_remote,
            accounts=accounts,
            credentials=credentials,
            allow_origins=allow_origins,
            allow_hosts=allow_hosts,
            control=control,
            record=record,
            check_answers=check_answers,
            random=random,
            new_id=new_id,
        )
        self._clock = given.clock
        self._fault_script = FaultScript(given.random)
        self._call_log = CallLog(enabled=given.record)
        self._quotas = Quotas(given.limits.quotas if given.quotas else {})
        self._results = ResultServices.open(given, fault_script=self._fault_script)
        self._world = World(
            new_id=given.new_id,
            limits=given.limits,
            timings=given.timings,
            dependency_faults=given.dependency_faults,
            analyst=given.footage,
            sink=self._results.outbox,
        )
        self._results.watch(self._world)
        self._server = EmulatorServer(
            host=given.host,
            requested_port=given.port,
            world=self._world,
            results=self._results,
            quotas=self._quotas,
            callers=given.callers(),
            control=ControlPlane(self, enabled=given.control),
            cross_origin=CrossOriginPolicy(given.allow_origins),
            clock=given.clock,
            fault_script=self._fault_script,
            call_log=self._call_log,
            checks_answers=given.check_answers,
            new_id=given.new_id,
        )

    async def start(self) -> None:
        """Start to listen. Loads Amazon's model in a worker thread, once per process.

        Raises:
            ConfigurationError: the emulator is already running, or the address is unavailable.
        """
        await self._server.start()

    async def aclose(self) -> None:
        """Stop listening and close all connections. The state stays readable. Safe to call more than once."""
        await self._server.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    @property
    def port(self) -> int:
        """The port in use.

        Raises:
            ConfigurationError: the emulator is not running.
        """
        return self._server.listener.port

    @property
    def url(self) -> str:
        """The URL for ``endpoint_url`` or ``AWS_ENDPOINT_URL_REKOGNITION``, without a trailing slash.

        Raises:
            ConfigurationError: the emulator is not running.
        """
        return self._server.listener.url

    @property
    def clock(self) -> EmulatorClock:
        """The emulator's clock."""
        return self._clock

    @property
    def calls(self) -> Sequence[RecordedCall]:
        """The requests received so far, each with whether it was executed and how the emulator responded."""
        return self._call_log.calls

    @property
    def is_recording(self) -> bool:
        """Whether ``calls`` records calls."""
        return self._call_log.enabled

    def clear_calls(self) -> None:
        """Remove the recorded calls."""
        self._call_log.clear()

    @property
    def processors(self) -> Sequence[ProcessorState]:
        """The current state of every stream processor in every account and Region."""
        return tuple(self._world.states(self._clock.now()))

    def create_stream_processor(self, request: Mapping[str, object], *, region: str, access_key: str) -> str:
        """Create a stream processor, without a request, a quota, a fault or a recorded call.

        Args:
            request: the members of CreateStreamProcessor, in AWS's spelling.
            region: the Region.
            access_key: the access key whose account owns the processor.

        Returns:
            The ARN.

        Raises:
            ConfigurationError: the emulator is not running, or refuses the request.
        """
        return self._server.create_stream_processor(request, region=region, access_key=access_key)

    @property
    def next_event(self) -> float | None:
        """The time of the next scheduled state change, in epoch seconds of the clock; None if none is scheduled."""
        self._world.advance(self.clock.now())
        return self._world.next_event_at()

    def advance(self, seconds: datetime.timedelta | float) -> None:
        """Advance the ``ManualClock`` and apply the state changes that become due.

        Args:
            seconds: how much time passes, a ``timedelta`` or seconds, from 0 to 1e9.

        Raises:
            ConfigurationError: the clock is not a ``ManualClock``.
            InvalidRequestError: the time is out of range.
        """
        manual(self._clock).advance(seconds)
        self._results.advance()

    @property
    def undelivered(self) -> int:
        """How many results could not be delivered to the server ``deliver_to``."""
        return self._results.undelivered

    @property
    def faults(self) -> Sequence[Fault | DeliveryFault]:
        """The pending faults, each with its remaining number of times."""
        return self._fault_script.pending

    def inject(self, *faults: Fault | DeliveryFault) -> None:
        """Inject faults of requests and of delivery.

        Every ``Latency`` that matches a request applies to it, and the first other fault that matches. Every fault of
        delivery that matches a notification applies to it.

        Args:
            *faults: the faults; they follow those that are pending.

        Raises:
            InvalidRequestError: a value is not a fault; none is injected.
        """
        self._fault_script.add(faults)

    def clear_faults(self) -> None:
        """Remove all pending faults."""
        self._fault_script.clear()

    @property
    def dependency_faults(self) -> DependencyFaults:
        """The roles, streams and collections that are unavailable. Setting it affects subsequent starts.

        Raises:
            InvalidRequestError: the value is no ``DependencyFaults``.
        """
        return self._world.dependency_faults

    @dependency_faults.setter
    def dependency_faults(self, dependency_faults: DependencyFaults) -> None:
        self._world.dependency_faults = checked_faults(dependency_faults)

    @property
    def footage(self) -> Analyst:
        """What the cameras see. Setting it affects subsequent starts, and raises as ``dependency_faults`` does."""
        return self._world.analyst

    @footage.setter
    def footage(self, footage: Analyst) -> None:
        self._world.analyst = checked_footage(footage)

    def fail(self, name: str, status_message: str, *, after: datetime.timedelta | float = 0.0) -> None:
        """Make the active processors of a name FAILED, or, if there are none, the next one that starts.

        Args:
            name: the name of the processor, in any account and Region.
            status_message: the StatusMessage, such as ``Access denied to Role``.
            after: the delay after this call or after the start, on the emulator's clock: a ``timedelta`` or seconds,
                from 0 to 1e9; 0 by default.

        Raises:
            InvalidRequestError: the delay is out of range.
        """
        delay = duration(after, least=0, most=1e9)
        self._world.schedule_failure(name, status_message, self._clock.now(), after=delay)

    def reset(self) -> None:
        """Remove all processors, results, faults and calls, and refill the quotas.

        Keeps the clock, the footage and ``dependency_faults``.
        """
        self._world.clear()
        self._results.clear()
        self._quotas.clear()
        self._fault_script.clear()
        self._call_log.clear()
