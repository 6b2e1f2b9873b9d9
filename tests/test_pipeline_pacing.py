"""The one path with pacing and a purse for retries, in virtual time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs
import pytest

import aiorekostream as rks
from aiorekostream.clock import SystemClock
from aiorekostream.domain.requests import DescribeRequest
from aiorekostream.operations import DESCRIBE
from aiorekostream.pipeline import CallEvent
from tests.emulator.samples import labels
from tests.simulation.scenes import Answer, Story, label_start, make_client, outcome_of
from tests.simulation.service import Fate, Service
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractAsyncContextManager

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


def _broken() -> rks.InternalServerError:
    return rks.InternalServerError(
        "", operation=_DESCRIBE, code="InternalServerError", http_status=500, retry_safe=True
    )


def _client(
    handler: Callable[[str, Mapping[str, object]], Mapping[str, object] | Exception | Awaitable[Mapping[str, object]]],
    *,
    quotas: Mapping[str, rks.Quota | None] | None = None,
    total: float = 600,
) -> tuple[rks.Client, rks.MemoryTransport]:
    transport = rks.MemoryTransport(handler)
    limits = rks.Limits(quotas=quotas or {})
    return rks.Client(transport=transport, limits=limits, timeout=rks.Timeout(total=total)), transport


def test_a_throttled_start_is_sent_again_once_the_pacer_allows_and_ahead_of_younger_ones() -> None:
    # The quota holds 10 calls and 20 are believed in: a few are refused.
    service = Service(quotas={_START: rks.Quota(10, 10, "")})

    async def scene() -> list[str]:
        names = [f"door-{number:02}" for number in range(60)]
        service.furnish(*map(labels, names))
        client = make_client(service, believed=rks.Quota(20, 20, ""))

        async def start(number: int) -> None:
            await asyncio.sleep(number / 10_000)  # each a little younger
            await client.start_stream_processor(label_start(names[number]))

        await asyncio.gather(*map(start, range(len(names))))
        return names

    names = run(scene())
    refused = [(deed.at, deed.name) for deed in service.deeds if not deed.done]
    assert refused
    for at, name in refused:
        done = next(deed.at for deed in service.deeds if deed.done and deed.name == name)
        younger = [deed.name for deed in service.deeds if deed.done and at + 0.1 < deed.at < done and deed.name > name]
        assert younger == []
    assert sorted(deed.name for deed in service.deeds if deed.done) == names


@pytest.mark.parametrize("pacing", [None, rks.LocalPacing()])
def test_what_the_service_asks_to_wait_is_waited(pacing: rks.Pacing | None) -> None:
    answers: list[Mapping[str, object] | Exception] = [_throttled(retry_after=7), {}]
    client, _ = _client(lambda _operation, _body: answers.pop(0))

    async def scene() -> float:
        await client.with_options(pacing=pacing).start_stream_processor(rks.FaceSearchStart("lobby"))
        return asyncio.get_running_loop().time()

    assert 7 <= run(scene()) < 8.5


def test_a_dead_service_is_not_hammered_and_is_found_again() -> None:
    alive: list[bool] = []
    found = {"Name": "door", "StreamProcessorArn": "arn", "Status": "STOPPED"}
    client, transport = _client(
        lambda _operation, _body: found if alive else _broken(), quotas=dict.fromkeys(rks.Limits().quotas)
    )

    async def scene() -> tuple[int, int, list[Answer]]:
        calls = (outcome_of(client.describe_stream_processor("door")) for _ in range(1000))
        dead = list(await asyncio.gather(*calls))
        assert all(isinstance(answer, rks.InternalServerError) for answer in dead)
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


def test_retries_of_paced_calls_cost_nothing_since_they_come_no_faster_for_them() -> None:
    moments: list[float] = []

    def broken(_operation: str, _body: Mapping[str, object]) -> Exception:
        moments.append(asyncio.get_running_loop().time())
        return _broken()

    client, _ = _client(broken)

    async def scene() -> int:
        calls = (outcome_of(client.describe_stream_processor("door")) for _ in range(100))
        answers = await asyncio.gather(*calls)
        assert {answer.attempts for answer in answers if isinstance(answer, rks.InternalServerError)} == {12}
        return client.pipeline.retry_tokens.left

    assert run(scene()) == 500
    assert len(moments) == 1200
    assert max(sum(at <= other < at + 1 for other in moments) for at in moments) <= 20 + 20


def test_throttling_costs_no_retries() -> None:
    service = Service(quotas={_START: rks.Quota(1, 1, "")})

    async def scene() -> int:
        names = [f"door-{number}" for number in range(200)]
        service.furnish(*map(labels, names))
        client = make_client(service, pacing=None, retry=rks.RetryPolicy(max_attempts=100, max_delay=60))
        await asyncio.gather(*(outcome_of(client.start_stream_processor(label_start(name))) for name in names))
        return client.pipeline.retry_tokens.left

    assert run(scene()) == 500
    assert sum(not deed.done for deed in service.deeds) > 500


def test_an_error_says_how_often_it_was_tried() -> None:
    client, transport = _client(lambda _operation, _body: _broken())
    answer = run(outcome_of(client.describe_stream_processor("door")))
    assert isinstance(answer, rks.InternalServerError)
    assert answer.attempts == len(transport.calls) == 12


@pytest.mark.parametrize("operation", ["start", "describe"])
def test_a_call_whose_turn_does_not_come_in_time_was_certainly_not_made(operation: str) -> None:
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
    assert "its turn did not come" in str(answer)
    assert answer.deadline == pytest.approx(seconds)
    assert len(transport.calls) == 1


def test_a_call_that_goes_away_while_it_waits_leaves_the_others_their_turn() -> None:
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


def test_the_caller_is_told_what_happens_on_the_way() -> None:
    answers: list[Mapping[str, object] | Exception] = [_throttled(), {}]
    client, _ = _client(lambda _operation, _body: answers.pop(0))
    story = Story()
    run(client.start_stream_processor(rks.FaceSearchStart("lobby"), notify=story))
    attempt = [CallEvent.QUEUED, CallEvent.SENT]
    assert story.events == [*attempt, CallEvent.THROTTLED, CallEvent.RETRIED, *attempt]


def test_a_retry_that_would_come_after_the_deadline_costs_nothing_and_is_not_told_of() -> None:
    later = rks.InternalServerError(
        "", operation=_DESCRIBE, code="InternalServerError", http_status=500, retry_safe=True, retry_after=100
    )
    client, transport = _client(lambda _operation, _body: later, total=10)
    story = Story()

    with pytest.raises(rks.InternalServerError):
        run(client.pipeline.call(DESCRIBE, DescribeRequest("door"), notify=story))
    assert len(transport.calls) == 1
    assert story.events == [CallEvent.QUEUED, CallEvent.SENT]
    assert client.pipeline.retry_tokens.left == 500


def test_a_connection_that_never_comes_about_costs_retries_and_no_settling() -> None:
    service = Service(fates=lambda _operation, _members: Fate.UNREACHED)

    async def scene() -> Answer:
        service.furnish(labels("door"))
        return await outcome_of(make_client(service).start_stream_processor(label_start("door")))

    answer = run(scene())
    assert isinstance(answer, rks.ConnectError)
    assert answer.retry_safe
    assert service.sent == {_START: 12}


@pytest.mark.parametrize("pacing", [rks.LocalPacing(), rks.LocalPacing(wait=False)])
def test_whoever_cancels_a_call_on_being_told_that_it_waits_stops_it_before_it_is_sent(pacing: rks.Pacing) -> None:
    client, transport = _client(lambda _operation, _body: {})

    def told(event: CallEvent) -> None:
        task = asyncio.current_task()
        if event is CallEvent.QUEUED and task is not None:
            task.cancel()

    async def scene() -> None:
        request = rks.FaceSearchStart("lobby")
        await client.with_options(pacing=pacing).start_stream_processor(request, notify=told)

    with pytest.raises(asyncio.CancelledError):
        run(scene())
    assert transport.calls == []


def test_a_deadline_that_passes_between_two_attempts_leaves_it_safe_to_ask_again() -> None:
    async def handler(_operation: str, _body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        return rks.ThrottlingError("", operation=_START, code="T", http_status=400, retry_safe=True)

    client = rks.Client(
        transport=rks.MemoryTransport(handler),
        limits=rks.Limits(quotas={_START: rks.Quota(0.05, 1, "")}),
        timeout=rks.Timeout(total=10),
    )
    with pytest.raises(rks.DeadlineExceededError, match="no success") as caught:
        run(client.start_stream_processor(rks.FaceSearchStart("lobby")))
    assert (caught.value.retry_safe, caught.value.attempts) == (True, 1)


def test_whose_quota_it_is_is_asked_of_a_transport_that_is_open() -> None:
    @attrs.define
    class Closed(rks.MemoryTransport):
        opened: bool = attrs.field(default=False, init=False)

        async def open(self) -> None:
            self.opened = True

        @property
        def scope(self) -> rks.Scope:
            assert self.opened
            return rks.Scope(endpoint="", region="", account="")

    client = rks.Client(transport=Closed(lambda _operation, _body: {}))
    run(client.start_stream_processor(rks.FaceSearchStart("lobby")))


def test_the_last_attempt_is_not_told_as_one_that_is_made_again() -> None:
    told: list[CallEvent] = []
    refused = rks.ConnectError("refused", operation=_START, retry_safe=True)
    client = rks.Client(
        transport=rks.MemoryTransport(lambda _operation, _body: refused), retry=rks.RetryPolicy(max_attempts=3)
    )
    with pytest.raises(rks.ConnectError):
        run(client.start_stream_processor(rks.FaceSearchStart("lobby"), notify=told.append))
    assert (told.count(CallEvent.SENT), told.count(CallEvent.RETRIED)) == (3, 2)


def test_a_throttled_call_of_an_operation_without_a_quota_backs_off() -> None:
    moments: list[float] = []

    def handler(_operation: str, _body: Mapping[str, object]) -> Exception:
        moments.append(asyncio.get_running_loop().time())
        return _throttled()

    async def main() -> None:
        client = rks.Client(transport=rks.MemoryTransport(handler), limits=rks.Limits(quotas={_DESCRIBE: None}))
        client._pipeline = attrs.evolve(client._pipeline, random=lambda: 1.0)
        with pytest.raises(rks.ThrottlingError):
            await client.describe_stream_processor("door")

    run(main())
    assert moments[1] == 0.5


class _EarlyClock(SystemClock):
    """Wakes a little before the time, as the timers of some event loops do."""

    def timeout_at(self, moment: float) -> AbstractAsyncContextManager[object]:
        return asyncio.timeout_at(moment - 0.02)


@pytest.mark.parametrize("waits_for", ["no answer came", "its turn did not come"])
def test_a_timer_that_fires_a_little_early_is_the_deadline_all_the_same(waits_for: str) -> None:
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


def test_a_timeout_that_is_a_transport_s_own_is_not_taken_for_the_deadline() -> None:
    def out_of_time(_operation: str, _body: Mapping[str, object]) -> Exception:
        return TimeoutError("of the transport")

    client, _ = _client(out_of_time)
    with pytest.raises(TimeoutError, match="of the transport") as caught:
        run(client.describe_stream_processor("door"))
    assert not isinstance(caught.value, rks.RekostreamError)
