"""Test that processors are brought to a desired state from every status, and against other clients."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs
import pytest

from aiorekostream import errors
from aiorekostream.client import ensure
from aiorekostream.client.ensure import Ensured, EnsuredProcessor, EnsuredRunning
from aiorekostream.client.poller import Poller
from aiorekostream.codec import parse_processor
from aiorekostream.domain.processors import LabelDetectionProcessor
from aiorekostream.domain.requests import FaceSearchStart, LabelDetectionStart
from aiorekostream.domain.selectors import FragmentNumber, StopSelector
from aiorekostream.domain.status import Status
from aiorekostream.emulator import Timings
from aiorekostream.operations import UPDATE
from aiorekostream.pipeline import Pipeline
from tests.client.virtual_aws import VirtualAws
from tests.emulator.samples import faces, labels, session
from tests.virtual_time import now, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.domain.processors import Processor
    from aiorekostream.domain.requests import StartRequest

_FACES = FaceSearchStart("camera")
_LABELS = LabelDetectionStart(
    name="camera", start_selector=FragmentNumber("1"), stop_selector=StopSelector(max_duration_in_seconds=30)
)


@attrs.frozen
class _Ensure:
    """The functions under test, with one pipeline and one set of waits."""

    pipeline: Pipeline
    waits: Poller

    async def running(self, request: StartRequest, *, timeout: float | None = None) -> EnsuredRunning:  # noqa: ASYNC109
        return await ensure.running(self.pipeline, self.waits, request, timeout=timeout)

    async def stopped(self, name: str, *, timeout: float | None = None) -> Ensured:  # noqa: ASYNC109
        return await ensure.stopped(self.pipeline, self.waits, name, timeout=timeout)

    async def created(self, processor: Processor) -> EnsuredProcessor:
        return await ensure.created(self.pipeline, self.waits, processor)


def _ensure(aws: VirtualAws) -> _Ensure:
    pipeline = aws.pipeline
    return _Ensure(pipeline, Poller(pipeline))


async def _bring(aws: VirtualAws, status: Status, request: StartRequest) -> None:
    """Have a camera in a status."""
    is_face_search = isinstance(request, FaceSearchStart)
    if status is Status.UPDATING:
        aws.labels("camera")
        aws.do("UpdateStreamProcessor", Name="camera", DataSharingPreferenceForUpdate={"OptIn": True})
        return
    if is_face_search:
        aws.faces("camera", started=status is not Status.STOPPED)
    else:
        aws.labels("camera", seconds=None if status is Status.STOPPED else 60)
    if status in {Status.RUNNING, Status.STOPPING}:
        await asyncio.sleep(3)
    if status is Status.STOPPING:
        aws.stop("camera")
    if status is Status.FAILED:
        aws.fail("camera", "Access denied to Role")


_SITUATIONS = [
    *((_FACES, status) for status in Status if status is not Status.UPDATING),
    *((_LABELS, status) for status in Status if status is not Status.RUNNING),
]


@pytest.mark.parametrize(("request_", "status"), _SITUATIONS)
def test_ensure_running_succeeds_from_every_status(request_: StartRequest, status: Status) -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(stopping=4, updating=4, starting=4 if status is Status.STARTING else 2))
        await _bring(aws, status, request_)
        found = await _ensure(aws).running(request_)
        is_face_search = isinstance(request_, FaceSearchStart)
        assert found.status is (Status.RUNNING if is_face_search else Status.STARTING)
        was_at_work = status in {Status.STARTING, Status.RUNNING}
        assert (found.session is None) is was_at_work
        assert aws.calls["Start"] == (0 if was_at_work else 1)

    run(main())


@pytest.mark.parametrize(("request_", "status"), _SITUATIONS)
def test_ensure_stopped_succeeds_from_every_status(request_: StartRequest, status: Status) -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(stopping=4, updating=4))
        await _bring(aws, status, request_)
        found = await _ensure(aws).stopped("camera")
        expected = Status.FAILED if status is Status.FAILED else Status.STOPPED
        was_at_work = status in {Status.STARTING, Status.RUNNING}
        assert found == Ensured(name="camera", status=expected, changed=was_at_work)
        assert aws.calls["Stop"] == was_at_work

    run(main())


def test_ensure_running_accepts_a_starting_label_detection() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.labels("camera")
        found = await _ensure(aws).running(_LABELS)
        assert found.session is not None
        assert found == EnsuredRunning(name="camera", status=Status.STARTING, changed=True, session=found.session)
        assert found.session.session_id == "session-1"
        assert now() < 1

    run(main())


def test_ensure_running_accepts_the_session_of_another_client() -> None:
    async def main() -> None:
        aws = VirtualAws()

        def meddle(operation: str, _body: Mapping[str, object]) -> None:
            if operation == "StartStreamProcessor":
                aws.do("StartStreamProcessor", Name="camera")

        aws.meddle = meddle
        aws.faces("camera")
        found = await _ensure(aws).running(_FACES)
        assert found == EnsuredRunning(name="camera", status=Status.RUNNING, changed=False)
        assert aws.calls["Start"] == 1

    run(main())


@pytest.mark.parametrize("stopping", [1, 30])
def test_ensure_stopped_accepts_the_stop_of_another_client(stopping: float) -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(stopping=stopping))

        def meddle(operation: str, _body: Mapping[str, object]) -> None:
            if operation == "StopStreamProcessor":
                aws.stop("camera")

        aws.meddle = meddle
        aws.faces("camera", started=True)
        assert (await _ensure(aws).stopped("camera")).status is Status.STOPPED
        assert aws.calls["Stop"] == 1

    run(main())


def _in_use(_operation: str) -> errors.ResourceInUseError:
    return errors.ResourceInUseError(
        "Specified resource is in use.",
        operation=_operation,
        code="ResourceInUseException",
        http_status=400,
        retry_safe=True,
    )


def test_ensure_running_raises_the_refusal_when_starts_stay_refused() -> None:
    async def main() -> None:
        aws = VirtualAws(meddle=lambda name, _body: _in_use(name) if name.startswith("Start") else None)
        aws.faces("camera")
        with pytest.raises(errors.ResourceInUseError):
            await _ensure(aws).running(_FACES)
        assert aws.calls["Start"] == 8
        assert 7 * 0.75 < now() < 20

    run(main())


def test_ensure_stopped_waits_for_a_label_detection_to_end() -> None:
    async def main() -> None:
        aws = VirtualAws(meddle=lambda name, _body: _in_use(name) if name.startswith("Stop") else None)
        aws.labels("camera", seconds=110)
        assert (await _ensure(aws).stopped("camera")).status is Status.STOPPED
        assert aws.calls["Stop"] == 1
        assert now() >= 110

    run(main())


def test_ensure_stopped_waits_until_a_face_search_can_be_stopped() -> None:
    async def main() -> None:
        aws = VirtualAws(
            timings=Timings(starting=20),
            meddle=lambda name, _body: _in_use(name) if name.startswith("Stop") and now() < 20 else None,
        )
        aws.faces("camera", started=True)
        assert (await _ensure(aws).stopped("camera")).status is Status.STOPPED
        assert aws.calls["Stop"] == 2
        assert 21 < now() < 32

    run(main())


def test_ensure_stopped_raises_the_refusal_when_stops_stay_refused() -> None:
    async def main() -> None:
        aws = VirtualAws(meddle=lambda name, _body: _in_use(name) if name.startswith("Stop") else None)
        aws.faces("camera", started=True)
        await asyncio.sleep(3)
        with pytest.raises(errors.ResourceInUseError):
            await _ensure(aws).stopped("camera")
        assert aws.calls["Stop"] == 8
        assert 3 + 7 * 0.75 < now() < 15

    run(main())


def test_ensure_stopped_ends_when_another_client_keeps_starting() -> None:
    async def main() -> None:
        aws = VirtualAws()
        _showing(aws, (0, "RUNNING"))
        with pytest.raises(errors.WaitTimeoutError, match="Another client changes it again and again"):
            await _ensure(aws).stopped("camera")
        assert aws.calls["Stop"] == 8
        assert now() < 20

    run(main())


def test_ensure_stopped_forgets_a_refusal_when_a_later_stop_is_applied() -> None:
    async def main() -> None:
        refusals = [_in_use("StopStreamProcessor")]
        aws = VirtualAws(meddle=lambda name, _body: refusals.pop() if name.startswith("Stop") and refusals else None)
        _showing(aws, (0, "RUNNING"))
        with pytest.raises(errors.WaitTimeoutError, match="Another client changes it again and again"):
            await _ensure(aws).stopped("camera")
        assert aws.calls["Stop"] == 8

    run(main())


def test_ensure_stopped_succeeds_when_the_processor_fails() -> None:
    async def main() -> None:
        aws = VirtualAws(
            timings=Timings(starting=20), meddle=lambda name, _body: _in_use(name) if name.startswith("Stop") else None
        )
        aws.faces("camera", started=True)
        aws.fail("camera", "Collection not found", after=10)
        assert (await _ensure(aws).stopped("camera")).status is Status.FAILED
        assert aws.calls["Stop"] == 1

    run(main())


@pytest.mark.parametrize("starting", [2, 30])
@pytest.mark.parametrize("labels_", [False, True], ids=["faces", "labels"])
def test_ensure_stopped_stops_a_session_started_meanwhile(starting: float, labels_: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=starting))
        if labels_:
            aws.labels("camera", seconds=120)
        else:
            aws.faces("camera", started=True)
        request = session("camera", seconds=120) if labels_ else {"Name": "camera"}
        # As soon as it is STOPPED, between two polls.
        asyncio.get_running_loop().call_later(1.2, lambda: aws.do("StartStreamProcessor", **request))
        assert (await _ensure(aws).stopped("camera")).status is Status.STOPPED
        assert aws.calls["Stop"] == 2
        assert now() < 10

    run(main())


def test_ensure_stopped_stops_once_when_a_poll_is_stale() -> None:
    async def main() -> None:
        aws = VirtualAws()
        _showing(aws, (0, "RUNNING"), (0.8, "STOPPING"), (3, "STOPPED"))
        assert (await _ensure(aws).stopped("camera")).status is Status.STOPPED
        assert aws.calls["Stop"] == 1

    run(main())


def _showing(aws: VirtualAws, *statuses: tuple[float, str]) -> None:
    """Have the camera in these statuses, each from its second on; calls that change it succeed and do nothing."""

    async def handler(operation: str, body: Mapping[str, object]) -> Mapping[str, object] | Exception:
        await asyncio.sleep(0.06)
        if not operation.startswith("Describe"):
            return aws.meddle(operation, body) or {}
        status = [status for moment, status in statuses if moment <= now()][-1]
        return {"Name": body["Name"], "StreamProcessorArn": "arn", "Status": status}

    aws.transport.handler = handler


@pytest.mark.parametrize(("ensured", "status"), [("running", "RUNNING"), ("stopped", "STOPPED")])
def test_ensure_waits_while_the_status_is_unknown(ensured: str, status: str) -> None:
    async def main() -> None:
        aws = VirtualAws()
        _showing(aws, (0, "PONDERING"), (10, status))
        found = await (_ensure(aws).running(_FACES) if ensured == "running" else _ensure(aws).stopped("camera"))
        assert found.status is Status(status)
        assert aws.calls.keys() == {"Describe"}
        assert 10 < now() < 20

    run(main())


def test_ensure_running_leaves_a_session_of_another_client_alone() -> None:
    """Another client starts the processor again between two polls, so that it is never seen at rest."""

    async def main() -> None:
        aws = VirtualAws()
        _showing(aws, (0, "STOPPING"), (3, "STARTING"))
        found = await _ensure(aws).running(_LABELS)
        assert found == EnsuredRunning(name="camera", status=Status.STARTING, changed=False)
        assert aws.calls.keys() == {"Describe"}
        assert now() < 10

    run(main())


def test_ensure_running_ends_when_another_client_keeps_changing() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(updating=0.01))

        def meddle(operation: str, _body: Mapping[str, object]) -> None:
            if operation == "DescribeStreamProcessor" and aws.calls["Describe"] % 2:
                aws.do("UpdateStreamProcessor", Name="camera", DataSharingPreferenceForUpdate={"OptIn": True})

        aws.meddle = meddle
        aws.labels("camera")
        with pytest.raises(errors.WaitTimeoutError, match="Another client changes it again and again") as caught:
            await _ensure(aws).running(_LABELS)
        assert caught.value.seconds == pytest.approx(now())
        assert aws.calls["Start"] == 0

    run(main())


def test_ensure_running_raises_the_reason_of_a_failure() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("camera")
        aws.deny(missing_collections=("*",))
        with pytest.raises(errors.StreamProcessorFailedError, match="Collection not found"):
            await _ensure(aws).running(_FACES)

    run(main())


@pytest.mark.parametrize("request_", [_FACES, _LABELS], ids=["faces", "labels"])
def test_ensure_running_rejects_a_start_of_the_other_kind(request_: StartRequest) -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.labels("camera") if request_ is _FACES else aws.faces("camera")
        with pytest.raises(errors.InvalidRequestError, match="a start of the processor's own kind"):
            await _ensure(aws).running(request_)
        assert aws.calls["Start"] == 0

    run(main())


def test_ensure_running_starts_a_processor_that_fails_while_stopping() -> None:
    async def main() -> None:
        aws = VirtualAws()
        _showing(aws, (0, "STOPPING"), (2, "FAILED"))
        found = await _ensure(aws).running(_LABELS)
        assert found.session is not None
        assert aws.calls["Start"] == 1

    run(main())


def test_ensure_running_describes_a_running_processor_once() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("camera", started=True)
        await asyncio.sleep(5)
        assert await _ensure(aws).running(_FACES) == EnsuredRunning(name="camera", status=Status.RUNNING, changed=False)
        assert aws.calls == {"Describe": 1}
        assert now() < 5.1

    run(main())


@pytest.mark.parametrize("done", [True, False])
def test_ensure_running_polls_after_an_unknown_start(done: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        starts = 0

        def meddle(operation: str, body: Mapping[str, object]) -> Exception | None:
            nonlocal starts
            if operation.startswith("Start"):
                starts += 1
                if starts == 1:
                    if done:
                        aws.do("StartStreamProcessor", **body)
                    return errors.ConnectionLostError("reset", operation=operation)
            if operation.startswith("Describe") and starts == 1 and aws.calls["Describe"] == 2:
                return errors.AccessDeniedError("", operation=operation, code="AccessDeniedException", http_status=400)
            return None

        aws = VirtualAws(meddle=meddle)
        aws.faces("camera")
        found = await _ensure(aws).running(_FACES)
        assert found.status is Status.RUNNING
        assert starts == (1 if done else 2)
        assert (found.session is None) is done

    run(main())


def test_ensure_running_accepts_an_unknown_kind() -> None:
    async def main() -> None:
        aws = VirtualAws()
        _showing(aws, (0, "STOPPED"), (1, "STARTING"))
        assert (await _ensure(aws).running(_LABELS)).session is not None

    run(main())


def test_ensure_raises_when_the_processor_does_not_exist() -> None:
    async def main() -> None:
        ensured = _ensure(VirtualAws())
        with pytest.raises(errors.ResourceNotFoundError):
            await ensured.running(_FACES)
        with pytest.raises(errors.ResourceNotFoundError):
            await ensured.stopped("camera")

    run(main())


def test_ensure_passes_its_timeout_to_the_wait() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=100, stopping=100))
        aws.faces("camera")
        with pytest.raises(errors.WaitTimeoutError):
            await _ensure(aws).running(_FACES, timeout=5)
        with pytest.raises(errors.WaitTimeoutError):
            await _ensure(aws).stopped("camera", timeout=5)
        assert now() < 12

    run(main())


def test_ensure_of_ten_processors_causes_no_throttle() -> None:
    async def main() -> None:
        aws = VirtualAws()
        names = [f"camera-{n}" for n in range(10)]
        aws.faces(*names)
        ensured = _ensure(aws)
        found = await asyncio.gather(*(ensured.running(FaceSearchStart(name)) for name in names))
        assert {entry.status for entry in found} == {Status.RUNNING}
        at_rest = await asyncio.gather(*(ensured.stopped(name) for name in names))
        assert {entry.status for entry in at_rest} == {Status.STOPPED}
        assert aws.throttled == 0

    run(main())


_DOOR = parse_processor(labels("door", Tags={"site": "north"}))


def test_ensure_created_creates_a_missing_processor() -> None:
    async def main() -> None:
        aws = VirtualAws()
        report = await _ensure(aws).created(_DOOR)
        assert report.changed
        assert report.stream_processor_arn.endswith("streamprocessor/door")
        assert report.drift == ()
        assert report.update() is None
        assert aws.calls == {"Describe": 1, "Create": 1}

    run(main())


def test_ensure_created_leaves_an_equal_processor_alone() -> None:
    async def main() -> None:
        aws = VirtualAws()
        ensured = _ensure(aws)
        first = await ensured.created(_DOOR)
        again = await ensured.created(_DOOR)
        assert again == attrs.evolve(first, changed=False)

    run(main())


def test_ensure_created_reports_drift_that_its_update_removes() -> None:
    async def main() -> None:
        aws = VirtualAws()
        ensured = _ensure(aws)
        await ensured.created(_DOOR)
        assert isinstance(_DOOR, LabelDetectionProcessor)
        wanted = attrs.evolve(_DOOR, labels=["PET"], min_confidence=70, tags={})
        report = await ensured.created(wanted)
        found = {difference.field: (difference.actual, difference.updatable) for difference in report.drift}
        assert found == {
            "labels": (("PERSON", "PACKAGE"), True),
            "min_confidence": (50, True),
            "tags": ({"site": "north"}, False),
        }
        update = report.update()
        assert update is not None
        await ensured.pipeline.call(UPDATE, update)
        report = await ensured.created(wanted)
        assert [difference.field for difference in report.drift] == ["tags"]

    run(main())


def test_ensure_created_compares_the_processor_of_another_client() -> None:
    async def main() -> None:
        aws = VirtualAws()

        def meddle(operation: str, _body: Mapping[str, object]) -> None:
            if operation == "CreateStreamProcessor":
                aws.do("CreateStreamProcessor", **labels("door", Tags={"site": "south"}))

        aws.meddle = meddle
        report = await _ensure(aws).created(_DOOR)
        assert not report.changed
        assert [difference.field for difference in report.drift] == ["tags"]

    run(main())


def test_ensure_created_creates_again_when_deleted_meanwhile() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(deleting=0))
        await _ensure(aws).created(_DOOR)

        def meddle(operation: str, _body: Mapping[str, object]) -> None:
            if operation == "ListTagsForResource" and aws.calls["Create"] == 1:
                aws.delete("door")

        aws.meddle = meddle
        report = await _ensure(aws).created(_DOOR)
        assert report.changed
        assert aws.calls["Create"] == 2

    run(main())


def test_ensure_created_raises_when_the_stream_is_in_use() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.do("CreateStreamProcessor", **faces("other", Input=labels("door")["Input"]))
        with pytest.raises(errors.ResourceInUseError):
            await _ensure(aws).created(_DOOR)
        assert now() < 20

    run(main())


@pytest.mark.parametrize("wrong", ["camera", None, {"Name": "camera"}])
def test_client_rejects_values_that_are_not_requests(wrong: object) -> None:
    aws = VirtualAws()
    ensured = _ensure(aws)
    with pytest.raises(errors.InvalidRequestError, match="must be a FaceSearchStart or LabelDetectionStart"):
        run(ensured.running(wrong))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(errors.InvalidRequestError, match="must be a FaceSearchProcessor or LabelDetectionProcessor"):
        run(ensured.created(wrong))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert not aws.transport.calls
