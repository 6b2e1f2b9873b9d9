"""Enumerations that keep values which this version does not know."""

from __future__ import annotations

import copy
import enum
import pickle
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.domain.enums import Label, OpenEnum
from aiorekostream.domain.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable

each_enum = pytest.mark.parametrize("enum_class", [Label, Status])


@each_enum
def test_open_enum_returns_the_member_of_a_known_value(enum_class: type[OpenEnum]) -> None:
    for member in enum_class:
        assert enum_class(str(member)) is member
        assert member.is_known
        assert member == member.name == str(member)


@each_enum
@given(text=st.text())
def test_open_enum_keeps_an_unknown_value(enum_class: type[OpenEnum], text: str) -> None:
    value = enum_class(f"{text}?")
    assert not value.is_known
    assert type(value) is enum_class
    assert value == f"{text}?" == str(value) == value.value == value.name == f"{value}"
    assert hash(value) == hash(enum_class(f"{text}?"))
    assert value == enum_class(f"{text}?")
    assert value not in set(enum_class)


@each_enum
def test_unknown_enum_value_survives_pickle_and_copy(enum_class: type[OpenEnum]) -> None:
    value = enum_class("NEW_VALUE")
    for other in (pickle.loads(pickle.dumps(value)), copy.copy(value), copy.deepcopy(value)):  # noqa: S301 - a pickle of this test
        assert other == value
        assert type(other) is enum_class
        assert hash(other) == hash(value)
    assert repr(value) == f"<{enum_class.__name__}.NEW_VALUE: 'NEW_VALUE'>"


@each_enum
def test_unknown_enum_value_stays_unknown_when_used_again(enum_class: type[OpenEnum]) -> None:
    enum_class("NEW_VALUE")
    assert not enum_class("NEW_VALUE").is_known
    assert "NEW_VALUE" not in enum_class.__members__


@each_enum
@pytest.mark.parametrize("value", [None, 5, b"PERSON", ("PERSON",)])
def test_open_enum_rejects_values_that_are_not_text(enum_class: Callable[[object], object], value: object) -> None:
    with pytest.raises(ValueError, match="is not a valid"):
        enum_class(value)


def test_open_enum_uses_the_value_of_a_foreign_enum_member() -> None:
    class ForeignEnum(str, enum.Enum):  # noqa: UP042 - existing programs define enums like this
        WALKER = "JOGGER"

    value = Label(ForeignEnum.WALKER)
    assert (str(value), value.value, value.name) == ("JOGGER", "JOGGER", "JOGGER")
    assert hash(value) == hash(Label("JOGGER"))
