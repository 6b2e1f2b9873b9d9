"""What all values have in common: they never change, they are equal by content, and they travel."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor
from aiorekostream.domain.requests import KEEP, RESET, LabelDetectionStart, LabelDetectionUpdate, ListRequest
from aiorekostream.domain.rules import ABSENT, Validated
from aiorekostream.domain.tags import Tags
from aiorekostream.errors import InvalidRequestError
from tests.strategies import REQUESTS, VALUES

if TYPE_CHECKING:
    from collections.abc import Callable

Data: TypeAlias = st.DataObject

every_value = pytest.mark.parametrize("cls", VALUES, ids=lambda cls: cls.__name__)
few = settings(max_examples=10)


def _drawn(data: Data, cls: type) -> Any:  # noqa: ANN401 - any value
    return data.draw(VALUES[cls])


def _fields(cls: type) -> list[str]:
    return [field.name for field in attrs.fields(cast("type[attrs.AttrsInstance]", cls))]


@every_value
@few
@given(data=st.data())
def test_a_copy_is_equal_however_it_is_made(cls: type, data: Data) -> None:
    value = _drawn(data, cls)
    copies = [copy.copy(value), copy.deepcopy(value)]
    copies += [pickle.loads(pickle.dumps(value, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]  # noqa: S301 - our own
    for other in copies:
        assert other == value
        assert type(other) is cls
        assert hash(other) == hash(value)
        assert repr(other) == repr(value)


@every_value
@few
@given(data=st.data())
def test_equal_values_are_one_in_a_set_and_others_are_two(cls: type, data: Data) -> None:
    one, other = _drawn(data, cls), _drawn(data, cls)
    assert len({one, other}) == (1 if one == other else 2)
    assert one != object()


@every_value
@few
@given(data=st.data())
def test_a_value_cannot_be_changed(cls: type, data: Data) -> None:
    value = _drawn(data, cls)
    if cls is Tags:
        with pytest.raises(TypeError):
            value["site"] = "other"
        return
    for name in _fields(cls):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, name, None)
    with pytest.raises((attrs.exceptions.FrozenInstanceError, AttributeError)):
        value.surplus = None


@every_value
@few
@given(data=st.data())
def test_a_repr_begins_with_the_name_that_users_type(cls: type, data: Data) -> None:
    assert repr(_drawn(data, cls)).startswith(f"{cls.__name__}(")


@pytest.mark.parametrize("cls", [cls for cls in REQUESTS if issubclass(cls, Validated)], ids=lambda cls: cls.__name__)
@few
@given(data=st.data())
def test_a_value_evolves_into_its_equal(cls: type, data: Data) -> None:
    value = _drawn(data, cls)
    assert attrs.evolve(value) == value
    assert cls(**{name: getattr(value, name) for name in _fields(cls)}) == value


@pytest.mark.parametrize("cls", [cls for cls in VALUES if issubclass(cls, Validated)], ids=lambda cls: cls.__name__)
def test_all_wrong_fields_are_told_at_once(cls: Callable[..., object]) -> None:
    names = _fields(cast("type", cls))
    with pytest.raises(InvalidRequestError) as caught:
        cls(**dict.fromkeys(names, object()))
    assert [issue.path for issue in caught.value.issues] == names


@pytest.mark.parametrize(
    "cls", [FaceSearchProcessor, LabelDetectionProcessor, LabelDetectionStart, LabelDetectionUpdate, ListRequest]
)
def test_values_of_many_fields_are_made_by_name_alone(cls: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="positional argument"):
        cls("front-door")


@pytest.mark.parametrize("only", [KEEP, RESET, ABSENT])
def test_what_there_is_one_of_stays_one_when_it_travels(only: object) -> None:
    assert pickle.loads(pickle.dumps(only)) is only  # noqa: S301 - our own
    assert copy.deepcopy(only) is only
