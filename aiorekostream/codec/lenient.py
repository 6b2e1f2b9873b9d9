"""Structure AWS's JSON into values: new and absent members are no error, malformed ones are reported with their paths.

The functions read single values and are shared by all decoders. ``LenientConverter`` structures the events of sessions:
a converter of cattrs that finds the members of a value by their paths in AWS's JSON, which may be nested. It is exact
and slow: a codec of events reads the usual shape directly (``codec/direct.py``) and leaves whatever differs from it to
this converter.
"""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import ClassValidationError, IterableValidationError
from cattrs.gen import make_dict_structure_fn

from aiorekostream.domain.rules import ABSENT
from aiorekostream.domain.selectors import FragmentNumber
from aiorekostream.errors import InvalidRequestError, MalformedEventError, ValidationIssue

if TYPE_CHECKING:
    from aiorekostream.codec.envelopes import Steps
    from aiorekostream.codec.spelling import Path

__all__ = [
    "Hook",
    "LenientConverter",
    "Members",
    "UnreadableError",
    "hook",
    "is_tuple",
    "issues_of",
    "member_at",
    "members_of",
    "number",
    "text",
    "tuple_hook",
    "unreadable",
]

Members: TypeAlias = Mapping[str, Any]

_T = TypeVar("_T")
Hook: TypeAlias = Callable[[object, object], object]


@attrs.define(eq=False, repr=False)
class UnreadableError(Exception):
    """A part of an event cannot be read."""

    issues: tuple[ValidationIssue, ...]


def unreadable(value: object, expected: str, *path: str) -> UnreadableError:
    """Return the error for one value; ``expected`` completes "must be ..."."""
    return UnreadableError((ValidationIssue(path, value, expected),))


def number(value: object) -> float:
    """Read a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise unreadable(value, "a finite number")
    try:
        found = float(value)
    except OverflowError as error:
        raise unreadable(value, "a finite number") from error
    if not math.isfinite(found):
        raise unreadable(value, "a finite number")
    return found


def text(value: object) -> str:
    """Read text."""
    if not isinstance(value, str):
        raise unreadable(value, "text")
    return str.__str__(value)


def _fragment_number(value: object) -> FragmentNumber:
    try:
        return FragmentNumber(cast("str", value))
    except InvalidRequestError as error:
        raise unreadable(value, error.issues[0].expected) from error  # in AWS's JSON, it is no object with a member


def members_of(value: object, *path: str) -> Members:
    """Read an object; ``path`` is where it is, for the issue."""
    if not isinstance(value, Mapping):
        raise unreadable(value, "an object", *path)
    return cast("Members", value)


def member_at(value: object, path: Path) -> object:
    """Return the member at a path, ``None`` for one that is absent or null."""
    for depth, step in enumerate(path):
        value = members_of(value, *path[:depth]).get(step)
        if value is None:
            return None
    return value


def is_tuple(kind: object) -> bool:
    """Return whether a type is that of tuples, for ``tuple_hook``."""
    return get_origin(kind) is tuple


def tuple_hook(converter: cattrs.Converter, kind: object) -> Hook:
    """Return the hook that structures a list as a tuple: a hook factory of cattrs."""
    # cattrs would accept any iterable: the characters of a text, the keys of an object.
    items = cast("type[list[object]]", types.GenericAlias(list, get_args(kind)[:1]))

    def structure_value(value: object, _: object) -> tuple[object, ...]:
        if type(value) is not list:
            raise unreadable(value, "a list")
        return tuple(converter.structure(value, items))

    return structure_value


def hook(read: Callable[[Any], object]) -> Hook:
    """Return the hook of cattrs that reads a value with a function."""
    return lambda value, _: read(value)


def issues_of(error: BaseException, paths: Mapping[type, Mapping[str, Path]]) -> Iterator[ValidationIssue]:
    """Yield the issues that an error of a detailed converter stands for.

    Args:
        error: what the converter raised.
        paths: the path of each attribute in AWS's JSON, by class and attribute.
    """
    match error:
        case ClassValidationError():
            members, others = error.group_exceptions()
            by_name = paths.get(error.cl, {})
            for inner, note in members:
                yield from (issue.under(*by_name.get(note.name, (note.name,))) for issue in issues_of(inner, paths))
            # An issue that a value raises itself has the name of the attribute instead of AWS's path.
            for issue in (issue for inner in others for issue in issues_of(inner, paths)):
                first, rest = issue.steps[:1], issue.steps[1:]
                yield attrs.evolve(issue, path=(*by_name.get(str(*first), first), *rest))
        case IterableValidationError():
            items, others = error.group_exceptions()
            for inner, position in items:
                yield from (issue.under(position.index) for issue in issues_of(inner, paths))
            yield from (issue for inner in others for issue in issues_of(inner, paths))
        case InvalidRequestError() | UnreadableError():
            yield from error.issues
        case KeyError():
            yield ValidationIssue((), ABSENT, "present")
        case _:
            yield ValidationIssue((), str(error), "readable")


class LenientConverter:
    """Structure values by the paths of their attributes, and report every issue with its path."""

    def __init__(
        self, paths: Mapping[type, Mapping[str, str]], readers: Mapping[object, Callable[[Any], object]]
    ) -> None:
        """Create a converter.

        Args:
            paths: the path of each attribute in AWS's JSON, with dots, by class and attribute. The modules of these
                classes do not import annotations from ``__future__``, because cattrs reads them at run time.
            readers: the functions that read single values, by type. They raise ``UnreadableError`` or
                ``InvalidRequestError``. Numbers, text, fragment numbers and tuples need none.
        """
        self._paths = MappingProxyType(
            {cls: {name: tuple(path.split(".")) for name, path in by_name.items()} for cls, by_name in paths.items()}
        )
        self._converter = cattrs.Converter(detailed_validation=True)
        common: Mapping[type, Callable[[Any], object]] = {float: number, str: text, FragmentNumber: _fragment_number}
        for kind, read in [*common.items(), *readers.items()]:
            self._converter.register_structure_hook(kind, hook(read))
        self._converter.register_structure_hook_factory(is_tuple, functools.partial(tuple_hook, self._converter))
        for cls in self._paths:
            self._converter.register_structure_hook(cls, self._by_paths(cls))

    def structure(self, members: Members, cls: type[_T], steps: Steps = ()) -> _T:
        """Structure a value.

        Args:
            members: the members of the value in AWS's spelling.
            cls: the class of the value.
            steps: the path to the members, for the issues.

        Raises:
            MalformedEventError: members are absent or have the wrong type; ``issues`` has the path of each.
        """
        try:
            return self._converter.structure(members, cls)
        except Exception as error:
            raise MalformedEventError(issue.under(*steps) for issue in issues_of(error, self._paths)) from error

    def _by_paths(self, cls: type) -> Hook:
        paths = tuple(self._paths[cls].items())
        structure = make_dict_structure_fn(cast("type[Any]", cls), self._converter)

        def structure_value(value: object, _: object) -> object:
            found, blocked = _gather(members_of(value), paths)
            issues = {issue.path: issue for issue in blocked.values()}  # several attributes may lie behind one member
            try:
                structured = structure(found, cls)
            except Exception as error:
                if not blocked:
                    raise
                others = (issue for issue in issues_of(error, self._paths) if issue.steps not in blocked)
                raise UnreadableError((*issues.values(), *others)) from error
            if blocked:
                raise UnreadableError(tuple(issues.values()))
            return structured

        return structure_value


def _gather(
    members: Members, paths: Iterable[tuple[str, Path]]
) -> tuple[dict[str, object], dict[Path, ValidationIssue]]:
    """Return the members by attribute, and the issue of each path on which something is no object."""
    found: dict[str, object] = {}
    blocked: dict[Path, ValidationIssue] = {}
    for name, path in paths:
        try:
            part = member_at(members, path)
        except UnreadableError as error:
            (blocked[path],) = error.issues
        else:
            if part is not None:
                found[name] = part
    return found, blocked
