"""Properties of every value: immutable, equal by content, picklable, and validated as a whole."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.domain.processors import FaceSearchProcessor, LabelDetectionProcessor
from aiorekostream.domain.requests import KEEP, RESET, LabelDetectionStart, LabelDetectionUpdate, ListRequest
from aiorekostream.domain.rules import ABSENT, Validated
from aiorekostream.domain.tags import Tags
from aiorekostream.errors import InvalidRequestError
from tests.effort import examples
from tests.strategies import REQUESTS, VALUES

if TYPE_CHECKING:
    from collections.abc import Callable

Data: TypeAlias = st.DataObject

pytestmark = pytest.mark.filterwarnings("ignore::aiorekostream.errors.AwsGuidanceWarning")
each_value_class = pytest.mark.parametrize("cls", VALUES, ids=lambda cls: cls.__name__)
few_examples = examples(10)


def _draw(data: Data, cls: type) -> Any:  # noqa: ANN401 - any value
    return data.draw(VALUES[cls])


def _fields(cls: type) -> list[str]:
    return [field.name for field in attrs.fields(cast("type[attrs.AttrsInstance]", cls))]


@each_value_class
@few_examples
@given(data=st.data())
def test_value_equals_its_copies_and_its_pickles(cls: type, data: Data) -> None:
    value = _draw(data, cls)
    copies = [copy.copy(value), copy.deepcopy(value)]
    copies += [pickle.loads(pickle.dumps(value, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]  # noqa: S301 - a pickle of this test
    for other in copies:
        assert other == value
        assert type(other) is cls
        assert hash(other) == hash(value)
        assert repr(other) == repr(value)


@each_value_class
@few_examples
@given(data=st.data())
def test_values_hash_consistently_with_equality(cls: type, data: Data) -> None:
    one, other = _draw(data, cls), _draw(data, cls)
    assert len({one, other}) == (1 if one == other else 2)
    assert one != object()


@each_value_class
@few_examples
@given(data=st.data())
def test_value_is_immutable(cls: type, data: Data) -> None:
    value = _draw(data, cls)
    if cls is Tags:
        with pytest.raises(TypeError):
            value["site"] = "other"
        return
    for name in _fields(cls):
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            setattr(value, name, None)
    with pytest.raises((attrs.exceptions.FrozenInstanceError, AttributeError)):
        value.unknown_attribute = None


@each_value_class
@few_examples
@given(data=st.data())
def test_repr_begins_with_the_class_name(cls: type, data: Data) -> None:
    assert repr(_draw(data, cls)).startswith(f"{cls.__name__}(")


@pytest.mark.parametrize("cls", [cls for cls in REQUESTS if issubclass(cls, Validated)], ids=lambda cls: cls.__name__)
@few_examples
@given(data=st.data())
def test_value_equals_its_evolved_copy_when_no_field_changes(cls: type, data: Data) -> None:
    value = _draw(data, cls)
    assert attrs.evolve(value) == value
    assert cls(**{name: getattr(value, name) for name in _fields(cls)}) == value


@pytest.mark.parametrize("cls", [cls for cls in VALUES if issubclass(cls, Validated)], ids=lambda cls: cls.__name__)
def test_value_reports_every_invalid_field_at_once(cls: Callable[..., object]) -> None:
    names = _fields(cast("type", cls))
    with pytest.raises(InvalidRequestError) as caught:
        cls(**dict.fromkeys(names, object()))
    assert [issue.path for issue in caught.value.issues] == names


@pytest.mark.parametrize(
    "cls", [FaceSearchProcessor, LabelDetectionProcessor, LabelDetectionStart, LabelDetectionUpdate, ListRequest]
)
def test_value_with_many_fields_takes_keyword_arguments_only(cls: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="positional argument"):
        cls("front-door")


@pytest.mark.parametrize("sentinel", [KEEP, RESET, ABSENT])
def test_sentinel_keeps_its_identity_when_pickled_or_copied(sentinel: object) -> None:
    assert pickle.loads(pickle.dumps(sentinel)) is sentinel  # noqa: S301 - a pickle of this test
    assert copy.deepcopy(sentinel) is sentinel
