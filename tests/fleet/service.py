"""The emulated world behind a transport without a network, in the time of a virtual loop."""

from __future__ import annotations

import asyncio
import datetime
import itertools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from typing import TypeVar

import attrs

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.clock import Clock, SystemClock
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.emulator import Timings
from aiorekostream.emulator.answers import Refusal
from aiorekostream.emulator.callers import Caller
from aiorekostream.emulator.quotas import Quotas
from aiorekostream.emulator.world import World
from aiorekostream.limits import DEFAULT_LIMITS, Limits
from aiorekostream.resilience.paces import LocalPacing
from tests import virtual_time
from tests.emulator.samples import ACCOUNT, ROLE

_T = TypeVar("_T")
BEGINNING = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
NOW = rks.ProducerTimestamp(1_700_000_000_000)
_ERRORS = {
    "AccessDeniedException": errors.AccessDeniedError,
    "InvalidParameterException": errors.InvalidParameterError,
    "LimitExceededException": errors.LimitExceededError,
    "ProvisionedThroughputExceededException": errors.ProvisionedThroughputExceededError,
    "ResourceInUseException": errors.ResourceInUseError,
    "ResourceNotFoundException": errors.ResourceNotFoundError,
    "ThrottlingException": errors.ThrottlingError,
}


class VirtualClock(SystemClock):
    """The loop's time, and a date that follows it."""

    def wall(self) -> datetime.datetime:
        return BEGINNING + datetime.timedelta(seconds=self.now())


def _text(value: object) -> object:
    """Timestamps as a transport gives them."""
    if isinstance(value, float):
        return datetime.datetime.fromtimestamp(value, datetime.UTC)
    return value


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
    world: World = attrs.field(init=False)
    _quotas: Quotas = attrs.field(init=False)
    clock: Clock = attrs.field(factory=VirtualClock, init=False)

    def __attrs_post_init__(self) -> None:
        numbers = itertools.count(1)
        self.world = World(new_id=lambda: f"session-{next(numbers)}", limits=self.limits, timings=self.timings)
        self._quotas = Quotas(self.limits.quotas if self.quotas else {})

    @property
    def caller(self) -> Caller:
        return Caller(ACCOUNT, self.region)

    def now(self) -> float:
        return self.clock.wall().timestamp()

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
            answer = self.world.serve(self.caller, "CreateStreamProcessor", request, 0)
            assert not isinstance(answer, Refusal), answer

    def ask(self, operation: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        refusal = self._quotas.refusal(self.caller, operation, self.now())
        answer = refusal or self.world.serve(self.caller, operation, body, self.now())
        account = self.world.account(self.caller)
        for kind in ProcessorKind:
            self.most[kind] = max(self.most[kind], account.active(kind))
        if isinstance(answer, Refusal):
            kind_of_error = _ERRORS.get(answer.code, errors.ServiceError)
            return kind_of_error(
                answer.message or "",
                operation=operation,
                code=answer.code,
                http_status=answer.status,
                retry_safe=True,
            )
        return {key: _text(value) if key.endswith("Timestamp") else value for key, value in (answer.body or {}).items()}

    async def handle(self, operation: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        name = str(body.get("Name", ""))
        self.calls.append((operation, name, self.clock.now()))
        error = self.before(operation, name)
        if error is not None and not isinstance(error, errors.ConnectionLostError):
            return error
        await asyncio.sleep(self.latency / 2)
        answer = self.ask(operation, body)
        await asyncio.sleep(self.latency / 2)
        return answer if error is None else error

    async def answer(self, operation: str, body: Mapping[str, object]) -> rks.Reply | Exception:
        """What is said, and what time it is by then, as AWS tells it."""
        said = await self.handle(operation, body)
        return said if isinstance(said, Exception) else rks.Reply(said, date=self.clock.wall().replace(microsecond=0))

    def client(self, *, paced: bool = True, limits: Limits | None = None, total: float = 60) -> rks.Client:
        client = rks.Client(
            transport=rks.MemoryTransport(self.answer, region=self.region),
            pacing=LocalPacing() if paced else None,
            limits=limits or self.limits,
            timeout=rks.Timeout(total=total),
        )
        client._pipeline = attrs.evolve(client._pipeline, clock=self.clock)
        return client

    def starts(self, name: str | None = None) -> list[float]:
        """When starts came."""
        return [at for operation, who, at in self.calls if operation == START and name in {None, who}]

    def count(self, operation: str) -> int:
        return sum(operation == asked for asked, _, _ in self.calls)


@attrs.define
class OpensLate(rks.MemoryTransport):
    """Its credentials cannot be fetched so many times."""

    failures: int = attrs.field(default=0, kw_only=True)

    async def open(self) -> None:
        if self.failures:
            self.failures -= 1
            raise errors.ConnectError("the credentials could not be fetched", operation="opening", retry_safe=True)


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


def run(coroutine: Coroutine[object, object, _T]) -> _T:
    """Run to the end in virtual time, and see that no task was left behind."""

    async def whole() -> _T:
        before = asyncio.all_tasks()
        result = await coroutine
        await asyncio.sleep(0)
        left = asyncio.all_tasks() - before
        assert not {task for task in left if "paces" not in task.get_name()}, left
        return result

    return virtual_time.run(whole())
