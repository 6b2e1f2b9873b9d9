"""What the model, the package and the emulator disagree on, each with its reason.

A request that some of them accept, and not all, must be listed here. A new difference is a mistake of one of them, or
belongs in the list with a reason.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import attrs

from tests.codec.service_model import MODEL
from tests.emulator.opinions import emulator_accepts, model_accepts, package_accepts
from tests.emulator.variants import BASES, Variant, variants

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.frozen
class Difference:
    """A kind of request on which the readers disagree.

    Attributes:
        accepted_by: the readers that accept it.
        requests: patterns for the variants.
        reason: why they disagree.
    """

    accepted_by: str
    requests: tuple[str, ...]
    reason: str


DIFFERENCES = (
    Difference(
        "model",
        (
            "create*: Input *",
            "create*: Input.KinesisVideoStream left out",
            "create*: Input.KinesisVideoStream empty",
            "create*: Input.KinesisVideoStream.Arn left out",
            "create*: Output empty",
            "create*: Output.* left out",
            "create*: Output.* empty",
            "create*: Settings empty",
            "create*: Settings.ConnectedHome left out",
            "create*: Settings.FaceSearch* left out",
            "create*: Settings.FaceSearch empty",
            "create a label detection: NotificationChannel left out",
        ),
        "The model requires few members below the top. AWS's prose and its CloudFormation schema require the source, "
        "and the settings and the output of one kind.",
    ),
    Difference(
        "model",
        (
            "create*: RegionsOfInterest[[]*] empty",
            "create*: RegionsOfInterest[[]*].* left out",
            "create*: RegionsOfInterest[[]*].* empty",
            "update: RegionsOfInterestForUpdate[[]*] empty",
            "update: RegionsOfInterestForUpdate[[]*].* left out",
            "update: RegionsOfInterestForUpdate[[]*].* empty",
            "*: RegionsOfInterest*[[]1].Polygon of 0 items",
        ),
        "A region is a box with four members or a polygon of at least three points, by AWS's CloudFormation schema.",
    ),
    Difference(
        "model",
        ("*: RegionsOfInterest*.* -0.1", "*: RegionsOfInterest*.* 1.1"),
        "The model has no range for ratios of the frame. A region outside of the frame is a mistake.",
    ),
    Difference(
        "model",
        (
            "start at *: StartSelector* left out",
            "start at *: StartSelector* empty",
            "*: StopSelector left out",
        ),
        "The model requires no selector. AWS's prose requires both for a label detection, with one start point.",
    ),
    Difference(
        "model",
        ("*Labels of 128 items", "*Labels[[]0] with a space and a quote"),
        "Labels are text in the model, and AWS's prose has four.",
    ),
    Difference(
        "model",
        ("create*: *Arn with a space and a quote", "*: ResourceArn with a space and a quote"),
        "The model's patterns of ARNs end with .+; the names of streams, roles, topics and processors have no space.",
    ),
    Difference(
        "model",
        ("*: ResourceArn of 20 characters",),
        "Tags are of stream processors here, and the model's pattern is that of every resource.",
    ),
    Difference(
        "model",
        (
            "*: Tags with a key of AWS",
            "*: Tags.team with a space and a quote",
            "*: TagKeys[[]0] with a space *",
        ),
        "The patterns of tags use Unicode classes that Python does not have: the model's reader ignores them.",
    ),
    Difference(
        "model and emulator",
        ("start at a timestamp: *ProducerTimestamp 0", "start at a timestamp: *ProducerTimestamp 2147483647"),
        "The package refuses seconds for milliseconds, which AWS takes for a moment in January 1970.",
    ),
    Difference(
        "model and emulator",
        (
            "update: SettingsForUpdate empty",
            "update: SettingsForUpdate.ConnectedHomeForUpdate left out",
            "update to the defaults: ParametersToDelete left out",
            "update to the defaults: ParametersToDelete of 0 items",
            "tag: Tags of 0 entries",
            "tag: Tags.team left out",
            "untag: TagKeys of 0 items",
            "untag: TagKeys[[]0] left out",
        ),
        "A change of nothing is a mistake of the caller, which AWS does not refuse.",
    ),
    Difference(
        "model and emulator",
        ("*: ResourceArn of 2048 characters",),
        "The emulator finds no processor of so long a name; the package knows that there can be none.",
    ),
    Difference(
        "model and package",
        ("list: NextToken of 255 characters", "list: NextToken with a space and a quote"),
        "Only the service knows which tokens it has given.",
    ),
)


def readers_that_accept(variant: Variant) -> str:
    readers = {"model": model_accepts, "package": package_accepts, "emulator": emulator_accepts}
    accepting = [name for name, accepts in readers.items() if accepts(variant)]
    return " and ".join(accepting) if 0 < len(accepting) < len(readers) else ""


def test_readers_disagree_only_for_a_reason() -> None:
    unexplained: list[str] = []
    used: set[tuple[int, str]] = set()
    for variant in variants():
        accepted_by = readers_that_accept(variant)
        matching = {
            (index, pattern)
            for index, difference in enumerate(DIFFERENCES)
            for pattern in difference.requests
            if difference.accepted_by == accepted_by and fnmatchcase(str(variant), pattern)
        }
        used |= matching
        if accepted_by and not matching:
            unexplained.append(f"only {accepted_by}: {variant}")
    assert unexplained == []
    assert {
        (index, pattern) for index, difference in enumerate(DIFFERENCES) for pattern in difference.requests
    } - used == set()


def test_bases_are_accepted_by_all_readers() -> None:
    bases = [variant for variant in variants() if variant.change == "as it is"]
    assert len(bases) == len(BASES)
    for variant in bases:
        assert (model_accepts(variant), package_accepts(variant), emulator_accepts(variant)) == (True,) * 3, variant


def test_most_variants_are_refused_by_all_or_accepted_by_all() -> None:
    accepted = [(model_accepts(variant), emulator_accepts(variant)) for variant in variants()]
    assert len(accepted) > 400
    assert accepted.count((True, True)) > 100
    assert accepted.count((False, False)) > 150


def _paths(shape: Any, path: str) -> Iterator[str]:  # noqa: ANN401
    if path:
        yield path
    if shape.type_name == "structure":
        for name, inner in shape.members.items():
            yield from _paths(inner, f"{path}.{name}".removeprefix("."))
    elif shape.type_name == "list":
        yield from _paths(shape.member, f"{path}[]")


def test_variants_change_every_member_of_every_operation() -> None:
    wanted = {
        f"{operation}: {path}"
        for operation, _ in BASES.values()
        for path in _paths(MODEL.operation_model(operation).input_shape, "")
    }
    changed = {f"{variant.operation}: {variant.path}" for variant in variants()}
    assert wanted <= {re.sub(r"\[\d\]", "[]", path) for path in changed}
