"""Ask three independent readers about a request: botocore's model of the service, the package and the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from aiorekostream.codec import parse_processor, parse_start
from aiorekostream.domain.geometry import BoundingBox, Point, Polygon
from aiorekostream.domain.requests import (
    RESET,
    DeleteRequest,
    DescribeRequest,
    LabelDetectionUpdate,
    ListRequest,
    ListTagsRequest,
    StopRequest,
    TagRequest,
    UntagRequest,
)
from aiorekostream.emulator.http.operations import Dispatcher, ParsedRequest
from aiorekostream.emulator.model import load_model
from aiorekostream.emulator.world import OPERATIONS, World
from aiorekostream.emulator.world.answers import Refusal
from aiorekostream.emulator.world.model_validator import ModelValidator
from aiorekostream.emulator.world.quotas import Quotas
from aiorekostream.errors import InvalidRequestError
from aiorekostream.limits import DEFAULT_LIMITS
from tests.codec.service_model import MODEL, violations
from tests.emulator.samples import HERE, faces, labels

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.emulator.variants import Variant

Json: TypeAlias = Any


def model_accepts(variant: Variant) -> bool:
    """Whether botocore's model has no rule against a request."""
    return not [*violations(MODEL.operation_model(variant.operation).input_shape, variant.request)]


def package_accepts(variant: Variant) -> bool:
    """Whether the package has a value for a request."""
    try:
        _READERS[variant.operation](variant.request)
    except (InvalidRequestError, AttributeError, KeyError, TypeError, ValueError):  # not the arguments that there are
        return False
    return True


def emulator_accepts(variant: Variant) -> bool:
    """Whether the emulator finds nothing wrong with a request itself."""
    world = World(new_id=lambda: "session")
    for request in (labels("door"), faces("lobby")):
        world.serve(HERE, "CreateStreamProcessor", request, 0)
    dispatcher = Dispatcher(
        world=world, validator=_VALIDATOR, quotas=Quotas({}), accounts={}, secrets=None, checks_answers=True
    )
    parsed = ParsedRequest(operation=variant.operation, name="", caller=HERE, members=variant.request)
    result = dispatcher.execute(parsed, 0)
    return not isinstance(result, Refusal) or result.code not in _INVALID


_VALIDATOR = ModelValidator(load_model(), OPERATIONS, DEFAULT_LIMITS)
_INVALID = {"InvalidParameterException", "InvalidPaginationTokenException", "SerializationException"}


def _reader(cls: Callable[..., object], **names: str) -> Callable[[Json], object]:
    """Return a function that passes the members of a request to a constructor, by the names of its arguments."""
    return lambda request: cls(**{names[member]: value for member, value in request.items()})


def _only(value: Json, member: str) -> Json:
    """Return the value of the only member that an object has.

    Raises:
        KeyError: it has others, or not this one.
    """
    if len(value) > 1:
        raise KeyError(member)
    return value[member]


def _point(value: Json) -> Point:
    return Point(**{member.lower(): ratio for member, ratio in value.items()})


def _regions(value: Json) -> Json:
    return value if value == {} else [_region(region) for region in value]


def _region(value: Json) -> object:
    if "Polygon" in value:
        return Polygon([_point(point) for point in _only(value, "Polygon")])
    box = _reader(BoundingBox, Left="left", Top="top", Width="width", Height="height")
    return box(_only(value, "BoundingBox"))


def _update(request: Json) -> object:
    arguments: dict[str, Json] = {}
    for member, value in request.items():
        match member:
            case "Name":
                arguments["name"] = value
            case "SettingsForUpdate":
                names = {"Labels": "labels", "MinConfidence": "min_confidence"}
                arguments |= {names[key]: change for key, change in _only(value, "ConnectedHomeForUpdate").items()}
            case "RegionsOfInterestForUpdate":
                arguments["regions_of_interest"] = _regions(value)
            case "DataSharingPreferenceForUpdate":
                arguments["data_sharing_opt_in"] = _only(value, "OptIn")
            case "ParametersToDelete":
                names = {"ConnectedHomeMinConfidence": "min_confidence", "RegionsOfInterest": "regions_of_interest"}
                arguments |= {names[name]: RESET for name in value}
            case _:
                raise KeyError(member)
    return LabelDetectionUpdate(**arguments)


_READERS: Mapping[str, Callable[[Json], object]] = {
    "CreateStreamProcessor": parse_processor,
    "StartStreamProcessor": parse_start,
    "StopStreamProcessor": _reader(StopRequest, Name="name"),
    "DescribeStreamProcessor": _reader(DescribeRequest, Name="name"),
    "DeleteStreamProcessor": _reader(DeleteRequest, Name="name"),
    "ListStreamProcessors": _reader(ListRequest, MaxResults="max_results", NextToken="next_token"),
    "UpdateStreamProcessor": _update,
    "TagResource": _reader(TagRequest, ResourceArn="resource_arn", Tags="tags"),
    "UntagResource": _reader(UntagRequest, ResourceArn="resource_arn", TagKeys="tag_keys"),
    "ListTagsForResource": _reader(ListTagsRequest, ResourceArn="resource_arn"),
}
