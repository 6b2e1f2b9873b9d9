"""Parse boto3's keyword arguments into values, strictly: an unknown key is an issue, and every issue is reported."""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NoReturn, TypeAlias, TypeVar, cast

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
from aiorekostream.domain.rules import ABSENT, Rejected, as_mapping, as_step, convert_safely, items_of
from aiorekostream.domain.selectors import FragmentNumber, ProducerTimestamp, StopSelector
from aiorekostream.errors import InvalidRequestError, ValidationIssue

__all__ = ["parse_processor", "parse_start"]

_T = TypeVar("_T")


@attrs.frozen
class _Forbidden:
    """A key that AWS accepts for the other kind of processor only."""

    expected: str


_Tree: TypeAlias = "dict[str, _Tree | str | _Forbidden]"
"""The keys of a JSON object; a leaf is the name of an attribute, or a forbidden key."""

_ONE_KIND_ONLY = "left out: a processor has either FaceSearch or ConnectedHome settings"
_FORBIDDEN: Mapping[type, Mapping[Path, str]] = {
    FaceSearchProcessor: {
        ("Settings", "ConnectedHome"): _ONE_KIND_ONLY,
        ("Output", "S3Destination"): "left out: a face search writes to Output.KinesisDataStream",
        ("NotificationChannel",): "left out: a face search publishes to no topic",
        ("KmsKeyId",): "left out: a face search writes nothing to S3",
    },
    LabelDetectionProcessor: {
        ("Settings", "FaceSearch"): _ONE_KIND_ONLY,
        ("Output", "KinesisDataStream"): "left out: a label detection writes to Output.S3Destination",
    },
}


def parse_start(arguments: Mapping[str, object]) -> StartRequest:
    """Parse the keyword arguments of boto3's ``start_stream_processor``.

    Arguments with a selector start a label detection, which requires both selectors; those without start a face search.
    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_StartStreamProcessor.html.

    Args:
        arguments: the keyword arguments, in AWS's spelling.

    Raises:
        InvalidRequestError: arguments are invalid; all issues at once, each with its path in AWS's spelling.
    """
    given = _checked(arguments)
    if "StartSelector" in given or "StopSelector" in given:
        return _parse(given, LabelDetectionStart)
    return _parse(given, FaceSearchStart)


def parse_processor(arguments: Mapping[str, object]) -> Processor:
    """Parse the keyword arguments of boto3's ``create_stream_processor``.

    The kind of the processor is that of its settings or, where those are unclear, of its output.
    See https://docs.aws.amazon.com/rekognition/latest/APIReference/API_CreateStreamProcessor.html.

    Args:
        arguments: the keyword arguments, in AWS's spelling.

    Raises:
        InvalidRequestError: arguments are invalid; all issues at once, each with its path in AWS's spelling.
    """
    given = _checked(arguments)
    kind = _kind_of(given)
    return _parse_unknown_kind(given) if kind is None else _parse(given, kind)


def _checked(arguments: object) -> dict[object, object]:
    expected = "a mapping of boto3's keyword arguments"
    return convert_safely(lambda value: dict(items_of(as_mapping(value, expected))), arguments)


# The two objects that tell the kinds apart: each has one key for a face search and one for a label detection.
_KIND_KEYS = (("Settings", "FaceSearch", "ConnectedHome"), ("Output", "KinesisDataStream", "S3Destination"))


def _kind_of(arguments: Mapping[object, object]) -> type[Processor] | None:
    """Return the class of the processor: by the settings, else by the output, else by keys of label detection."""
    for part, face_search, label_detection in _KIND_KEYS:
        is_face_search = _get(arguments, (part, face_search)) is not ABSENT
        if is_face_search != (_get(arguments, (part, label_detection)) is not ABSENT):
            return FaceSearchProcessor if is_face_search else LabelDetectionProcessor
    return LabelDetectionProcessor if arguments.keys() & {"NotificationChannel", "KmsKeyId"} else None


def _parse_unknown_kind(arguments: Mapping[object, object]) -> NoReturn:
    """Report the issues of arguments that are of neither kind: those that both kinds would have, and the kind's own."""
    found: dict[str, object] = {}
    keys = _tree(FaceSearchProcessor)
    tree: _Tree = {key: branch for key, branch in keys.items() if not isinstance(branch, _Forbidden)}
    pairs = [(part, f"an object with exactly one of {', '.join(keys)}") for part, *keys in _KIND_KEYS]
    issues = [ValidationIssue((part,), arguments.get(part, ABSENT), expected) for part, expected in pairs]
    issues += _walk({key: value for key, value in arguments.items() if key not in dict(pairs)}, tree, (), found)
    of_one_kind = SPELLING[FaceSearchProcessor].keys() - SPELLING[LabelDetectionProcessor].keys()
    _construct(FaceSearchProcessor, found | dict.fromkeys(of_one_kind, Rejected(())), issues)
    raise AssertionError("a processor of no kind was constructed")


def _parse(value: object, cls: type[_T]) -> _T:
    found: dict[str, object] = {}
    issues = list(_walk(value, _tree(cls), (), found))
    return _construct(cls, found, issues)


def _parse_one_of(value: object, choices: Mapping[Path, type[_T]]) -> _T:
    """Parse an object into one of several classes, chosen by the key that the object has."""
    tree: _Tree = {}
    for cls in choices.values():
        _merge(tree, _tree(cls))
    found: dict[str, object] = {}
    issues = list(_walk(value, tree, (), found))
    chosen = [cls for path, cls in choices.items() if _get(value, path) is not ABSENT]
    if len(chosen) > 1 or not (chosen or issues):
        (*parents, _) = next(iter(choices))
        expected = f"an object with exactly one of {', '.join(path[-1] for path in choices)}"
        issues.append(ValidationIssue(tuple(parents), _get(value, tuple(parents)), expected))
    values = [_attempt(functools.partial(_construct, cls, found, ())) for cls in chosen]
    issues += [issue for item in values if type(item) is Rejected for issue in item.issues]
    if issues:
        raise InvalidRequestError(issues)
    return cast("_T", values[0])


def _construct(cls: type[_T], found: Mapping[str, object], issues: Iterable[ValidationIssue]) -> _T:
    """Construct the value from its attributes, or raise the given issues together with those of the value."""
    all_issues = list(issues)
    arguments: dict[str, object] = {}
    for attribute in attrs.fields(cast("type[attrs.AttrsInstance]", cls)):
        name = attribute.name
        if name in found:
            arguments[name] = _parse_nested(name, found[name])
        elif attribute.default is attrs.NOTHING:
            arguments[name] = Rejected((ValidationIssue((), ABSENT, "given"),))
    try:
        constructed = cls(**arguments)
    except InvalidRequestError as error:
        all_issues += [_in_aws_spelling(issue, cls) for issue in error.issues]
        raise InvalidRequestError(all_issues, name=error.name) from None
    if all_issues:
        given: object = getattr(constructed, "name", None)
        raise InvalidRequestError(all_issues, name=given if isinstance(given, str) else None)
    return constructed


def _attempt(make: Callable[[], _T]) -> _T | Rejected:
    try:
        return make()
    except InvalidRequestError as error:
        return Rejected(error.issues)


def _tree(cls: type) -> _Tree:
    tree: _Tree = {}
    leaves: dict[Path, str | _Forbidden] = {path: name for name, path in SPELLING[cls].items()}
    leaves |= {path: _Forbidden(expected) for path, expected in _FORBIDDEN.get(cls, {}).items()}
    for path, leaf in leaves.items():
        branch = tree
        for step in path[:-1]:
            branch = cast("_Tree", branch.setdefault(step, {}))
        branch[path[-1]] = leaf
    return tree


def _walk(value: object, tree: _Tree, path: Path, found: dict[str, object]) -> Iterator[ValidationIssue]:
    """Collect the values of the leaves into ``found`` by attribute, and yield the issues of keys and objects.

    An attribute whose value is not available because of such an issue gets an empty ``Rejected``, so that it is not
    also reported as missing.
    """
    try:
        members = convert_safely(functools.partial(_members, tree=tree), value)
    except InvalidRequestError as error:
        found |= dict.fromkeys(_leaves(tree), Rejected(()))
        yield from (issue.under(*path) for issue in error.issues)
        return
    for key, item in members:
        branch = tree.get(key) if isinstance(key, str) else None
        if branch is None:
            keys = ", ".join(_allowed_keys(tree))
            yield ValidationIssue(
                (*path, as_step(key)), item, f"left out: there is no such key; the keys here are {keys}"
            )
        elif isinstance(branch, _Forbidden):
            yield ValidationIssue((*path, str(key)), item, branch.expected)
        elif item is None:
            found |= dict.fromkeys([branch] if isinstance(branch, str) else _leaves(branch), Rejected(()))
            yield ValidationIssue((*path, str(key)), None, "left out or given a value")
        elif isinstance(branch, str):
            found[branch] = item
        else:
            yield from _walk(item, branch, (*path, str(key)), found)
    # A nested object with a single key is pointless without it, so the key is required even for an optional attribute.
    match [*tree.values()]:
        case [str(only)] if path and only not in found:
            found[only] = Rejected((ValidationIssue((), ABSENT, "given"),))
        case _:
            pass


def _members(value: object, tree: _Tree) -> list[tuple[object, object]]:
    return items_of(as_mapping(value, f"an object with {', '.join(_allowed_keys(tree))}"))


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
    # The steps after the attribute's name are in AWS's spelling already: nested objects are parsed on their own.
    name, *rest = issue.steps
    return attrs.evolve(issue, path=(*SPELLING[cls].get(str(name), (str(name),)), *rest))


def _parse_nested(name: str, value: object) -> object:
    """Parse the value of an attribute that is itself an object or a list; invalid values become ``Rejected``."""
    parser = _PARSERS.get(name)
    return value if parser is None or type(value) is Rejected else _attempt(lambda: convert_safely(parser, value))


def _parse_start_selector(value: object) -> object:
    choices = {
        SPELLING[cls][name]: cls for cls, name in ((ProducerTimestamp, "milliseconds"), (FragmentNumber, "value"))
    }
    return _parse_one_of(value, choices)


def _parse_region(value: object) -> object:
    choices: Mapping[Path, type[RegionOfInterest]] = {("BoundingBox",): BoundingBox, ("Polygon",): Polygon}
    region = _parse_one_of(value, choices)
    try:
        return region_of_interest(region)
    except InvalidRequestError as error:
        raise InvalidRequestError(_in_aws_spelling(issue, type(region)) for issue in error.issues) from error


def _list_of(parse_item: Callable[[object], object], expected: str) -> Callable[[object], object]:
    def parse_list(value: object) -> object:
        if not isinstance(value, list | tuple):
            raise InvalidRequestError([ValidationIssue((), value, expected)])
        return [
            _attempt(functools.partial(convert_safely, parse_item, item)) for item in cast("Sequence[object]", value)
        ]

    return parse_list


_PARSERS: Mapping[str, Callable[[object], object]] = {
    "start_selector": _parse_start_selector,
    "stop_selector": lambda value: _parse(value, StopSelector),
    "s3_destination": lambda value: _parse(value, S3Destination),
    "regions_of_interest": _list_of(_parse_region, "a list of objects with BoundingBox or Polygon"),
    "points": _list_of(lambda value: _parse(value, Point), "a list of objects with X and Y"),
    "labels": _list_of(lambda value: value, "a list of labels"),
    # The shapes in a request are regions of interest, so they must lie inside the frame.
    **dict.fromkeys(("left", "top", "width", "height", "x", "y"), ratio_of_frame),
}


def _get(value: object, path: Path) -> object:
    for step in path:
        try:
            value = cast("Mapping[object, object]", value)[step] if isinstance(value, Mapping) else ABSENT
        except Exception:  # noqa: BLE001 - a foreign mapping may raise anything; the missing value is reported
            return ABSENT
    return value


def _merge(tree: _Tree, other: _Tree) -> None:
    for key, branch in other.items():
        existing = tree.setdefault(key, branch)
        if isinstance(existing, dict) and isinstance(branch, dict) and existing is not branch:
            _merge(existing, branch)
