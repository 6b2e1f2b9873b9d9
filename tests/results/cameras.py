"""Label detections in virtual time, whose notifications arrive in a queue of SQS in memory."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

import attrs

import aiorekostream as rks
from aiorekostream import results
from aiorekostream.testing import MemoryTransport
from tests.fleet.service import VirtualClock
from tests.payloads import wire
from tests.results.memory_queue import MemoryQueue
from tests.virtual_time import now

if TYPE_CHECKING:
    from aiorekostream.results import StreamProcessorEvent

__all__ = ["LATENCY", "URL", "Cameras", "collect", "completed", "detected", "ids_of", "refusal", "start_of"]

URL = "https://sqs.us-east-1.amazonaws.com/123456789012/doors"
# Seconds that a message takes through the queue: its connection answers after 10 ms.
LATENCY = 0.01
_PAGE = 1_000


def start_of(name: str, seconds: int = 10) -> rks.LabelDetectionStart:
    selector = rks.ProducerTimestamp(1_700_000_000_000)
    return rks.LabelDetectionStart(name=name, start_selector=selector, stop_selector=rks.StopSelector(seconds))


def refusal(code: str, operation: str = "SQS", *, kind: type[rks.ServiceError] = rks.ServiceError) -> rks.ServiceError:
    return kind("", operation=operation, code=code, http_status=400, retry_safe=True)


def _message(payload: str, session_id: str, event_id: str, name: str | None) -> str:
    request = {} if name is None else {"startStreamProcessorRequest": {"name": name}}
    members = {key: value for key, value in wire(payload).items() if key != "startStreamProcessorRequest"}
    return json.dumps(members | {"sessionId": session_id, "eventId": event_id} | request)


def detected(session_id: str, number: int = 1, *, name: str | None = None) -> str:
    """The body of a message with a LabelDetected."""
    return _message("label-detected", session_id, f"{session_id}/label-{number}", name)


def completed(session_id: str, *, name: str | None = None) -> str:
    """The body of a message with a SessionCompleted of 30.016 seconds."""
    return _message("stream-processing-complete", session_id, f"{session_id}/end", name)


def ids_of(events: list[StreamProcessorEvent]) -> list[str]:
    return [event.event_id for event in events]


async def collect(session: results.Session[rks.LabelDetectionStart]) -> list[StreamProcessorEvent]:
    """Read a session to its end."""
    return [event async for event in session]


@attrs.define(eq=False)
class Cameras:
    """The service and its topic: every session sends its notification to the queue.

    Attributes:
        queue: the queue that is subscribed to the topic.
        lasts: how many seconds a session lasts, by its id; its longest duration by default.
        answers_after: how many seconds after the session has begun its start is answered.
        is_lost: whether the notification of a session is lost, by its id.
        has_ids: whether answers to starts have an id.
        refuse: may answer a call with an error, by operation and name.
        ended: when each session ended, by its id.
        calls: how often each operation was called.
    """

    queue: MemoryQueue = attrs.field(factory=MemoryQueue)
    lasts: Callable[[str], float | None] = lambda _: None
    answers_after: float = 0.0
    is_lost: Callable[[str], bool] = lambda _: False
    has_ids: bool = True
    refuse: Callable[[str, str], Exception | None] = lambda _, __: None
    ended: dict[str, float] = attrs.field(factory=dict[str, float], init=False)
    statuses: dict[str, str] = attrs.field(factory=dict[str, str], init=False)
    calls: Counter[str] = attrs.field(factory=Counter[str], init=False)
    client: rks.Client = attrs.field(init=False)
    _starts: Counter[str] = attrs.field(factory=Counter[str], init=False)

    def __attrs_post_init__(self) -> None:
        self.client = rks.Client(transport=MemoryTransport(self._answer), rate_limiter=None, clock=VirtualClock())

    def consumer(self, *, max_in_flight: int = 100) -> results.SqsConsumer:
        """A consumer of the queue."""
        return results.SqsConsumer(URL, queue=self.queue.connect(), max_in_flight=max_in_flight)

    def session(
        self,
        events: results.SqsConsumer | results.SessionRouter[StreamProcessorEvent],
        name: str = "door",
        *,
        seconds: int = 10,
        linger: float = 5,
        poll_interval: float = 5,
    ) -> results.Session[rks.LabelDetectionStart]:
        """A session of a camera."""
        start = start_of(name, seconds)
        return results.Session(self.client, start, events=events, linger=linger, poll_interval=poll_interval)

    def end(self, name: str, session_id: str, status: str = "STOPPED") -> None:
        """Let a session end now."""
        if session_id not in self.ended:
            self.ended[session_id], self.statuses[name] = now(), status
            if not self.is_lost(session_id):
                self.queue.send(completed(session_id, name=name))

    def later(self, seconds: float, function: Callable[..., object], *arguments: object) -> None:
        """Do something after so many seconds."""
        asyncio.get_running_loop().call_later(seconds, function, *arguments)

    async def _answer(self, operation: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        name = str(body.get("Name", ""))
        self.calls[operation] += 1
        if (error := self.refuse(operation, name)) is not None:
            return error
        if operation == "StartStreamProcessor":
            return await self._start(name, body)
        if operation == "DescribeStreamProcessor":
            reason = {"StatusMessage": "Access denied to Role"} if self._status(name) == "FAILED" else {}
            return {"Name": name, "StreamProcessorArn": "arn", "Status": self._status(name)} | reason
        assert operation == "ListStreamProcessors"
        names = sorted(self.statuses)
        first = int(str(body.get("NextToken", "0")))
        page = [{"Name": name, "Status": self._status(name)} for name in names[first : first + _PAGE]]
        more = {"NextToken": str(first + _PAGE)} if first + _PAGE < len(names) else {}
        return {"StreamProcessors": page} | more

    def _status(self, name: str) -> str:
        return self.statuses.get(name, "STOPPED")

    async def _start(self, name: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        if self._status(name) == "STARTING":
            await asyncio.sleep(self.answers_after)
            return refusal("ResourceInUseException", "StartStreamProcessor", kind=rks.ResourceInUseError)
        self._starts[name] += 1
        session_id, lasts = f"{name}-{self._starts[name]}", self.lasts(f"{name}-{self._starts[name]}")
        if lasts is None:
            lasts = cast("Mapping[str, float]", body["StopSelector"])["MaxDurationInSeconds"]
        self.statuses[name] = "STARTING"
        self.later(lasts, self.end, name, session_id)
        await asyncio.sleep(self.answers_after)
        return {"SessionId": session_id} if self.has_ids else {}
