"""Resolve the annotations of the public names, as cattrs, dependency injection and documentation tools do.

    python -m tests.annotations MODULE...

It runs in an interpreter of its own, because what resolves may depend on what was imported before.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import typing
from typing import TYPE_CHECKING

import attrs
from cattrs.preconf.json import make_converter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Every module that has a page in the reference.
PUBLIC_MODULES = tuple(
    f"aiorekostream{name}"
    for name in (
        *("", ".client", ".clock", ".codec", ".domain", ".errors", ".fleet", ".limits", ".operations"),
        *(".distributed", ".rate_limiting", ".results", ".retry.policy", ".testing", ".transport.options"),
        ".transport.timeout",
    )
)
# They hold objects, or values of any type or of two: cattrs can write them and cannot read them.
NOT_READABLE = frozenset(
    {
        "DetectedLabel",
        "Drift",
        "Failed",
        "FaceSearchRecord",
        "FleetEvent",
        "FleetReport",
        "MemoryTransport",
        "Operation",
        "PermitRequest",
        "Reply",
        "StreamProcessorList",
    }
    | {"Unknown", "ValidationIssue", "VideoPosition"}
)


def unresolved(module: str) -> Iterator[str]:
    """Yield the names of a module whose annotations cannot be resolved, each with the error."""
    found = importlib.import_module(module)
    yield from _failures(module, lambda: typing.get_type_hints(found))
    for name in found.__all__:
        value: object = getattr(found, name)
        path = f"{module}.{name}"
        if isinstance(value, type):
            yield from _failures_of_class(path, value)
        elif inspect.isroutine(value):
            yield from _failures_of_function(path, value)


def _failures_of_class(path: str, cls: type) -> Iterator[str]:
    yield from _failures(path, lambda: typing.get_type_hints(cls, include_extras=True))
    yield from _failures(f"{path}()", lambda: _signature(cls))
    for name, _ in inspect.getmembers_static(cls):
        if name.startswith("_") and not name.endswith("__"):
            continue
        value = inspect.getattr_static(cls, name)
        function = getattr(value, "fget", getattr(value, "__func__", value))
        if inspect.isfunction(function) and function.__module__.startswith("aiorekostream"):
            yield from _failures_of_function(f"{path}.{name}", function)
    if attrs.has(cls):
        yield from _failures(f"{path} (attrs)", lambda: attrs.resolve_types(cls))
        yield from _failures(f"{path} (cattrs)", lambda: make_converter().get_unstructure_hook(cls))
        if cls.__name__ not in NOT_READABLE and not issubclass(cls, Exception):
            yield from _failures(f"{path} (cattrs)", lambda: make_converter().get_structure_hook(cls))


def _failures_of_function(path: str, function: Callable[..., object]) -> Iterator[str]:
    yield from _failures(path, lambda: typing.get_type_hints(function, include_extras=True))
    yield from _failures(f"{path}()", lambda: _signature(function))


def _signature(value: Callable[..., object]) -> None:
    for parameter in inspect.signature(value, eval_str=True).parameters.values():
        if isinstance(parameter.annotation, str):
            raise TypeError(f"{parameter.name} has the annotation {parameter.annotation!r}")


def _failures(path: str, resolve: Callable[[], object]) -> Iterator[str]:
    try:
        resolve()
    except Exception as error:  # noqa: BLE001 - any error is a failure
        yield f"{path}: {type(error).__name__}: {error}"


def main() -> None:
    """Print what does not resolve in the modules that are named, one a line."""
    failures = [failure for module in sys.argv[1:] for failure in unresolved(module)]
    failures += [f"{name} was loaded" for name in ("aiobotocore", "botocore", "aiohttp") if name in sys.modules]
    sys.stdout.write("".join(f"{failure}\n" for failure in dict.fromkeys(failures)))


if __name__ == "__main__":
    main()
