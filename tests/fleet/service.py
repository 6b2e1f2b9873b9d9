"""The simulated service for tests of fleets: processors by name, answers that a hook replaces, calls recorded."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, TypeVar

import attrs

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.clock import Clock, SystemClock
from aiorekostream.codec import encode
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.emulator import Timings
from aiorekostream.emulator.world.answers import Success
from aiorekostream.emulator.world.identity import Caller
from aiorekostream.limits import DEFAULT_LIMITS, Limits
from aiorekostream.rate_limiting.limiter import LocalRateLimiter
from aiorekostream.testing import MemoryTransport, Reply, Transport
from tests import virtual_time
from tests.emulator.samples import ACCOUNT, ROLE
from tests.simulation.service import SimulatedService

if TYPE_CHECKING:
    from aiorekostream.domain.status import Status
    from aiorekostream.rate_limiting.port import RateLimiter

_T = TypeVar("_T")
BEGINNING = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
NOW = rks.ProducerTimestamp(1_700_000_000_000)


class VirtualClock(SystemClock):
    """The loop's time, and a date that follows it."""

    def wall(self) -> datetime.datetime:
        return BEGINNING + datetime.timedelta(seconds=self.now())


@attrs.define
class Service:
    """A world, its quotas, and everything that was asked of it.

    Attributes:
        region: where it is.
        limits: the numbers that it enforces.
        quotas: whether it enforces those of speed.
        latency: the seconds that an answer takes.
        timings: how long things take.
        before: told the operation and the processor; an error that it gives is the answer. A ``ConnectionLostError``
            is given after the call was carried out, any other instead.
        most: the most sessions that were under way at once, by kind.
    """

    region: str = "us-east-1"
    limits: Limits = DEFAULT_LIMITS
    quotas: bool = True
    latency: float = 0.05
    timings: Timings = attrs.field(factory=Timings)
    before: Callable[[str, str], Exception | None] = lambda _operation, _name: None
    calls: list[tuple[str, str, float]] = attrs.field(factory=list, init=False)
    most: dict[ProcessorKind, int] = attrs.field(factory=lambda: dict.fromkeys(ProcessorKind, 0), init=False)
    clock: Clock = attrs.field(factory=VirtualClock, init=False)
    _simulated: SimulatedService = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._simulated = SimulatedService(
            caller=Caller(ACCOUNT, self.region),
            quotas=self.limits.quotas if self.quotas else {},
            limits=self.limits,
            timings=self.timings,
        )

    def create(self, *names: str, faces: bool = False) -> None:
        """Create processors, without a call."""
        for name in names:
            where = f"{self.region}:{ACCOUNT}"
            request: dict[str, object] = {
                "Name": name,
                "Input": {"KinesisVideoStream": {"Arn": f"arn:aws:kinesisvideo:{where}:stream/{name}/1656000000000"}},
                "RoleArn": ROLE,
            }
            if faces:
                request["Output"] = {"KinesisDataStream": {"Arn": f"arn:aws:kinesis:{where}:stream/{name}"}}
                request["Settings"] = {"FaceSearch": {"CollectionId": "staff"}}
            else:
                request["Output"] = {"S3Destination": {"Bucket": "pictures"}}
                request["Settings"] = {"ConnectedHome": {"Labels": ["PERSON"]}}
                request["NotificationChannel"] = {"SNSTopicArn": f"arn:aws:sns:{where}:doors"}
            answer = self._simulated.world.serve(self._simulated.caller, "CreateStreamProcessor", request, 0)
            assert isinstance(answer, Success), answer

    def start_all(self) -> None:
        """Let another client start every face search, without a call that counts."""
        simulated = self._simulated
        for name in simulated.account.processors:
            simulated.world.serve(simulated.caller, START, {"Name": name}, simulated._time)

    def fail(self, name: str, *, after: float = 0.0) -> None:
        """Let the session of a processor fail, or its next one; see ``FAILURE``."""
        self._simulated.world.schedule_failure(name, FAILURE, self._simulated._time, after=after)

    def act(self, operation: str, name: str, *, after: float = 0.0) -> None:
        """Let another client call an operation, now or later."""
        members: dict[str, object] = {"Name": name}
        if operation == START and self._simulated.account.processors[name].kind is ProcessorKind.LABEL_DETECTION:
            members |= encode(label(name, 60))
        self._simulated.act(operation, members, after=after)

    def status(self, name: str) -> Status:
        """The status of a processor, without a call."""
        return self._simulated.account.processors[name].status

    def session_id(self, name: str) -> str | None:
        """The id of the last session of a processor, without a call."""
        return self._simulated.account.processors[name].session_id

    def ask(self, operation: str, body: Mapping[str, object]) -> Reply | Exception:
        """Let the service decide on a request now."""
        answer = self._simulated.answer(operation, body)
        for kind in ProcessorKind:
            self.most[kind] = max(self.most[kind], self._simulated.active(kind))
        return answer

    async def answer(self, operation: str, body: Mapping[str, object]) -> Reply | Exception:
        """What is said, and what time it is by then, as AWS tells it."""
        name = str(body.get("Name", ""))
        self.calls.append((operation, name, self.clock.now()))
        error = self.before(operation, name)
        if error is not None and not isinstance(error, errors.ConnectionLostError):
            return error
        await asyncio.sleep(self.latency / 2)
        answer = self.ask(operation, body)
        await asyncio.sleep(self.latency / 2)
        return answer if error is None else error

    def client(
        self,
        *,
        rate_limiter: RateLimiter | None = LocalRateLimiter(),  # noqa: B008 - a value
        limits: Limits | None = None,
        total: float = 60,
        transport: Transport | None = None,
    ) -> rks.Client:
        """A client of the service, or of another transport in the service's time."""
        return rks.Client(
            transport=transport or MemoryTransport(self.answer, region=self.region),
            rate_limiter=rate_limiter,
            limits=limits or self.limits,
            timeout=rks.Timeout(total=total),
            clock=self.clock,
        )

    def starts(self, name: str | None = None) -> list[float]:
        """When starts came."""
        return [at for operation, who, at in self.calls if operation == START and name in {None, who}]

    def count(self, operation: str) -> int:
        return sum(operation == asked for asked, _, _ in self.calls)

    def order(self, operation: str = "StartStreamProcessor") -> list[str]:
        """The processors in the order in which calls of an operation came."""
        return [name for asked, name, _ in self.calls if asked == operation]


@attrs.define
class OpensLate(MemoryTransport):
    """Its credentials cannot be fetched so many times."""

    failures: int = attrs.field(default=0, kw_only=True)

    async def open(self) -> None:
        if self.failures:
            self.failures -= 1
            raise errors.ConnectError("the credentials could not be fetched", operation="opening", retry_safe=True)


FAILURE = "Access denied to Role"
START, STOP, LIST = "StartStreamProcessor", "StopStreamProcessor", "ListStreamProcessors"
DESCRIBE = "DescribeStreamProcessor"


def names(count: int, prefix: str = "camera") -> list[str]:
    return [f"{prefix}-{number}" for number in range(count)]


def label(name: str, seconds: int = 10) -> rks.LabelDetectionStart:
    return rks.LabelDetectionStart(name=name, start_selector=NOW, stop_selector=rks.StopSelector(seconds))


def labels(count: int, seconds: int = 10) -> list[rks.LabelDetectionStart]:
    return [label(name, seconds) for name in names(count)]


def faces(count: int) -> list[rks.FaceSearchStart]:
    return [rks.FaceSearchStart(name) for name in names(count, "face")]


async def stream(items: Iterable[_T], *, every: float = 0.0) -> AsyncIterator[_T]:
    """The items, one at a time."""
    for item in items:
        await asyncio.sleep(every)
        yield item


async def leave(awaited: Awaitable[object], *, after: float) -> None:
    """Wait for something for so many seconds, and cancel it then."""
    task = asyncio.ensure_future(awaited)
    await asyncio.sleep(after)
    assert not task.done(), "it has ended before it could be cancelled"
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def throttling(operation: str = START, *, retry_after: float = 0.0) -> errors.ThrottlingError:
    """A refusal of a call as too fast."""
    return errors.ThrottlingError(
        "slow down",
        operation=operation,
        code="ThrottlingException",
        http_status=400,
        retry_safe=True,
        retry_after=retry_after,
    )


def lost(operation: str = START) -> errors.ConnectionLostError:
    """The loss of an answer."""
    return errors.ConnectionLostError("reset", operation=operation)


def once(error: Exception, operation: str = START, *, times: int = 1) -> Callable[[str, str], Exception | None]:
    """Give an error as the answer to the first calls of an operation; see ``Service.before``."""
    left = [error] * times
    return lambda asked, _name: left.pop() if left and asked == operation else None


def run(coroutine: Coroutine[object, object, _T]) -> _T:
    """Run to the end in virtual time, and see that no task was left behind."""

    async def whole() -> _T:
        before = asyncio.all_tasks()
        result = await coroutine
        for _ in range(10):  # a task that was cancelled comes to its end within a few turns of the loop
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - before
        assert not left, left
        return result

    return virtual_time.run(whole())


FACE = rks.FaceSearchStart("face-0")


def service_of(
    count: int = 0,
    *,
    face_searches: int = 0,
    region: str = "us-east-1",
    limits: Limits = DEFAULT_LIMITS,
    quotas: bool = True,
    latency: float = 0.05,
    timings: Timings | None = None,
) -> Service:
    """A service with so many label detections and face searches, all at rest; see ``Service`` for the others."""
    service = Service(region=region, limits=limits, quotas=quotas, latency=latency, timings=timings or Timings())
    service.create(*names(count))
    service.create(*names(face_searches, "face"), faces=True)
    return service


unlimited_service_of = functools.partial(service_of, quotas=False)


def refusal(kind: type[errors.ServiceError], operation: str) -> errors.ServiceError:
    """The refusal of a call that was not applied."""
    return kind("", operation=operation, code=kind.__name__, http_status=400, retry_safe=True)
