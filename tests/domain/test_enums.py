"""Words that may grow: what is known, and what was not when this was written."""

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

each_kind = pytest.mark.parametrize("kind", [Label, Status])


@each_kind
def test_a_known_word_is_its_member(kind: type[OpenEnum]) -> None:
    for member in kind:
        assert kind(str(member)) is member
        assert member.is_known
        assert member == member.name == str(member)


@each_kind
@given(text=st.text())
def test_an_unknown_word_is_kept_as_it_came(kind: type[OpenEnum], text: str) -> None:
    word = kind(f"{text}?")
    assert not word.is_known
    assert type(word) is kind
    assert word == f"{text}?" == str(word) == word.value == word.name == f"{word}"
    assert hash(word) == hash(kind(f"{text}?"))
    assert word == kind(f"{text}?")
    assert word not in set(kind)


@each_kind
def test_an_unknown_word_travels(kind: type[OpenEnum]) -> None:
    word = kind("TOMORROW")
    for other in (pickle.loads(pickle.dumps(word)), copy.copy(word), copy.deepcopy(word)):  # noqa: S301 - our own
        assert other == word
        assert type(other) is kind
        assert hash(other) == hash(word)
    assert repr(word) == f"<{kind.__name__}.TOMORROW: 'TOMORROW'>"


@each_kind
def test_an_unknown_word_does_not_become_known_by_being_met(kind: type[OpenEnum]) -> None:
    kind("TOMORROW")
    assert not kind("TOMORROW").is_known
    assert "TOMORROW" not in kind.__members__


@each_kind
@pytest.mark.parametrize("value", [None, 5, b"PERSON", ("PERSON",)])
def test_what_is_no_text_is_no_word(kind: Callable[[object], object], value: object) -> None:
    with pytest.raises(ValueError, match="is not a valid"):
        kind(value)


def test_a_word_of_somebody_elses_enumeration_is_its_text() -> None:
    class Theirs(str, enum.Enum):  # noqa: UP042 - as people have them
        WALKER = "JOGGER"

    word = Label(Theirs.WALKER)
    assert (str(word), word.value, word.name) == ("JOGGER", "JOGGER", "JOGGER")
    assert hash(word) == hash(Label("JOGGER"))
