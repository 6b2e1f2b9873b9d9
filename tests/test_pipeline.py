"""The path of every call, over a transport in memory and in virtual time."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream import errors
from aiorekostream.domain.requests import DescribeRequest, FaceSearchStart, ListRequest, ListTagsRequest, StopRequest
from aiorekostream.domain.responses import StartedSession
from aiorekostream.operations import DESCRIBE, LIST, LIST_TAGS, START, STOP, Operation
from aiorekostream.pipeline import Pipeline
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.testing import MemoryTransport
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
from typing import cast

_POLICY = RetryPolicy(max_attempts=4, base_delay=1, max_delay=3)
_START = FaceSearchStart("lobby")


def _throttled() -> errors.ThrottlingError:
    return errors.ThrottlingError(
        "Slow down", operation="S", code="ThrottlingException", http_status=400, retry_safe=True
    )


def _scripted(answers: Iterable[Mapping[str, object] | Exception]) -> MemoryTransport:
    script = iter(answers)
    return MemoryTransport(lambda _operation, _body: next(script))


def _pipeline(transport: MemoryTransport, *, total: float = 60, random: Callable[[], float] = lambda: 1.0) -> Pipeline:
    return Pipeline(transport=transport, retry=_POLICY, total_timeout=total, random=random)


async def _timed(pipeline: Pipeline) -> tuple[StartedSession | errors.CallError, float]:
    loop = asyncio.get_running_loop()
    begun = loop.time()
    try:
        return await pipeline.call(START, _START), loop.time() - begun
    except errors.CallError as error:
        return error, loop.time() - begun


@pytest.mark.parametrize(
    ("operation", "request_", "name"),
    [
        (START, _START, "lobby"),
        (LIST_TAGS, ListTagsRequest("arn:aws:rekognition:us-east-1:123456789012:streamprocessor/lobby"), "lobby"),
        (LIST, ListRequest(), None),
    ],
    ids=["name", "arn", "none"],
)
def test_error_of_a_call_names_its_processor(
    operation: Operation[object, object], request_: object, name: str | None
) -> None:
    error = errors.AccessDeniedError("", operation=operation.name, code="AccessDeniedException", http_status=400)
    with pytest.raises(errors.AccessDeniedError) as caught:
        run(_pipeline(_scripted([error])).call(operation, request_))
    assert caught.value.name == name
    assert (f"name={name!r}" in repr(caught.value)) == (name is not None)


def test_call_that_succeeds_is_sent_once() -> None:
    transport = _scripted([{"SessionId": "s-1"}])
    assert run(_timed(_pipeline(transport))) == (StartedSession("s-1"), 0)
    assert transport.calls == [("StartStreamProcessor", {"Name": "lobby"})]


def test_throttled_call_is_retried_after_delays_that_double() -> None:
    transport = _scripted([_throttled(), _throttled(), _throttled(), {"SessionId": "s-1"}])
    session, seconds = run(_timed(_pipeline(transport)))
    assert session == StartedSession("s-1")
    assert seconds == 1 + 2 + 3


def test_error_has_the_number_of_attempts() -> None:
    transport = _scripted([_throttled() for _ in range(9)])
    error, _ = run(_timed(_pipeline(transport)))
    assert isinstance(error, errors.ThrottlingError)
    assert error.attempts == 4 == len(transport.calls)
    assert "attempts: 4" in str(error)


def test_call_does_not_wait_for_an_attempt_after_its_deadline() -> None:
    transport = _scripted([_throttled() for _ in range(9)])
    error, seconds = run(_timed(_pipeline(transport, total=2.5)))
    assert isinstance(error, errors.ThrottlingError)
    assert (error.attempts, seconds) == (2, 1)


def test_call_ends_at_its_deadline_when_the_service_never_answers() -> None:
    async def silence(_operation: str, _body: Mapping[str, object]) -> Mapping[str, object]:
        await asyncio.get_running_loop().create_future()
        return {}

    error, seconds = run(_timed(_pipeline(MemoryTransport(silence), total=7)))
    assert isinstance(error, errors.DeadlineExceededError)
    assert isinstance(error, TimeoutError)
    assert (error.attempts, error.deadline, error.retry_safe, seconds) == (1, 7, False, 7)


def test_deadline_during_a_read_is_safe_to_retry() -> None:
    async def silence(_operation: str, _body: Mapping[str, object]) -> Mapping[str, object]:
        await asyncio.get_running_loop().create_future()
        return {}

    with pytest.raises(errors.DeadlineExceededError) as caught:
        run(_pipeline(MemoryTransport(silence), total=7).call(DESCRIBE, DescribeRequest("lobby")))
    assert caught.value.retry_safe


def test_start_is_not_retried_when_its_response_is_lost() -> None:
    lost = errors.ConnectionLostError("reset", operation="StartStreamProcessor", retry_safe=False)
    transport = _scripted([lost, {"SessionId": "s-1"}])
    error, _ = run(_timed(_pipeline(transport)))
    assert error is lost
    assert len(transport.calls) == 1


def test_timeout_of_the_caller_is_not_converted() -> None:
    async def silence(_operation: str, _body: Mapping[str, object]) -> Mapping[str, object]:
        await asyncio.get_running_loop().create_future()
        return {}

    async def impatient() -> None:
        async with asyncio.timeout(1):
            await _pipeline(MemoryTransport(silence)).call(START, _START)

    with pytest.raises(TimeoutError) as caught:
        run(impatient())
    assert not isinstance(caught.value, errors.RekostreamError)


def test_cancelled_call_is_cancelled_at_once_and_sends_no_more() -> None:
    transport = _scripted([_throttled() for _ in range(9)])

    async def cancelled() -> float:
        call = asyncio.create_task(_pipeline(transport).call(START, _START))
        await asyncio.sleep(1.5)
        call.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await call
        return asyncio.get_running_loop().time()

    assert run(cancelled()) == 1.5
    assert len(transport.calls) == 2


def test_concurrent_calls_count_their_own_attempts() -> None:
    seen: dict[object, int] = {}

    def third_time_lucky(_operation: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        seen[body["Name"]] = seen.get(body["Name"], 0) + 1
        return {} if seen[body["Name"]] == 3 else _throttled()

    async def all_at_once() -> list[StartedSession]:
        pipeline = _pipeline(MemoryTransport(third_time_lucky))
        return await asyncio.gather(*(pipeline.call(START, FaceSearchStart(f"c{n}")) for n in range(20)))

    assert run(all_at_once()) == [StartedSession()] * 20
    assert set(seen.values()) == {3}


def test_pipeline_rejects_a_value_of_another_class() -> None:
    transport = _scripted([])
    with pytest.raises(errors.InvalidRequestError, match="must be a FaceSearchStart or LabelDetectionStart"):
        run(_pipeline(transport).call(START, cast("FaceSearchStart", cast("object", {"Name": "lobby"}))))
    assert transport.calls == []


def test_operation_without_response_members_returns_none() -> None:
    assert run(_pipeline(_scripted([{}])).call(STOP, StopRequest("lobby"))) is None


def test_malformed_response_error_has_the_path_and_the_request_id() -> None:
    with pytest.raises(errors.MalformedResponseError) as caught:
        run(_pipeline(_scripted([{"SessionId": 7}])).call(START, _START))
    assert [fault.path for fault in caught.value.issues] == ["SessionId"]
    assert caught.value.request_id == "memory-1"


@given(
    st.lists(st.sampled_from(["throttled", "lost", "refused", "slow", "fine"]), max_size=8),
    st.floats(0.5, 20),
    st.lists(st.floats(0, 1), min_size=8, max_size=8),
)
def test_call_ends_by_its_deadline_with_a_value_or_an_error(
    script: list[str], total: float, chances: list[float]
) -> None:
    steps, dice = iter(script), iter(chances)

    async def handler(_operation: str, _body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        match next(steps, "fine"):
            case "throttled":
                return _throttled()
            case "lost":
                return errors.ConnectionLostError("reset", operation="S", retry_safe=False)
            case "refused":
                return errors.ConnectError("refused", operation="S", retry_safe=True)
            case "slow":
                await asyncio.sleep(5)
                return {}
            case _:
                return {}

    transport = MemoryTransport(handler)
    outcome, seconds = run(_timed(_pipeline(transport, total=total, random=lambda: next(dice))))
    assert seconds <= total + 1e-9  # sums of floats
    assert len(transport.calls) <= _POLICY.max_attempts
    assert isinstance(outcome, StartedSession) or outcome.attempts == len(transport.calls)
