"""One fresh observation of each processor, shared with the waits; and the limits of every poll."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from aiorekostream import errors
from aiorekostream.client.poller import Poller
from aiorekostream.client.wait_conditions import WaitCondition
from aiorekostream.domain.enums import ProcessorKind
from aiorekostream.domain.status import Status
from tests.client.test_wait import _ROOMY, _now, _outcome
from tests.client.virtual_aws import VirtualAws
from tests.effort import part
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.testing import Reply

_DENIED = errors.AccessDeniedError("", operation="D", code="AccessDeniedException", http_status=400)
_INVALID = errors.InvalidParameterError("", operation="D", code="InvalidParameterException", http_status=400)
_NAMES = [f"camera-{n:05}" for n in range(10_000)]


def test_observe_describes_a_few_processors() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("lobby", started=True)
        aws.labels("door")
        found = await Poller(aws.pipeline).observe(["lobby", "door", "gone"])
        assert {name: seen.status for name, seen in found.items()} == {
            "lobby": Status.STARTING,
            "door": Status.STOPPED,
            "gone": None,
        }
        assert found["door"].kind is ProcessorKind.LABEL_DETECTION
        assert isinstance(found["gone"].error, errors.ResourceNotFoundError)
        assert aws.calls == {"Describe": 3}
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


def test_observe_costs_ten_pages_for_ten_thousand_processors() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        many, page = part(10_000), 1_000
        aws.faces(*_NAMES[:many])
        tasks: set[int] = set()

        def count(_operation: str, _body: Mapping[str, object]) -> None:
            tasks.add(len(asyncio.all_tasks()))

        aws.meddle = count
        found = await Poller(aws.pipeline).observe(_NAMES[:many])
        assert found.keys() == set(_NAMES[:many])
        assert {seen.status for seen in found.values()} == {Status.STOPPED}
        assert aws.calls == {"ListStreamProcessors": many // page}
        assert max(tasks) <= 3

    run(main())


def test_observe_shares_the_sweep_of_the_waits() -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = _NAMES[:500]
        aws.faces(*names)
        waits = Poller(aws.pipeline)
        tasks = [asyncio.create_task(waits.until(WaitCondition.STOPPED, name)) for name in names]
        found, other = await asyncio.gather(waits.observe(names), waits.observe(names))
        assert found == other
        await asyncio.gather(*tasks)
        assert aws.calls["ListStreamProcessors"] <= 2
        assert aws.calls["Describe"] == 0

    run(main())


def test_observe_of_no_names_makes_no_call() -> None:
    aws = VirtualAws()
    assert run(Poller(aws.pipeline).observe([])) == {}
    assert not aws.transport.calls


def test_observation_begins_after_the_call() -> None:
    async def main() -> None:
        aws = VirtualAws(latency=2)
        aws.faces("lobby")
        poller = Poller(aws.pipeline)
        early = asyncio.create_task(poller.observe(["lobby"]))
        await asyncio.sleep(1.5)  # the answer, STOPPED, is on its way
        aws.do("StartStreamProcessor", Name="lobby")
        assert (await poller.observe(["lobby"]))["lobby"].status is not Status.STOPPED
        assert (await early)["lobby"].status is Status.STOPPED

    run(main())


@pytest.mark.parametrize("count", [2, 30])
@pytest.mark.parametrize("refusal", [_DENIED, _INVALID])
def test_observe_omits_names_that_the_service_refuses(refusal: errors.ServiceError, count: int) -> None:
    async def main() -> None:
        names = _NAMES[:count]
        aws = VirtualAws(meddle=lambda _operation, _body: refusal)
        assert await Poller(aws.pipeline).observe(names) == {}

    run(main())


def test_observe_lists_processors_when_describe_is_denied() -> None:
    async def main() -> None:
        aws = VirtualAws(meddle=lambda operation, _body: _DENIED if operation.startswith("Describe") else None)
        aws.faces("lobby", started=True)
        found = await Poller(aws.pipeline).observe(["lobby", "gone"])
        assert {name: seen.status for name, seen in found.items()} == {"lobby": Status.STARTING}

    run(main())


def test_observe_returns_partial_results_at_its_timeout() -> None:
    async def main() -> None:
        gone = errors.ConnectError("refused", operation="D", retry_safe=True)
        aws = VirtualAws(meddle=lambda _operation, body: gone if body.get("Name") == "hall" else None)
        aws.faces("lobby", "hall")
        found = await Poller(aws.pipeline).observe(["lobby", "hall"], timeout=30)
        assert found.keys() == {"lobby"}
        assert _now() == 30
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


def test_observe_raises_when_the_client_is_closed() -> None:
    async def main() -> None:
        aws = VirtualAws()
        await aws.transport.aclose()
        with pytest.raises(errors.ConfigurationError):
            await Poller(aws.pipeline).observe(["lobby", "hall"])
        assert _now() == 0  # by the first poll, not by one for each

    run(main())


def test_cancelled_observe_ends_the_poller() -> None:
    async def main() -> None:
        aws = VirtualAws()
        task = asyncio.create_task(Poller(aws.pipeline).observe(["lobby"]))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(main())


def test_one_poll_is_in_flight_at_a_time() -> None:
    """However many waits and observations share the poller, and whatever they need."""

    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = _NAMES[:1500]
        aws.deny(denied_roles=("*",))
        aws.faces(*names[:40], started=True)
        aws.deny()
        aws.faces(*names[40:], started=True)
        in_flight = most = 0

        async def count(operation: str, body: Mapping[str, object]) -> Reply | Mapping[str, object] | Exception:
            nonlocal in_flight, most
            in_flight += 1
            most = max(most, in_flight)
            try:
                return await aws.answer(operation, body)
            finally:
                in_flight -= 1

        aws.transport.handler = count
        waits = Poller(aws.pipeline)
        tasks = [waits.until(WaitCondition.RUNNING, name) for name in names]
        await asyncio.gather(*tasks, waits.observe([*names[:3], "gone"]), return_exceptions=True)
        assert most == 1
        assert aws.calls.keys() == {"ListStreamProcessors", "Describe"}

    run(main())


@pytest.mark.parametrize("operation", ["DescribeStreamProcessor", "ListStreamProcessors"])
def test_hung_answer_holds_up_the_waits_for_ten_seconds(operation: str) -> None:
    async def main() -> None:
        aws = VirtualAws(limits=_ROOMY)
        names = _NAMES[: 1 if operation.startswith("Describe") else 30]
        aws.faces(*names, started=True)
        hung = False

        async def hang_once(called: str, body: Mapping[str, object]) -> Reply | Mapping[str, object] | Exception:
            nonlocal hung
            if called == operation and not hung:
                hung = True
                await asyncio.sleep(1e6)
            return await aws.answer(called, body)

        aws.transport.handler = hang_once
        waits = Poller(aws.pipeline)
        timed_out = asyncio.create_task(_outcome(waits.until(WaitCondition.RUNNING, names[0], timeout=1)))
        await asyncio.gather(*(waits.until(WaitCondition.RUNNING, name) for name in names))
        assert 10 <= _now() < 14
        assert (await timed_out)[1] == 1

    run(main())


_WITHOUT_LOBBY = {"StreamProcessors": [{"Name": "other", "Status": "STOPPED"}]}


@pytest.mark.parametrize(
    "pages",
    [
        [{"StreamProcessors": []}],
        [_WITHOUT_LOBBY],
        [{**_WITHOUT_LOBBY, "NextToken": "x"}, {"StreamProcessors": []}],
        [{"StreamProcessors": [], "NextToken": "x"}],
        [{}],
        [{"StreamProcessors": None}],
        [{"StreamProcessors": [{"Name": "lobby"}]}],
    ],
    ids=["empty", "left out", "changed pages", "circle", "without list", "null", "unreadable entry"],
)
def test_list_never_ends_a_wait_for_deletion(pages: list[Mapping[str, object]]) -> None:
    """While Describe shows the processor RUNNING."""

    async def main() -> None:
        count = 0

        def handler(operation: str, body: Mapping[str, object]) -> Mapping[str, object]:
            nonlocal count
            if operation.startswith("List"):
                count += 1
                return pages[(count - 1) % len(pages)]
            return {"Name": body["Name"], "StreamProcessorArn": "arn", "Status": "RUNNING"}

        aws = VirtualAws()
        aws.transport.handler = handler
        names = ["lobby", *(f"hall-{n}" for n in range(9))]
        waits = Poller(aws.pipeline)
        deleted = [_outcome(waits.until(WaitCondition.DELETED, name, timeout=50)) for name in names]
        stopped = [_outcome(waits.until(WaitCondition.STOPPED, name, timeout=50)) for name in names]
        outcomes, observed = await asyncio.gather(asyncio.gather(*deleted, *stopped), waits.observe(names))
        assert count
        assert {type(error) for error, _ in outcomes} == {errors.WaitTimeoutError}
        assert {seen.status for seen in observed.values()} <= {Status.RUNNING}

    run(main())
