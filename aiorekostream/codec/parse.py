"""From boto3's keyword arguments to values, strictly: nothing is dropped, nothing is guessed, every issue is told."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar, cast

import attrs

from aiorekostream.codec.spelling import SPELLING, Path
from aiorekostream.domain.geometry import (
    BoundingBox,
    Point,
    Polygon,
    RegionOfInterest,
    ratio_of_frame,
    region_of_interest,
)
from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor, Processor, S3Destination
from aiorekostream.domain.requests import FaceSearchStart, LabelDetectionStart, StartRequest
from aiorekostream.domain.rules import ABSENT, Refused, as_step
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp, StopSelector
from aiorekostream.errors import InvalidRequestError, ValidationIssue

__all__ = ["parse_processor", "parse_start"]

_T = TypeVar("_T")


@attrs.frozen
class _Forbidden:
    """A key that AWS knows, but not here."""

    allowed: str


_Tree: TypeAlias = "dict[str, _Tree | str | _Forbidden]"
"""The keys of a JSON object: an attribute's name at each leaf."""

_NEVER_BOTH = "left out: a processor has either FaceSearch or ConnectedHome settings"
_FORBIDDEN: Mapping[type, Mapping[Path, str]] = {
    FaceSearchProcessor: {
        ("Settings", "ConnectedHome"): _NEVER_BOTH,
        ("Output", "S3Destination"): "left out: a face search writes to Output.KinesisDataStream",
        ("NotificationChannel",): "left out: a face search tells no topic",
        ("KmsKeyId",): "left out: a face search writes nothing to S3",
        ("RegionsOfInterest",): "left out: only label detection has regions of interest",
    },
    LabelDetectionProcessor: {
        ("Settings", "FaceSearch"): _NEVER_BOTH,
        ("Output", "KinesisDataStream"): "left out: a label detection writes to Output.S3Destination",
    },
}


def parse_start(arguments: Mapping[str, object]) -> StartRequest:
    """Read the keyword arguments of boto3's ``start_stream_processor``.

    With a selector they mean a label detection, which needs both selectors; without, a face search.
    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StartStreamProcessor.html.

    Raises:
        InvalidRequestError: every issue at once, each with its path in AWS's spelling.
    """
    _must_be_mapping(arguments)
    if "StartSelector" in arguments or "StopSelector" in arguments:
        return _read(arguments, LabelDetectionStart)
    return _read(arguments, FaceSearchStart)


def parse_processor(arguments: Mapping[str, object]) -> Processor:
    """Read the keyword arguments of boto3's ``create_stream_processor``.

    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html.

    Raises:
        InvalidRequestError: every issue at once, each with its path in AWS's spelling.
    """
    _must_be_mapping(arguments)
    if _means_face_search(arguments):
        return _read(arguments, FaceSearchProcessor)
    return _read(arguments, LabelDetectionProcessor)


def _must_be_mapping(arguments: object) -> None:
    if not isinstance(arguments, Mapping):
        raise InvalidRequestError([ValidationIssue((), arguments, "a mapping of boto3's keyword arguments")])


def _means_face_search(arguments: Mapping[str, object]) -> bool:
    """The settings decide; where they do not say, the output does."""
    for part, face_search, label_detection in (
        ("Settings", "FaceSearch", "ConnectedHome"),
        ("Output", "KinesisDataStream", "S3Destination"),
    ):
        members = arguments.get(part)
        if isinstance(members, Mapping) and (face_search in members) != (label_detection in members):
            return face_search in members
    return False


def _read(value: object, cls: type[_T]) -> _T:
    found: dict[str, object] = {}
    issues = list(_walk(value, _tree(cls), (), found))
    return _made(cls, found, issues)


def _read_one_of(value: object, choices: Mapping[Path, type[_T]]) -> _T:
    """Read an object that means one of several values, told apart by the key that is there."""
    tree: _Tree = {}
    for cls in choices.values():
        _merge(tree, _tree(cls))
    found: dict[str, object] = {}
    issues = list(_walk(value, tree, (), found))
    chosen = [cls for path, cls in choices.items() if _holds(value, path)]
    if len(chosen) > 1 or not (chosen or issues):
        (*parents, _) = next(iter(choices))
        allowed = f"an object with exactly one of {', '.join(path[-1] for path in choices)}"
        issues.append(ValidationIssue(tuple(parents), _dig(value, tuple(parents)), allowed))
    made = [_attempt(functools.partial(_made, cls, found, ())) for cls in chosen]
    issues += [issue for item in made if isinstance(item, Refused) for issue in item.issues]
    if issues:
        raise InvalidRequestError(issues)
    return cast("_T", made[0])


def _made(cls: type[_T], found: Mapping[str, object], issues: Iterable[ValidationIssue]) -> _T:
    """Make the value from what was found, or tell all that is wrong."""
    told = list(issues)
    arguments: dict[str, object] = {}
    for attribute in attrs.fields(cast("type[attrs.AttrsInstance]", cls)):
        name = attribute.name
        if name in found:
            arguments[name] = _nested(name, found[name])
        elif attribute.default is attrs.NOTHING:
            arguments[name] = Refused((ValidationIssue((), ABSENT, "given"),))
    made = _attempt(lambda: cls(**arguments))
    if isinstance(made, Refused):
        told += [_in_aws_spelling(issue, cls) for issue in made.issues]
    if told:
        raise InvalidRequestError(told)
    return cast("_T", made)


def _attempt(make: Callable[[], _T]) -> _T | Refused:
    try:
        return make()
    except InvalidRequestError as error:
        return Refused(error.issues)


def _tree(cls: type) -> _Tree:
    tree: _Tree = {}
    leaves: dict[Path, str | _Forbidden] = {path: name for name, path in SPELLING[cls].items()}
    leaves |= {path: _Forbidden(allowed) for path, allowed in _FORBIDDEN.get(cls, {}).items()}
    for path, leaf in leaves.items():
        branch = tree
        for step in path[:-1]:
            branch = cast("_Tree", branch.setdefault(step, {}))
        branch[path[-1]] = leaf
    return tree


def _walk(value: object, tree: _Tree, where: Path, found: dict[str, object]) -> Iterator[ValidationIssue]:
    """Gather the leaves' values by attribute; where a value cannot be had, its issue stands in its place."""
    if not isinstance(value, Mapping):
        found |= dict.fromkeys(_leaves(tree), Refused(()))
        yield ValidationIssue(where, value, f"an object with {', '.join(_allowed_keys(tree))}")
        return
    members = cast("Mapping[object, object]", value)
    for key, item in members.items():
        branch = tree.get(key) if isinstance(key, str) else None
        if branch is None:
            keys = ", ".join(_allowed_keys(tree))
            yield ValidationIssue(
                (*where, as_step(key)), item, f"left out: there is no such key; the keys here are {keys}"
            )
        elif isinstance(branch, _Forbidden):
            yield ValidationIssue((*where, str(key)), item, branch.allowed)
        elif item is None:
            found |= dict.fromkeys([branch] if isinstance(branch, str) else _leaves(branch), Refused(()))
            yield ValidationIssue((*where, str(key)), None, "left out or given a value")
        elif isinstance(branch, str):
            found[branch] = item
        else:
            yield from _walk(item, branch, (*where, str(key)), found)
    # An object with room for one thing was given to say that thing.
    match [*tree.values()]:
        case [str(only)] if where and only not in found:
            found[only] = Refused((ValidationIssue((), ABSENT, "given"),))
        case _:
            pass


def _leaves(tree: _Tree) -> Iterator[str]:
    for branch in tree.values():
        if isinstance(branch, str):
            yield branch
        elif isinstance(branch, dict):
            yield from _leaves(branch)


def _allowed_keys(tree: _Tree) -> list[str]:
    return [key for key, branch in tree.items() if not isinstance(branch, _Forbidden)]


def _in_aws_spelling(issue: ValidationIssue, cls: type) -> ValidationIssue:
    if not issue.steps:
        return issue
    # What follows the attribute's own name is in AWS's spelling already: whatever is nested was read by itself.
    name, *rest = issue.steps
    return attrs.evolve(issue, path=(*SPELLING[cls].get(str(name), (str(name),)), *rest))


def _nested(name: str, value: object) -> object:
    """Read what is itself an object or a list; its issues stand in its place."""
    reader = _READERS.get(name)
    return value if reader is None or isinstance(value, Refused) else _attempt(lambda: reader(value))


def _start_selector(value: object) -> object:
    choices = {
        SPELLING[cls][name]: cls for cls, name in ((ProducerTimestamp, "milliseconds"), (FragmentNumber, "value"))
    }
    return _read_one_of(value, choices)


def _region(value: object) -> object:
    choices: Mapping[Path, type[RegionOfInterest]] = {("BoundingBox",): BoundingBox, ("Polygon",): Polygon}
    region = _read_one_of(value, choices)
    try:
        return region_of_interest(region)
    except InvalidRequestError as error:
        raise InvalidRequestError(_in_aws_spelling(issue, type(region)) for issue in error.issues) from error


def _list_of(read: Callable[[object], object], allowed: str) -> Callable[[object], object]:
    def reader(value: object) -> object:
        if not isinstance(value, list | tuple):
            raise InvalidRequestError([ValidationIssue((), value, allowed)])
        return [_attempt(functools.partial(read, item)) for item in cast("Sequence[object]", value)]

    return reader


_READERS: Mapping[str, Callable[[object], object]] = {
    "start_selector": _start_selector,
    "stop_selector": lambda value: _read(value, StopSelector),
    "s3_destination": lambda value: _read(value, S3Destination),
    "regions_of_interest": _list_of(_region, "a list of objects with BoundingBox or Polygon"),
    "points": _list_of(lambda value: _read(value, Point), "a list of objects with X and Y"),
    "labels": _list_of(lambda value: value, "a list of labels"),
    # Every shape here is a region of interest, and so has to lie on the frame.
    **dict.fromkeys(("left", "top", "width", "height", "x", "y"), ratio_of_frame),
}


def _holds(value: object, path: Path) -> bool:
    return _dig(value, path) is not ABSENT


def _dig(value: object, path: Path) -> object:
    for step in path:
        if not isinstance(value, Mapping) or step not in value:
            return ABSENT
        value = cast("Mapping[object, object]", value)[step]
    return value


def _merge(tree: _Tree, other: _Tree) -> None:
    for key, branch in other.items():
        mine = tree.setdefault(key, branch)
        if isinstance(mine, dict) and isinstance(branch, dict) and mine is not branch:
            _merge(mine, branch)
