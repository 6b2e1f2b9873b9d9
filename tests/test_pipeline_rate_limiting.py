"""The pipeline with a rate limiter and retry tokens, in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs
import pytest

import aiorekostream as rks
from aiorekostream.clock import SystemClock
from aiorekostream.domain.requests import DescribeRequest
from aiorekostream.errors import ConnectError, ConnectionLostError, InternalServerError
from aiorekostream.limits import Scope
from aiorekostream.operations import DESCRIBE, START
from aiorekostream.pipeline import CallEvent, CallTrace, LostAttempt
from aiorekostream.testing import MemoryTransport
from tests.emulator.samples import labels
from tests.simulation.fates import Fate
from tests.simulation.scenes import Answer, label_start, make_client, outcome_of
from tests.simulation.service import SimulatedService
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

    from aiorekostream.rate_limiting import RateLimiter

_START, _DESCRIBE = "StartStreamProcessor", "DescribeStreamProcessor"


def _throttled(retry_after: float = 0.0) -> rks.ThrottlingError:
    return rks.ThrottlingError(
        "Slow down",
        operation=_START,
        code="ThrottlingException",
        http_status=400,
        retry_safe=True,
        retry_after=retry_after,
    )


def _broken() -> InternalServerError:
    return InternalServerError("", operation=_DESCRIBE, code="InternalServerError", http_status=500, retry_safe=True)


def _client(
    handler: Callable[[str, Mapping[str, object]], Mapping[str, object] | Exception | Awaitable[Mapping[str, object]]],
    *,
    quotas: Mapping[str, rks.Quota | None] | None = None,
    total: float = 600,
) -> tuple[rks.Client, MemoryTransport]:
    transport = MemoryTransport(handler)
    limits = rks.Limits(quotas=quotas or {})
    return rks.Client(transport=transport, limits=limits, timeout=rks.Timeout(total=total)), transport


def test_throttled_start_is_sent_again_before_younger_ones() -> None:
    # The quota holds 10 calls and 20 are believed in: a few are refused.
    service = SimulatedService(quotas={_START: rks.Quota(10, 10, "")})

    async def scene() -> list[str]:
        names = [f"door-{number:02}" for number in range(60)]
        service.create(*map(labels, names))
        client = make_client(service, believed=rks.Quota(20, 20, ""))

        async def start(number: int) -> None:
            await asyncio.sleep(number / 10_000)  # each a little younger
            await client.start_stream_processor(label_start(names[number]))

        await asyncio.gather(*map(start, range(len(names))))
        return names

    names = run(scene())
    refused = [(decision.at, decision.name) for decision in service.decisions if decision.code]
    assert refused
    for at, name in refused:
        done = next(decision.at for decision in service.decisions if not decision.code and decision.name == name)
        younger = [
            decision.name
            for decision in service.decisions
            if not decision.code and at + 0.1 < decision.at < done and decision.name > name
        ]
        assert younger == []
    assert sorted(decision.name for decision in service.decisions if not decision.code) == names


def test_retry_goes_before_urgent_calls() -> None:
    """The first start is throttled while urgent ones wait for their permits."""
    order, throttles = list[object](), [_throttled()]

    async def handle(_operation: str, body: Mapping[str, object]) -> Mapping[str, object]:
        order.append(body["Name"])
        await asyncio.sleep(0.1)
        if throttles:
            raise throttles.pop()
        return {"SessionId": "session"}

    async def scene() -> None:
        client, _ = _client(handle, quotas={_START: rks.Quota(1, 1)})
        urgent = client.with_options(urgent=True)
        first = asyncio.create_task(client.start_stream_processor(label_start("first")))
        await asyncio.sleep(0.05)
        await asyncio.gather(first, *(urgent.start_stream_processor(label_start(f"urgent-{n}")) for n in range(3)))

    run(scene())
    assert order[:2] == ["first", "first"]


@pytest.mark.parametrize("rate_limiter", [None, rks.LocalRateLimiter()])
def test_retry_waits_as_long_as_the_service_asks(rate_limiter: RateLimiter | None) -> None:
    answers: list[Mapping[str, object] | Exception] = [_throttled(retry_after=7), {}]
    client, _ = _client(lambda _operation, _body: answers.pop(0))

    async def scene() -> float:
        await client.with_options(rate_limiter=rate_limiter).start_stream_processor(rks.FaceSearchStart("lobby"))
        return asyncio.get_running_loop().time()

    assert 7 <= run(scene()) < 8.5


def test_retry_tokens_run_out_and_recover_with_the_service() -> None:
    alive: list[bool] = []
    found = {"Name": "door", "StreamProcessorArn": "arn", "Status": "STOPPED"}
    client, transport = _client(
        lambda _operation, _body: found if alive else _broken(), quotas=dict.fromkeys(rks.Limits().quotas)
    )

    async def scene() -> tuple[int, int, list[Answer]]:
        calls = (outcome_of(client.describe_stream_processor("door")) for _ in range(1000))
        dead = list(await asyncio.gather(*calls))
        assert all(isinstance(answer, InternalServerError) for answer in dead)
        while_dead = len(transport.calls)
        alive.append(True)
        back = [await outcome_of(client.describe_stream_processor("door")) for _ in range(1000)]
        alive.clear()
        before = len(transport.calls)
        await outcome_of(client.describe_stream_processor("door"))
        return while_dead, len(transport.calls) - before, back

    while_dead, again, back = run(scene())
    assert while_dead <= 1000 + 100
    assert all(isinstance(answer, rks.StreamProcessor) for answer in back)
    assert again == 12  # there is enough for retries again


def test_retries_under_a_quota_cost_no_retry_tokens() -> None:
    """They come no faster than the rate limiter lets them."""
    moments: list[float] = []

    def broken(_operation: str, _body: Mapping[str, object]) -> Exception:
        moments.append(asyncio.get_running_loop().time())
        return _broken()

    client, _ = _client(broken)

    async def scene() -> int:
        calls = (outcome_of(client.describe_stream_processor("door")) for _ in range(100))
        answers = await asyncio.gather(*calls)
        assert {answer.attempts for answer in answers if isinstance(answer, InternalServerError)} == {12}
        return client.pipeline.retry_tokens.tokens

    assert run(scene()) == 500
    assert len(moments) == 1200
    assert max(sum(at <= other < at + 1 for other in moments) for at in moments) <= 20 + 20


def test_throttling_costs_no_retry_tokens() -> None:
    service = SimulatedService(quotas={_START: rks.Quota(1, 1, "")})

    async def scene() -> int:
        names = [f"door-{number}" for number in range(200)]
        service.create(*map(labels, names))
        client = make_client(service, rate_limiter=None, retry=rks.RetryPolicy(max_attempts=100, max_delay=60))
        await asyncio.gather(*(outcome_of(client.start_stream_processor(label_start(name))) for name in names))
        return client.pipeline.retry_tokens.tokens

    assert run(scene()) == 500
    assert sum(bool(decision.code) for decision in service.decisions) > 500


def test_error_counts_the_attempts_of_the_call() -> None:
    client, transport = _client(lambda _operation, _body: _broken())
    answer = run(outcome_of(client.describe_stream_processor("door")))
    assert isinstance(answer, InternalServerError)
    assert answer.attempts == len(transport.calls) == 12


@pytest.mark.parametrize("operation", ["start", "describe"])
def test_call_without_a_permit_in_time_is_safe_to_retry(operation: str) -> None:
    quota = rks.Quota(0.01, 1, "")
    client, transport = _client(lambda _operation, _body: {}, quotas={_START: quota, _DESCRIBE: quota}, total=10)

    async def call() -> Answer:
        if operation == "start":
            return await client.start_stream_processor(rks.FaceSearchStart("lobby"))
        return await client.describe_stream_processor("lobby")

    async def scene() -> tuple[Answer, float]:
        await outcome_of(call())
        begun = asyncio.get_running_loop().time()
        answer = await outcome_of(call())
        return answer, asyncio.get_running_loop().time() - begun

    answer, seconds = run(scene())
    assert isinstance(answer, rks.DeadlineExceededError)
    assert (answer.retry_safe, answer.attempts) == (True, 0)
    assert "no permit was granted" in str(answer)
    assert "with_options(timeout=...)" in answer.hint
    assert answer.deadline == pytest.approx(seconds)
    assert len(transport.calls) == 1


def test_cancelled_calls_leave_their_permits_to_others() -> None:
    client, transport = _client(lambda _operation, _body: {}, quotas={_START: rks.Quota(1, 1, "")})

    async def scene() -> float:
        starts = [client.start_stream_processor(rks.FaceSearchStart(f"lobby-{number}")) for number in range(10)]
        tasks = list(map(asyncio.create_task, starts))
        await asyncio.sleep(0.5)
        for task in tasks[1:-1]:
            task.cancel()
        await asyncio.wait(tasks)
        return asyncio.get_running_loop().time()

    assert run(scene()) < 1.1
    assert len(transport.calls) == 2


def test_trace_is_notified_of_each_event_of_a_call() -> None:
    answers: list[Mapping[str, object] | Exception] = [_throttled(), {}]
    client, _ = _client(lambda _operation, _body: answers.pop(0))
    events: list[CallEvent] = []
    trace = CallTrace(on_event=events.append)
    run(client.pipeline.call(START, rks.FaceSearchStart("lobby"), trace=trace))
    assert events == ["sent", "throttled", "retried", "sent"]
    assert (trace.attempts, trace.lost, trace.may_be_applied) == (2, [], False)


def test_retry_after_the_deadline_takes_no_tokens_and_no_event() -> None:
    later = InternalServerError(
        "", operation=_DESCRIBE, code="InternalServerError", http_status=500, retry_safe=True, retry_after=100
    )
    client, transport = _client(lambda _operation, _body: later, total=10)
    events: list[CallEvent] = []

    with pytest.raises(InternalServerError):
        run(client.pipeline.call(DESCRIBE, DescribeRequest("door"), trace=CallTrace(on_event=events.append)))
    assert len(transport.calls) == 1
    assert events == ["sent"]
    assert client.pipeline.retry_tokens.tokens == 500


def test_call_without_a_connection_is_not_reconciled() -> None:
    service = SimulatedService(fates=lambda _operation, _members: Fate.NO_CONNECTION)

    async def scene() -> Answer:
        service.create(labels("door"))
        return await outcome_of(make_client(service).start_stream_processor(label_start("door")))

    answer = run(scene())
    assert isinstance(answer, ConnectError)
    assert answer.retry_safe
    assert service.sent == {_START: 12}


def test_deadline_between_attempts_is_safe_to_retry() -> None:
    async def handler(_operation: str, _body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        return rks.ThrottlingError("", operation=_START, code="T", http_status=400, retry_safe=True)

    client = rks.Client(
        transport=MemoryTransport(handler),
        limits=rks.Limits(quotas={_START: rks.Quota(0.05, 1, "")}),
        timeout=rks.Timeout(total=10),
    )
    with pytest.raises(rks.DeadlineExceededError, match=r"no permit was granted within 7\.5 s") as caught:
        run(client.start_stream_processor(rks.FaceSearchStart("lobby")))
    assert (caught.value.retry_safe, caught.value.attempts) == (True, 1)


def test_pipeline_opens_the_transport_before_it_asks_for_scope() -> None:
    @attrs.define
    class UnknownScope(MemoryTransport):
        opened: bool = attrs.field(default=False, init=False)

        async def open(self) -> None:
            self.opened = True

        @property
        def scope(self) -> Scope:
            assert self.opened
            return Scope(endpoint="", region="", account="")

    client = rks.Client(transport=UnknownScope(lambda _operation, _body: {}))
    run(client.start_stream_processor(rks.FaceSearchStart("lobby")))


def test_last_attempt_causes_no_retried_event() -> None:
    told: list[CallEvent] = []
    refused = ConnectError("refused", operation=_START, retry_safe=True)
    client = rks.Client(
        transport=MemoryTransport(lambda _operation, _body: refused), retry=rks.RetryPolicy(max_attempts=3)
    )
    with pytest.raises(ConnectError):
        run(client.pipeline.call(START, rks.FaceSearchStart("lobby"), trace=CallTrace(on_event=told.append)))
    assert (told.count("sent"), told.count("retried")) == (3, 2)


def test_throttled_call_without_a_quota_backs_off() -> None:
    moments: list[float] = []

    def handler(_operation: str, _body: Mapping[str, object]) -> Exception:
        moments.append(asyncio.get_running_loop().time())
        return _throttled()

    async def main() -> None:
        client = rks.Client(transport=MemoryTransport(handler), limits=rks.Limits(quotas={_DESCRIBE: None}))
        client._pipeline = attrs.evolve(client._pipeline, random=lambda: 1.0)
        with pytest.raises(rks.ThrottlingError):
            await client.describe_stream_processor("door")

    run(main())
    assert moments[1] == 0.5


class _EarlyClock(SystemClock):
    """Wakes a little before the time, as the timers of some event loops do."""

    def timeout_at(self, moment: float) -> AbstractAsyncContextManager[object]:
        return asyncio.timeout_at(moment - 0.02)


@pytest.mark.parametrize("waits_for", ["no answer came", "no permit was granted"])
def test_deadline_error_is_raised_when_the_timer_is_early(waits_for: str) -> None:
    async def hang(_operation: str, _body: Mapping[str, object]) -> Mapping[str, object]:
        await asyncio.sleep(1000)
        return {}

    client, _ = _client(hang, quotas={_DESCRIBE: rks.Quota(0.01, 1, "")}, total=10)
    client._pipeline = attrs.evolve(client.pipeline, clock=_EarlyClock())

    async def scene() -> list[Answer]:
        return await asyncio.gather(*(outcome_of(client.describe_stream_processor("door")) for _ in range(2)))

    answers = run(scene())
    assert all(isinstance(answer, rks.DeadlineExceededError) for answer in answers)
    assert any(waits_for in str(answer) for answer in answers)


def test_timeout_of_the_transport_is_not_the_deadline() -> None:
    def out_of_time(_operation: str, _body: Mapping[str, object]) -> Exception:
        return TimeoutError("of the transport")

    client, _ = _client(out_of_time)
    with pytest.raises(TimeoutError, match="of the transport") as caught:
        run(client.describe_stream_processor("door"))
    assert not isinstance(caught.value, rks.RekostreamError)


def test_trace_keeps_the_lost_attempt_and_its_window() -> None:
    lost = ConnectionLostError("silent", operation=_START)
    client, _ = _client(lambda _operation, _body: lost)
    trace = CallTrace()
    with pytest.raises(ConnectionLostError):
        run(client.pipeline.call(START, rks.FaceSearchStart("lobby"), trace=trace))
    assert trace.lost == [LostAttempt(sent_at=0, applied_by=30)]
    assert (trace.may_be_applied, trace.applied_by) == (True, 30)


def test_call_sends_no_more_attempts_than_its_trace_leaves() -> None:
    client, transport = _client(lambda _operation, _body: _throttled())
    with pytest.raises(rks.ThrottlingError) as caught:
        run(client.pipeline.call(START, rks.FaceSearchStart("lobby"), trace=CallTrace(attempts=10)))
    assert caught.value.attempts == 12
    assert len(transport.calls) == 2


def test_attempt_is_not_sent_after_the_end_of_the_trace() -> None:
    client, transport = _client(lambda _operation, _body: _throttled(retry_after=5))
    with pytest.raises(rks.ThrottlingError):
        run(client.pipeline.call(START, rks.FaceSearchStart("lobby"), trace=CallTrace(send_by=11)))
    assert len(transport.calls) == 3
