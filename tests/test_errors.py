"""The errors: what each says, whose it is, and that it travels between processes."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream import errors
from aiorekostream.errors import ValidationIssue

if TYPE_CHECKING:
    from collections.abc import Iterator

FAULTS = (
    ValidationIssue(("StopSelector", "MaxDurationInSeconds"), 121, "a whole number of seconds from 1 to 120"),
    ValidationIssue(("Name",), None, "given"),
)
FIRST: dict[str, object] = {"issues": FAULTS, "message": "Slow down."}
# Every argument that any of the errors takes by name.
ARGUMENTS: dict[str, Any] = {
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
}


def _classes(cls: type[errors.RekostreamError] = errors.RekostreamError) -> Iterator[type[errors.RekostreamError]]:
    yield cls
    for inner in cls.__subclasses__():
        yield from _classes(inner)


# Other rooms may have errors of their own below these; the tree of errors.py is what is shown here.
CLASSES = [cls for cls in _classes() if inspect.getmodule(cls) is errors or cls.__name__ in errors.__all__]


def _made(cls: Any) -> Any:  # noqa: ANN401 - of any class
    if cls.__init__ is Exception.__init__:
        return cls("no Region")
    parameters = inspect.signature(cls).parameters
    named = {name: ARGUMENTS[name] for name, it in parameters.items() if it.kind is it.KEYWORD_ONLY}
    return cls(*(FIRST[name] for name in parameters if name in FIRST), **named)


each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


def _state(error: errors.RekostreamError) -> dict[str, object]:
    return {"args": error.args, "str": str(error), "repr": repr(error), **vars(error)}


@each_class
def test_an_error_is_the_same_after_a_journey(cls: type[errors.RekostreamError]) -> None:
    error = _made(cls)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        other = pickle.loads(pickle.dumps(error, protocol))  # noqa: S301 - our own
        assert type(other) is cls
        assert _state(other) == _state(error)
    assert _state(copy.copy(error)) == _state(error)
    assert _state(copy.deepcopy(error)) == _state(error)


def test_the_tree_is_the_one_that_the_docstring_draws() -> None:
    drawn = re.findall(r"^ *[│├└─ ]*([A-Z]\w+Error)", str(errors.__doc__), re.MULTILINE)
    assert sorted(drawn) == sorted(cls.__name__ for cls in CLASSES)
    assert sorted([*drawn, "ValidationIssue"]) == sorted(errors.__all__)


@each_class
def test_a_class_stands_under_the_one_that_the_drawing_says(cls: type[errors.RekostreamError]) -> None:
    stack: list[tuple[int, str]] = []
    for line in str(errors.__doc__).splitlines():
        if match := re.match(r"^[│├└─ ]*([A-Z]\w+Error)", line):
            depth = match.start(1)
            stack = [(at, name) for at, name in stack if at < depth]
            if match[1] == cls.__name__ and stack:
                assert issubclass(cls, getattr(errors, stack[-1][1]))
                assert stack[-1][1] in {base.__name__ for base in cls.__bases__}
            stack.append((depth, match[1]))


def test_the_standard_librarys_words_catch_what_they_mean() -> None:
    assert issubclass(errors.InvalidRequestError, ValueError)
    assert issubclass(errors.DeadlineExceededError, TimeoutError)
    assert issubclass(errors.WaitTimeoutError, TimeoutError)


@each_class
def test_every_error_says_what_to_do_where_that_is_known(cls: type[errors.RekostreamError]) -> None:
    error = _made(cls)
    assert getattr(error, "hint", "") in str(error)
    assert str(error)


def test_every_fault_of_a_request_is_in_its_text() -> None:
    assert str(errors.InvalidRequestError(iter(FAULTS))) == (
        "StopSelector.MaxDurationInSeconds: must be a whole number of seconds from 1 to 120; got 121\n"
        "Name: must be given; got None"
    )


def test_a_service_error_says_all_that_is_known() -> None:
    error = _made(errors.ThrottlingError)
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


def test_a_service_error_without_a_message_says_so() -> None:
    error = errors.AccessDeniedError(
        "", operation="ListStreamProcessors", code="AccessDeniedException", http_status=400
    )
    assert str(error) == "ListStreamProcessors: AccessDeniedException, without a message (HTTP 400)"
    assert error.request_id is None
    assert not error.retry_safe


def test_a_malformed_reply_says_where_it_cannot_be_read_and_what_to_do() -> None:
    error = _made(errors.MalformedResponseError)
    for part in (
        "StartStreamProcessor",
        "StopSelector.MaxDurationInSeconds",
        "Name",
        "attempts: 3",
        "r-1",
        "Wait for it.",
    ):
        assert part in str(error)


def test_a_lost_call_says_how_often_it_was_tried_and_what_to_do() -> None:
    for cls in (errors.ConnectError, errors.ConnectionLostError, errors.DeadlineExceededError):
        assert str(_made(cls)) == "StartStreamProcessor: Slow down. (attempts: 3). Wait for it."
    late = _made(errors.DeadlineExceededError)
    assert late.deadline == 5.0
    once = errors.ConnectionLostError("reset", operation="StopStreamProcessor")
    assert str(once) == "StopStreamProcessor: reset"


@pytest.mark.parametrize(("attempts", "told"), [(1, ""), (2, " (attempts: 2)"), (9, " (attempts: 9)")])
def test_attempts_are_told_when_there_were_more_than_one(attempts: int, told: str) -> None:
    error = errors.ConnectError("refused", operation="StopStreamProcessor", attempts=attempts)
    assert str(error) == f"StopStreamProcessor: refused{told}"


def test_notes_and_causes_can_be_added_as_to_any_exception() -> None:
    error = _made(errors.ServiceError)
    error.add_note("camera 5")
    assert error.__notes__ == ["camera 5"]


# issues


@pytest.mark.parametrize(
    ("where", "path"),
    [
        ((), ""),
        (("Name",), "Name"),
        (("RegionsOfInterest", 0, "Polygon", 2, "X"), "RegionsOfInterest[0].Polygon[2].X"),
        ((0, "a"), "[0].a"),
        ((0, 1), "[0][1]"),
    ],
)
def test_a_path_reads_like_the_way_to_the_value(where: tuple[str | int, ...], path: str) -> None:
    assert ValidationIssue(where, 5, "text").path == path


def test_a_fault_can_be_seen_from_further_out() -> None:
    issue = ValidationIssue(("X",), 2.0, "a ratio")
    assert issue.under("Polygon", 0) == ValidationIssue(("Polygon", 0, "X"), 2.0, "a ratio")
    assert issue.under() == issue


class _NotShown:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    "value",
    [10**5000, _NotShown(), "x" * 10_000, ["x" * 10_000], "\ud800"],
    ids=["huge", "hidden", "long", "nested", "half"],
)
def test_a_fault_can_be_told_whatever_was_given(value: object) -> None:
    text = str(ValidationIssue(("Name",), value, "text"))
    assert text.startswith("Name: must be text; got ")
    assert len(text.removeprefix("Name: must be text; got ")) <= 80
    text.encode()


@given(st.text())
def test_a_short_value_is_shown_as_python_writes_it(value: str) -> None:
    text = str(ValidationIssue((), value, "text"))
    shown = text.removeprefix("value: must be text; got ")
    assert shown == repr(value) or (shown.endswith("...") and repr(value).startswith(shown[:-3]))
