"""Errors: their messages, their class tree, and pickling."""

from __future__ import annotations

import concurrent.futures
import copy
import datetime
import inspect
import multiprocessing
import pickle
import re
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream import errors
from aiorekostream.domain.requests import LabelDetectionUpdate
from aiorekostream.errors import ValidationIssue

if TYPE_CHECKING:
    from collections.abc import Iterator

ISSUES = (
    ValidationIssue(("StopSelector", "MaxDurationInSeconds"), 121, "a whole number of seconds from 1 to 120"),
    ValidationIssue(("Name",), None, "given"),
)
POSITIONAL_ARGUMENTS: dict[str, object] = {"issues": ISSUES, "message": "Slow down."}
# Every keyword argument of any error.
KEYWORD_ARGUMENTS: dict[str, Any] = {
    "operation": "StartStreamProcessor",
    "attempts": 3,
    "hint": "Wait for it.",
    "retry_safe": True,
    "retry_after": 1.5,
    "code": "ThrottlingException",
    "http_status": 400,
    "request_id": "r-1",
    "deadline": 5.0,
    "name": "lobby",
    "status_message": "Access denied to Role",
    "wanted": "RUNNING",
    "status": "STARTING",
    "seconds": 60.0,
    "closed": True,
    "retry_safe_at": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
}


def _classes(cls: type[errors.RekostreamError] = errors.RekostreamError) -> Iterator[type[errors.RekostreamError]]:
    yield cls
    for inner in cls.__subclasses__():
        yield from _classes(inner)


# Other modules may define subclasses; these are the classes of errors.py.
CLASSES = [cls for cls in _classes() if inspect.getmodule(cls) is errors or cls.__name__ in errors.__all__]


def _create(cls: Any) -> Any:  # noqa: ANN401 - any class
    parameters = inspect.signature(cls).parameters
    if "args" in parameters:
        return cls("no Region")
    named = {
        name: KEYWORD_ARGUMENTS[name]
        for name, parameter in parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    return cls(*(POSITIONAL_ARGUMENTS[name] for name in parameters if name in POSITIONAL_ARGUMENTS), **named)


each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


def _state(error: errors.RekostreamError) -> dict[str, object]:
    return {"args": error.args, "str": str(error), "repr": repr(error), **vars(error)}


@each_class
def test_error_survives_pickle_and_copy(cls: type[errors.RekostreamError]) -> None:
    error = _create(cls)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        other = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - a pickle of this test
        assert type(other) is cls
        assert _state(other) == _state(error)
    assert _state(copy.copy(error)) == _state(error)
    assert _state(copy.deepcopy(error)) == _state(error)


def _copies(error: errors.RekostreamError) -> list[errors.RekostreamError]:
    pickled = [pickle.loads(pickle.dumps(error, number)) for number in range(pickle.HIGHEST_PROTOCOL + 1)]  # noqa: S301 - a pickle of this test
    return [*pickled, copy.copy(error), copy.deepcopy(error)]


@each_class
def test_notes_survive_pickle_and_copy(cls: type[errors.RekostreamError]) -> None:
    error = _create(cls)
    error.add_note("processor: lobby")
    error.camera = 5
    for other in _copies(error):
        assert (other.__notes__, vars(other)["camera"]) == (["processor: lobby"], 5)
        other.add_note("another")
    assert error.__notes__ == ["processor: lobby"]
    group = pickle.loads(pickle.dumps(ExceptionGroup("two", [error])))  # noqa: S301 - a pickle of this test
    assert group.exceptions[0].__notes__ == error.__notes__


class _Unloadable:
    """Can be pickled, and fails when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return int, ("not a number",)

    def __repr__(self) -> str:
        return "<unloadable>"


@pytest.mark.parametrize(
    "value", [lambda: 50, threading.Lock(), (n for n in "ab"), _Unloadable()], ids=lambda value: type(value).__name__
)
def test_error_survives_pickle_when_a_value_of_it_does_not(value: object) -> None:
    invalid = errors.InvalidRequestError([ValidationIssue(("labels", 0), value, "a label")])
    lost = errors.ConnectionLostError(value, operation="StartStreamProcessor")
    lost.add_note("camera 5")
    for error in (invalid, lost):
        other = pickle.loads(pickle.dumps(error))  # noqa: S301 - a pickle of this test
        assert str(other) == str(error)
    assert pickle.loads(pickle.dumps(lost)).__notes__ == ["camera 5"]  # noqa: S301 - a pickle of this test
    assert copy.deepcopy(invalid).issues[0].value is copy.copy(invalid).issues[0].value is value


def test_error_survives_a_process_pool_when_its_value_cannot_be_pickled() -> None:
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        error = pool.submit(_refuse_an_update).exception()
    assert isinstance(error, errors.InvalidRequestError)
    assert [issue.path for issue in error.issues] == ["labels[0]", "min_confidence"]


def _refuse_an_update() -> None:
    label: Any = iter("ab")
    LabelDetectionUpdate(name="lobby", labels=[label], min_confidence=label)


# repr


@each_class
def test_repr_names_the_operation_and_the_processor(cls: type[errors.RekostreamError]) -> None:
    error = _create(cls)
    for name in ("operation", "name"):
        assert (f"{name}={KEYWORD_ARGUMENTS[name]!r}" in repr(error)) == hasattr(error, name)


def test_repr_reads_as_the_constructor_call() -> None:
    error = errors.ConnectError("no route", operation="StartStreamProcessor", name="lobby", retry_safe=True)
    assert repr(error) == (
        "ConnectError('no route', operation='StartStreamProcessor', name='lobby', attempts=1, retry_safe=True)"
    )
    assert repr(errors.ConfigurationError("no Region")) == "ConfigurationError('no Region')"


def test_docstring_lists_every_error_class() -> None:
    listed = re.findall(r"^ *[│├└─ ]*([A-Z]\w+Error)", str(errors.__doc__), re.MULTILINE)
    assert sorted(listed) == sorted(cls.__name__ for cls in CLASSES)
    assert sorted([*listed, "AwsGuidanceWarning", "ValidationIssue"]) == sorted(errors.__all__)


@each_class
def test_docstring_shows_the_base_class_of_each_error(cls: type[errors.RekostreamError]) -> None:
    stack: list[tuple[int, str]] = []
    for line in str(errors.__doc__).splitlines():
        if match := re.match(r"^[│├└─ ]*([A-Z]\w+Error)", line):
            depth = match.start(1)
            stack = [(at, name) for at, name in stack if at < depth]
            if match[1] == cls.__name__ and stack:
                assert issubclass(cls, getattr(errors, stack[-1][1]))
                assert stack[-1][1] in {base.__name__ for base in cls.__bases__}
            stack.append((depth, match[1]))


def test_errors_derive_from_the_matching_builtin_exceptions() -> None:
    assert issubclass(errors.InvalidRequestError, ValueError)
    assert issubclass(errors.DeadlineExceededError, TimeoutError)
    assert issubclass(errors.WaitTimeoutError, TimeoutError)


@each_class
def test_error_message_contains_the_hint(cls: type[errors.RekostreamError]) -> None:
    error = _create(cls)
    assert getattr(error, "hint", "") in str(error)
    assert str(error)


def test_invalid_request_message_lists_every_issue() -> None:
    assert str(errors.InvalidRequestError(iter(ISSUES))) == (
        "StopSelector.MaxDurationInSeconds: must be a whole number of seconds from 1 to 120; got 121\n"
        "Name: must be given; got None"
    )


def test_service_error_message_has_every_detail() -> None:
    error = _create(errors.ThrottlingError)
    assert str(error) == (
        "StartStreamProcessor: ThrottlingException: Slow down. (HTTP 400, attempts: 3, request id: r-1). Wait for it."
    )
    assert (error.message, error.code, error.http_status, error.request_id) == (
        "Slow down.",
        "ThrottlingException",
        400,
        "r-1",
    )
    assert (error.operation, error.attempts, error.retry_safe, error.hint) == (
        "StartStreamProcessor",
        3,
        True,
        "Wait for it.",
    )


def test_service_error_message_says_when_aws_sent_none() -> None:
    error = errors.AccessDeniedError(
        "", operation="ListStreamProcessors", code="AccessDeniedException", http_status=400
    )
    assert str(error) == "ListStreamProcessors: AccessDeniedException, without a message (HTTP 400)"
    assert error.request_id is None
    assert not error.retry_safe


def test_malformed_response_message_has_the_paths_and_the_hint() -> None:
    error = _create(errors.MalformedResponseError)
    for part in (
        "StartStreamProcessor",
        "StopSelector.MaxDurationInSeconds",
        "Name",
        "attempts: 3",
        "r-1",
        "Wait for it.",
    ):
        assert part in str(error)


def test_lost_call_message_has_the_attempts_and_the_hint() -> None:
    for cls in (errors.ConnectError, errors.ConnectionLostError, errors.DeadlineExceededError):
        assert str(_create(cls)) == "StartStreamProcessor: Slow down. (attempts: 3). Wait for it."
    deadline_exceeded = _create(errors.DeadlineExceededError)
    assert deadline_exceeded.deadline == 5.0
    single_attempt = errors.ConnectionLostError("reset", operation="StopStreamProcessor")
    assert str(single_attempt) == "StopStreamProcessor: reset"


@pytest.mark.parametrize(("attempts", "suffix"), [(1, ""), (2, " (attempts: 2)"), (9, " (attempts: 9)")])
def test_error_message_has_the_attempts_when_more_than_one(attempts: int, suffix: str) -> None:
    error = errors.ConnectError("refused", operation="StopStreamProcessor", attempts=attempts)
    assert str(error) == f"StopStreamProcessor: refused{suffix}"


def test_error_accepts_notes() -> None:
    error = _create(errors.ServiceError)
    error.add_note("camera 5")
    assert error.__notes__ == ["camera 5"]


# issues


@pytest.mark.parametrize(
    ("steps", "path"),
    [
        ((), ""),
        (("Name",), "Name"),
        (("RegionsOfInterest", 0, "Polygon", 2, "X"), "RegionsOfInterest[0].Polygon[2].X"),
        ((0, "a"), "[0].a"),
        ((0, 1), "[0][1]"),
    ],
)
def test_issue_path_is_formatted_as_text(steps: tuple[str | int, ...], path: str) -> None:
    assert ValidationIssue(steps, 5, "text").path == path


def test_issue_under_prepends_steps_to_the_path() -> None:
    issue = ValidationIssue(("X",), 2.0, "a ratio")
    assert issue.under("Polygon", 0) == ValidationIssue(("Polygon", 0, "X"), 2.0, "a ratio")
    assert issue.under() == issue


class _NoRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class _UnencodableRepr:
    def __repr__(self) -> str:
        return "\ud800"


@pytest.mark.parametrize(
    "value",
    [10**5000, _NoRepr(), "x" * 10_000, ["x" * 10_000], "\ud800", _UnencodableRepr()],
    ids=["huge", "failing-repr", "long", "nested", "surrogate", "surrogate-repr"],
)
def test_issue_message_is_short_and_encodable_for_any_value(value: object) -> None:
    issue = ValidationIssue(("Name",), value, "text")
    repr(errors.InvalidRequestError([issue, issue.under("na\ud800me")])).encode()
    str(errors.InvalidRequestError([issue, issue.under("na\ud800me")])).encode()
    text = str(issue)
    assert text.startswith("Name: must be text; got ")
    assert len(text.removeprefix("Name: must be text; got ")) <= 80
    text.encode()


@given(st.text())
def test_issue_message_shows_the_repr_of_a_short_value(value: str) -> None:
    text = str(ValidationIssue((), value, "text"))
    shown = text.removeprefix("value: must be text; got ")
    assert shown == repr(value) or (shown.endswith("...") and repr(value).startswith(shown[:-3]))


class _UncopiedError(Exception):
    def __init__(self, host: str, port: int) -> None:
        super().__init__(f"{host}:{port} is away")


@pytest.mark.parametrize("error", [ValueError("no"), errors.ConfigurationError("no"), _UncopiedError("redis", 1)])
def test_error_is_copied_for_each_caller_where_it_can_be(error: Exception) -> None:
    copied = errors.copy_error(error)
    assert (type(copied), str(copied)) == (type(error), str(error))
    assert (copied is error) is isinstance(error, _UncopiedError)
