"""A public constructor or function takes each argument, or raises ``InvalidRequestError`` and nothing else."""

from __future__ import annotations

import enum
import functools
import importlib
import inspect
import pickle
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aiorekostream as rks
from aiorekostream import distributed, limits, operations, results
from aiorekostream.domain.names import KinesisVideoStreamArn
from aiorekostream.emulator import Emulator
from aiorekostream.errors import ConfigurationError, InvalidRequestError
from aiorekostream.limits import using_limits
from aiorekostream.testing import MemoryTransport
from tests.annotations import PUBLIC_MODULES
from tests.domain.test_unusual_inputs import VALID_ARGUMENTS
from tests.domain.unusual_inputs import UNUSUAL_INPUTS
from tests.effort import examples

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

pytestmark = pytest.mark.filterwarnings("ignore::aiorekostream.errors.AwsGuidanceWarning")


def _public_classes() -> list[type]:
    modules = [importlib.import_module(name) for name in PUBLIC_MODULES]
    names = {value: None for module in modules for name in module.__all__ if _is_value(value := getattr(module, name))}
    return list(names)


def _is_value(value: object) -> bool:
    """Whether it is a class that programs construct: no exception, enumeration, protocol or abstract class."""
    if not inspect.isclass(value) or inspect.isabstract(value) or issubclass(value, BaseException | enum.Enum):
        return False
    return not getattr(value, "_is_protocol", False)


def _using_limits(limits: Any) -> None:  # noqa: ANN401 - deliberately invalid
    with using_limits(limits):
        pass


FUNCTIONS: Mapping[Callable[..., object], Mapping[str, object]] = {
    rks.parse_start: {"arguments": {"Name": "lobby"}},
    rks.parse_processor: {"arguments": {}},
    rks.to_boto3: {"value": rks.FaceSearchStart("lobby")},
    rks.ProducerTimestamp.from_datetime: {"moment": None},
    KinesisVideoStreamArn.parse: {"value": ""},
    operations.START.validate_request: {"request": rks.FaceSearchStart("lobby")},
    rks.Client(transport=MemoryTransport(len)).with_options: {},  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    _using_limits: {"limits": limits.DEFAULT_LIMITS},
}
QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/doors"
CONSUMER = results.SqsConsumer(QUEUE_URL)
START = rks.LabelDetectionStart(
    name="lobby", start_selector=rks.ProducerTimestamp(1_700_000_000_000), stop_selector=rks.StopSelector(10)
)
CLIENT = rks.Client(transport=MemoryTransport(len))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
# Arguments with which a constructor works, where it checks them; the others take anything.
VALID: Mapping[Callable[..., object], Mapping[str, object]] = {
    **{cls: arguments for cls, arguments in VALID_ARGUMENTS.items()},  # noqa: C416 - the types of the keys differ
    **FUNCTIONS,
    rks.Fleet: {"client": CLIENT},
    rks.FleetRequest: {"request": rks.FaceSearchStart("lobby")},
    rks.Quota: {"rate": 1, "burst": 1},
    distributed.RedisRateLimiter: {"redis": "redis://localhost"},
    distributed.RedisSessionSlots: {"redis": "redis://localhost"},
    results.KinesisConsumer: {"stream": "faces"},
    results.NotifiedSessions: {"client": CLIENT, "router": results.SessionRouter(CONSUMER)},
    results.Session: {"client": CLIENT, "start": START, "events": CONSUMER},
    results.SessionRouter: {"consumer": CONSUMER},
    results.SqsConsumer: {"queue_url": QUEUE_URL},
}
SERVICES = [
    Emulator,
    distributed.RedisRateLimiter,
    distributed.RedisSessionSlots,
    results.KinesisConsumer,
    results.NotifiedSessions,
    results.S3Images,
    results.Session,
    results.SessionRouter,
    results.SqsConsumer,
    rks.Client,
    rks.Fleet,
]
CALLABLES: list[Callable[..., object]] = [*_public_classes(), Emulator, *FUNCTIONS]


@functools.cache  # inspecting takes longer than most constructors
def _signature(make: Callable[..., object]) -> inspect.Signature:
    return inspect.signature(make)


def _parameters(make: Callable[..., object]) -> list[str]:
    found = _signature(make).parameters.values()
    return [parameter.name for parameter in found if parameter.kind is not parameter.VAR_POSITIONAL]


def _assert_accepts_or_rejects(make: Callable[..., object], arguments: Mapping[str, object]) -> None:
    parameters = _signature(make).parameters.values()
    required = {it.name: None for it in parameters if it.default is it.empty and it.kind is not it.VAR_POSITIONAL}
    try:
        make(**{**required, **VALID.get(make, {}), **arguments})
    except InvalidRequestError as error:
        _assert_can_be_read(error)
    except ConfigurationError:  # for a text that is no URL
        assert make is Emulator
        assert "deliver_to" in arguments


def _assert_can_be_read(error: InvalidRequestError) -> None:
    assert error.issues
    for text in (str(error), repr(error), str(pickle.loads(pickle.dumps(error)))):  # noqa: S301 - a pickle of this test
        text.encode()


@pytest.mark.parametrize("make", CALLABLES, ids=lambda make: make.__qualname__)
def test_constructor_accepts_or_rejects_each_unusual_argument(make: Callable[..., object]) -> None:
    for parameter in _parameters(make):
        for unusual in UNUSUAL_INPUTS.values():
            _assert_accepts_or_rejects(make, {parameter: unusual()})


@pytest.mark.parametrize(
    "make", [make for make in CALLABLES if len(_parameters(make)) > 1], ids=lambda make: make.__qualname__
)
@examples(20)
@given(data=st.data())
def test_constructor_accepts_or_rejects_several_unusual_arguments(
    make: Callable[..., object], data: st.DataObject
) -> None:
    parameters = st.sampled_from(_parameters(make))
    drawn = data.draw(st.dictionaries(parameters, st.sampled_from(list(UNUSUAL_INPUTS)), min_size=1))
    _assert_accepts_or_rejects(make, {name: UNUSUAL_INPUTS[unusual]() for name, unusual in drawn.items()})


class _Anything:
    """No value of any kind, and no text that names a Region, a profile or a host."""


@pytest.mark.parametrize("make", SERVICES, ids=lambda make: make.__qualname__)
def test_service_rejects_every_argument_of_a_wrong_kind(make: Callable[..., object]) -> None:
    """A wrong value is refused by the constructor and not by its first use, much later."""
    make(**VALID.get(make, {}))
    parameters = [name for name in _parameters(make) if name != "positional"]
    for parameter in parameters:
        with pytest.raises(InvalidRequestError) as caught:
            make(**{**VALID.get(make, {}), parameter: _Anything()})
        assert {issue.path.partition(".")[0] for issue in caught.value.issues} >= {parameter}


@pytest.mark.parametrize(
    ("make", "left_out"),
    [*((make, "positional") for make in SERVICES), (rks.Client, "transport")],
    ids=lambda value: getattr(value, "__qualname__", value),
)
def test_service_reports_all_wrong_arguments_at_once(make: Callable[..., object], left_out: str) -> None:
    parameters = {*_parameters(make)} - {"positional", left_out}
    with pytest.raises(InvalidRequestError) as caught:
        make(**{name: _Anything() for name in parameters})
    assert {issue.path.partition(".")[0] for issue in caught.value.issues} >= parameters


def test_client_reports_a_positional_argument_beside_the_others() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        cast("Callable[..., object]", rks.Client)("us-east-1", max_connections=0, timeout=-1)
    assert {issue.path for issue in caught.value.issues} == {"", "max_connections", "timeout"}
