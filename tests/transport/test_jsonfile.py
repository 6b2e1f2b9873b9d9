"""The data of botocore, read lazily, equals the data read at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

import botocore
import pytest
from botocore.loaders import JSONFileLoader
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.transport._jsonfile import LaterObject, LazyJSONFileLoader, walked

if TYPE_CHECKING:
    from pathlib import Path

_Endpoints = dict[str, list[dict[str, object]]]

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def _plain(value: object) -> object:
    """The same with every ``LaterObject`` read."""
    return json.loads(json.dumps(value, default=dict))


@given(value=_VALUES, depth=st.integers(0, 5), indent=st.none() | st.integers(0, 3))
def test_partial_decoding_equals_full_decoding(value: object, depth: int, indent: int | None) -> None:
    assert _plain(walked(f"  {json.dumps(value, indent=indent)}\n", depth)) == value


@pytest.mark.parametrize("text", ["", "{", "[1", '{"a"', '{"a": ', "nonsense", "{a: 1}", "{1: 2"])
def test_invalid_json_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        walked(text)


def test_botocores_endpoints_are_the_same_and_its_services_are_read_later() -> None:
    path = f"{botocore.__path__[0]}/data/endpoints"
    ours = LazyJSONFileLoader().load_file(path)
    assert _plain(ours) == _plain(JSONFileLoader().load_file(path))
    services = cast("_Endpoints", ours)["partitions"][0]["services"]
    assert isinstance(services, LaterObject)
    assert len(services) > 100
    assert "rekognition" in services
    assert services.get("nothing of the kind") is None


def test_other_files_are_read_by_botocore(tmp_path: Path) -> None:
    (tmp_path / "partitions.json").write_text('{"a": {"b": 1}}')
    assert LazyJSONFileLoader().load_file(str(tmp_path / "partitions")) == {"a": {"b": 1}}
    assert LazyJSONFileLoader().load_file(str(tmp_path / "endpoints")) is None
