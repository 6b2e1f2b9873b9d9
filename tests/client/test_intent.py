"""What is wanted of a processor, in every status and against everybody who is quicker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs
import pytest

from aiorekostream import errors
from aiorekostream.client.drift import EnsuredProcessor
from aiorekostream.client.intent import EnsuredRunning, Intent
from aiorekostream.client.steps import Step, step_to_rest, step_to_work
from aiorekostream.client.waiting import Watcher
from aiorekostream.codec import parse_processor
from aiorekostream.domain.processors import LabelDetectionProcessor
from aiorekostream.domain.replies import StreamProcessorSummary
from aiorekostream.domain.requests import FaceSearchStart, LabelDetectionStart
from aiorekostream.domain.selectors import FragmentNumber, StopSelector
from aiorekostream.domain.status import Status
from aiorekostream.emulator.timings import Timings
from aiorekostream.operations import UPDATE
from tests.client.virtual_aws import VirtualAws
from tests.emulator.samples import faces, labels, session
from tests.virtual_time import run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiorekostream.domain.requests import StartRequest

_FACES = FaceSearchStart("camera")
_LABELS = LabelDetectionStart(
    name="camera", start_selector=FragmentNumber("1"), stop_selector=StopSelector(max_duration_in_seconds=30)
)


def _intent(aws: VirtualAws) -> Intent:
    pipeline = aws.pipeline
    return Intent(pipeline, Watcher(pipeline))


def _now() -> float:
    return asyncio.get_running_loop().time()


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
def test_a_processor_is_brought_to_work_from_every_status(request_: StartRequest, status: Status) -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(stopping=4, updating=4, starting=4 if status is Status.STARTING else 2))
        await _bring(aws, status, request_)
        found = await _intent(aws).running(request_)
        is_face_search = isinstance(request_, FaceSearchStart)
        assert found.status is (Status.RUNNING if is_face_search else Status.STARTING)
        was_at_work = status in {Status.STARTING, Status.RUNNING}
        assert (found.session is None) is was_at_work
        assert aws.calls["Start"] == (0 if was_at_work else 1)

    run(main())


@pytest.mark.parametrize(("request_", "status"), _SITUATIONS)
def test_a_processor_is_brought_to_rest_from_every_status(request_: StartRequest, status: Status) -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(stopping=4, updating=4))
        await _bring(aws, status, request_)
        found = await _intent(aws).stopped("camera")
        assert found == StreamProcessorSummary("camera", Status.FAILED if status is Status.FAILED else Status.STOPPED)
        assert aws.calls["Stop"] == (1 if status in {Status.STARTING, Status.RUNNING} else 0)

    run(main())


@pytest.mark.parametrize("step", [step_to_work, step_to_rest])
def test_a_word_of_tomorrow_is_waited_out(step: Callable[[Status], Step]) -> None:
    assert step(Status("PONDERING")) is Step.WAIT


def test_a_label_detection_is_at_work_as_soon_as_it_is_starting() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.labels("camera")
        found = await _intent(aws).running(_LABELS)
        assert found.session is not None
        assert found == EnsuredRunning(name="camera", status=Status.STARTING, session=found.session)
        assert found.session.session_id == "session-1"
        assert _now() < 1

    run(main())


def test_a_start_that_somebody_else_was_quicker_with_joins_theirs() -> None:
    async def main() -> None:
        aws = VirtualAws()

        def meddle(operation: str, _body: Mapping[str, object]) -> None:
            if operation == "StartStreamProcessor":
                aws.do("StartStreamProcessor", Name="camera")

        aws.meddle = meddle
        aws.faces("camera")
        found = await _intent(aws).running(_FACES)
        assert found == EnsuredRunning(name="camera", status=Status.RUNNING)
        assert aws.calls["Start"] == 1

    run(main())


def test_a_stop_that_somebody_else_was_quicker_with_is_a_success() -> None:
    async def main() -> None:
        aws = VirtualAws()

        def meddle(operation: str, _body: Mapping[str, object]) -> None:
            if operation == "StopStreamProcessor":
                aws.stop("camera")

        aws.meddle = meddle
        aws.faces("camera", started=True)
        assert (await _intent(aws).stopped("camera")).status is Status.STOPPED
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


def test_a_start_that_is_never_allowed_ends_with_the_service_s_own_refusal() -> None:
    async def main() -> None:
        aws = VirtualAws(meddle=lambda name, _body: _in_use(name) if name.startswith("Start") else None)
        aws.faces("camera")
        with pytest.raises(errors.ResourceInUseError):
            await _intent(aws).running(_FACES)
        assert aws.calls["Start"] == 8
        assert _now() < 20

    run(main())


def test_a_label_detection_that_may_not_be_stopped_is_waited_for() -> None:
    async def main() -> None:
        aws = VirtualAws(meddle=lambda name, _body: _in_use(name) if name.startswith("Stop") else None)
        aws.labels("camera", seconds=110)
        assert (await _intent(aws).stopped("camera")).status is Status.STOPPED
        assert aws.calls["Stop"] == 1
        assert _now() >= 110

    run(main())


def test_a_face_search_that_may_be_stopped_only_once_it_runs_is_stopped_then() -> None:
    async def main() -> None:
        aws = VirtualAws(
            timings=Timings(starting=20),
            meddle=lambda name, _body: _in_use(name) if name.startswith("Stop") and _now() < 20 else None,
        )
        aws.faces("camera", started=True)
        assert (await _intent(aws).stopped("camera")).status is Status.STOPPED
        assert aws.calls["Stop"] == 2
        assert 21 < _now() < 32

    run(main())


def test_a_stop_that_is_never_allowed_ends_with_the_service_s_own_refusal() -> None:
    async def main() -> None:
        aws = VirtualAws(meddle=lambda name, _body: _in_use(name) if name.startswith("Stop") else None)
        aws.faces("camera", started=True)
        await asyncio.sleep(3)
        with pytest.raises(errors.ResourceInUseError):
            await _intent(aws).stopped("camera")
        assert aws.calls["Stop"] == 8
        assert 3 + 7 * 0.75 < _now() < 15

    run(main())


def test_somebody_who_starts_it_again_and_again_is_not_outwaited_for_ever() -> None:
    async def main() -> None:
        aws = VirtualAws()
        _showing(aws, (0, "RUNNING"))
        with pytest.raises(errors.WaitTimeoutError, match="Somebody else changes it again and again"):
            await _intent(aws).stopped("camera")
        assert aws.calls["Stop"] == 8
        assert _now() < 20

    run(main())


def test_one_that_fails_while_it_may_not_be_stopped_is_at_rest() -> None:
    async def main() -> None:
        aws = VirtualAws(
            timings=Timings(starting=20), meddle=lambda name, _body: _in_use(name) if name.startswith("Stop") else None
        )
        aws.faces("camera", started=True)
        aws.fail("camera", "Collection not found", after=10)
        assert (await _intent(aws).stopped("camera")).status is Status.FAILED
        assert aws.calls["Stop"] == 1

    run(main())


@pytest.mark.parametrize("starting", [2, 30])
@pytest.mark.parametrize("labels_", [False, True], ids=["faces", "labels"])
def test_what_somebody_starts_again_while_it_ends_is_stopped_again(starting: float, labels_: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=starting))
        if labels_:
            aws.labels("camera", seconds=120)
        else:
            aws.faces("camera", started=True)
        request = session("camera", seconds=120) if labels_ else {"Name": "camera"}
        # As soon as it is STOPPED, between two looks.
        asyncio.get_running_loop().call_later(1.2, lambda: aws.do("StartStreamProcessor", **request))
        assert (await _intent(aws).stopped("camera")).status is Status.STOPPED
        assert aws.calls["Stop"] == 2
        assert _now() < 10

    run(main())


def test_an_old_look_at_what_is_being_stopped_does_not_have_it_stopped_twice() -> None:
    async def main() -> None:
        aws = VirtualAws()
        _showing(aws, (0, "RUNNING"), (0.8, "STOPPING"), (3, "STOPPED"))
        assert (await _intent(aws).stopped("camera")).status is Status.STOPPED
        assert aws.calls["Stop"] == 1

    run(main())


def _showing(aws: VirtualAws, *statuses: tuple[float, str]) -> None:
    """Have the camera in these statuses, each from its second on; calls that change it succeed and do nothing."""

    async def handler(operation: str, body: Mapping[str, object]) -> Mapping[str, object]:
        await asyncio.sleep(0.06)
        if not operation.startswith("Describe"):
            return {}
        status = [status for moment, status in statuses if moment <= _now()][-1]
        return {"Name": body["Name"], "StreamProcessorArn": "arn", "Status": status}

    aws.transport.handler = handler


def test_somebody_who_changes_it_again_and_again_is_not_outwaited_for_ever() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(updating=0.01))

        def meddle(operation: str, _body: Mapping[str, object]) -> None:
            if operation == "DescribeStreamProcessor" and aws.calls["Describe"] % 2:
                aws.do("UpdateStreamProcessor", Name="camera", DataSharingPreferenceForUpdate={"OptIn": True})

        aws.meddle = meddle
        aws.labels("camera")
        with pytest.raises(errors.WaitTimeoutError, match="Somebody else changes it again and again") as caught:
            await _intent(aws).running(_LABELS)
        assert caught.value.seconds == pytest.approx(_now())
        assert aws.calls["Start"] == 0

    run(main())


def test_a_start_that_fails_says_why() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("camera")
        aws.deny(missing_collections=("*",))
        with pytest.raises(errors.StreamProcessorFailedError, match="Collection not found"):
            await _intent(aws).running(_FACES)

    run(main())


@pytest.mark.parametrize("request_", [_FACES, _LABELS], ids=["faces", "labels"])
def test_a_start_of_the_other_kind_is_refused_before_it_is_sent(request_: StartRequest) -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.labels("camera") if request_ is _FACES else aws.faces("camera")
        with pytest.raises(errors.InvalidRequestError, match="a start of the processor's own kind"):
            await _intent(aws).running(request_)
        assert aws.calls["Start"] == 0

    run(main())


def test_what_fails_while_it_ends_is_started_all_the_same() -> None:
    async def main() -> None:
        aws = VirtualAws()
        _showing(aws, (0, "STOPPING"), (2, "FAILED"))
        found = await _intent(aws).running(_LABELS)
        assert found.session is not None
        assert aws.calls["Start"] == 1

    run(main())


def test_one_that_runs_is_looked_at_once() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.faces("camera", started=True)
        await asyncio.sleep(5)
        assert await _intent(aws).running(_FACES) == EnsuredRunning(name="camera", status=Status.RUNNING)
        assert aws.calls == {"Describe": 1}
        assert _now() < 5.1

    run(main())


def test_what_somebody_else_was_quicker_to_stop_is_waited_for_as_long_as_it_takes() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(stopping=30))

        def meddle(operation: str, _body: Mapping[str, object]) -> None:
            if operation == "StopStreamProcessor":
                aws.stop("camera")

        aws.meddle = meddle
        aws.faces("camera", started=True)
        assert (await _intent(aws).stopped("camera")).status is Status.STOPPED
        assert aws.calls["Stop"] == 1

    run(main())


def test_a_refused_start_is_tried_again_after_a_rest() -> None:
    async def main() -> None:
        aws = VirtualAws(meddle=lambda name, _body: _in_use(name) if name.startswith("Start") else None)
        aws.faces("camera")
        with pytest.raises(errors.ResourceInUseError):
            await _intent(aws).running(_FACES)
        assert _now() > 7 * 0.75

    run(main())


@pytest.mark.parametrize("done", [True, False])
def test_a_start_of_which_nothing_could_be_found_out_is_looked_after(done: bool) -> None:  # noqa: FBT001
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
        found = await _intent(aws).running(_FACES)
        assert found.status is Status.RUNNING
        assert starts == (1 if done else 2)
        assert (found.session is None) is done

    run(main())


def test_a_kind_of_tomorrow_fits_any_start() -> None:
    async def main() -> None:
        aws = VirtualAws()
        _showing(aws, (0, "STOPPED"), (1, "STARTING"))
        assert (await _intent(aws).running(_LABELS)).session is not None

    run(main())


def test_what_does_not_exist_can_neither_work_nor_rest() -> None:
    async def main() -> None:
        intent = _intent(VirtualAws())
        with pytest.raises(errors.ResourceNotFoundError):
            await intent.running(_FACES)
        with pytest.raises(errors.ResourceNotFoundError):
            await intent.stopped("camera")

    run(main())


def test_each_wait_has_the_timeout_that_was_given() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(starting=100, stopping=100))
        aws.faces("camera")
        with pytest.raises(errors.WaitTimeoutError):
            await _intent(aws).running(_FACES, timeout=5)
        with pytest.raises(errors.WaitTimeoutError):
            await _intent(aws).stopped("camera", timeout=5)
        assert _now() < 12

    run(main())


def test_ten_cameras_are_brought_to_work_and_to_rest_without_a_throttle() -> None:
    async def main() -> None:
        aws = VirtualAws()
        names = [f"camera-{n}" for n in range(10)]
        aws.faces(*names)
        intent = _intent(aws)
        found = await asyncio.gather(*(intent.running(FaceSearchStart(name)) for name in names))
        assert {entry.status for entry in found} == {Status.RUNNING}
        at_rest = await asyncio.gather(*(intent.stopped(name) for name in names))
        assert {entry.status for entry in at_rest} == {Status.STOPPED}
        assert aws.throttled == 0

    run(main())


_DOOR = parse_processor(labels("door", Tags={"site": "north"}))


def test_what_is_missing_is_created() -> None:
    async def main() -> None:
        aws = VirtualAws()
        report = await _intent(aws).created(_DOOR)
        assert report.created
        assert report.stream_processor_arn.endswith("streamprocessor/door")
        assert report.drift == ()
        assert report.update() is None
        assert aws.calls == {"Describe": 1, "Create": 1}

    run(main())


def test_what_is_there_as_it_should_be_is_left_alone() -> None:
    async def main() -> None:
        aws = VirtualAws()
        intent = _intent(aws)
        first = await intent.created(_DOOR)
        again = await intent.created(_DOOR)
        assert again == EnsuredProcessor(
            processor=_DOOR, stream_processor_arn=first.stream_processor_arn, created=False
        )

    run(main())


def test_what_is_there_and_differs_is_reported_and_its_update_takes_the_drift_away() -> None:
    async def main() -> None:
        aws = VirtualAws()
        intent = _intent(aws)
        await intent.created(_DOOR)
        assert isinstance(_DOOR, LabelDetectionProcessor)
        wanted = attrs.evolve(_DOOR, labels=["PET"], min_confidence=70, tags={})
        report = await intent.created(wanted)
        found = {difference.field: (difference.found, difference.updatable) for difference in report.drift}
        assert found == {
            "labels": (("PERSON", "PACKAGE"), True),
            "min_confidence": (50, True),
            "tags": ({"site": "north"}, False),
        }
        update = report.update()
        assert update is not None
        await intent.pipeline.call(UPDATE, update)
        report = await intent.created(wanted)
        assert [difference.field for difference in report.drift] == ["tags"]

    run(main())


def test_a_creation_that_somebody_else_was_quicker_with_is_compared_with_theirs() -> None:
    async def main() -> None:
        aws = VirtualAws()

        def meddle(operation: str, _body: Mapping[str, object]) -> None:
            if operation == "CreateStreamProcessor":
                aws.do("CreateStreamProcessor", **labels("door", Tags={"site": "south"}))

        aws.meddle = meddle
        report = await _intent(aws).created(_DOOR)
        assert not report.created
        assert [difference.field for difference in report.drift] == ["tags"]

    run(main())


def test_what_is_deleted_while_it_is_compared_is_created_anew() -> None:
    async def main() -> None:
        aws = VirtualAws(timings=Timings(deleting=0))
        await _intent(aws).created(_DOOR)

        def meddle(operation: str, _body: Mapping[str, object]) -> None:
            if operation == "ListTagsForResource" and aws.calls["Create"] == 1:
                aws.delete("door")

        aws.meddle = meddle
        report = await _intent(aws).created(_DOOR)
        assert report.created
        assert aws.calls["Create"] == 2

    run(main())


def test_a_stream_that_belongs_to_another_processor_is_refused_in_the_end() -> None:
    async def main() -> None:
        aws = VirtualAws()
        aws.do("CreateStreamProcessor", **faces("other", Input=labels("door")["Input"]))
        with pytest.raises(errors.ResourceInUseError):
            await _intent(aws).created(_DOOR)
        assert _now() < 20

    run(main())


@pytest.mark.parametrize("wrong", ["camera", None, {"Name": "camera"}])
def test_what_is_no_request_is_refused_before_anything_is_sent(wrong: object) -> None:
    aws = VirtualAws()
    intent = _intent(aws)
    with pytest.raises(errors.InvalidRequestError, match="must be a FaceSearchStart or LabelDetectionStart"):
        run(intent.running(wrong))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    with pytest.raises(errors.InvalidRequestError, match="must be a FaceSearchProcessor or LabelDetectionProcessor"):
        run(intent.created(wrong))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert not aws.transport.calls
