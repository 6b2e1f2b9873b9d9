"""The data of botocore, read lazily, equals the data read at once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import botocore
import pytest
from botocore.exceptions import UnknownServiceError
from botocore.loaders import JSONFileLoader, create_loader
from hypothesis import given
from hypothesis import strategies as st

from aiorekostream.transport._data_files import LaterServices, LazyJSONFileLoader, narrow

if TYPE_CHECKING:
    from pathlib import Path

    from botocore.loaders import Loader

_Endpoints = dict[str, list[dict[str, Mapping[str, object]]]]

_NAMES = st.sampled_from(["services", "partitions", "a", "{", "}", 'a" : {', "\n", "é"]) | st.text(max_size=3)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | _NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=10,
)


def _plain(value: object) -> object:
    """The same with every ``LaterServices`` read, member by member."""
    return json.loads(json.dumps(value, default=lambda later: {name: later[name] for name in later}))


def _written(tmp_path: Path, text: str) -> str:
    (tmp_path / "endpoints.json").write_text(text, "utf-8")
    return os.fspath(tmp_path / "endpoints")


@pytest.mark.parametrize("separators", [(",", " : "), (", ", ": "), (",", ":")])
@given(
    partitions=st.lists(st.fixed_dictionaries({"services": _VALUES}, optional={"x": _VALUES}), max_size=3),
    rest=st.dictionaries(_NAMES, _VALUES, max_size=2),
    indent=st.none() | st.integers(0, 3),
)
def test_lazy_decoding_equals_full_decoding(
    tmp_path_factory: pytest.TempPathFactory,
    separators: tuple[str, str],
    partitions: list[dict[str, object]],
    rest: dict[str, object],
    indent: int | None,
) -> None:
    """However the file is written, and whatever it contains."""
    value = {**rest, "partitions": partitions}
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
    assert _plain(LazyJSONFileLoader().load_file(_written(tmp_path_factory.getbasetemp(), text))) == value


@pytest.mark.parametrize("text", ["", "{", "[1", '{"services" : {', '{"partitions": ', "nonsense", "{a: 1}"])
def test_invalid_json_is_rejected(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        LazyJSONFileLoader().load_file(_written(tmp_path, text))


def test_botocores_endpoints_are_the_same_and_its_services_are_read_later() -> None:
    path = f"{botocore.__path__[0]}/data/endpoints"
    ours = LazyJSONFileLoader().load_file(path)
    services = cast("_Endpoints", ours)["partitions"][0]["services"]
    if botocore.__version__ != "1.42.5":  # the oldest supported one, whose file is decoded as a whole
        assert type(services) is LaterServices
    assert cast("dict[str, object]", services["rekognition"])["endpoints"]
    assert services.get("nothing of the kind") is None
    assert len(services) > 100
    assert _plain(ours) == _plain(JSONFileLoader().load_file(path))


def test_service_is_read_without_the_others() -> None:
    services = LaterServices('{\n  "a" : {\n    "b" : 1\n  },\n  "b" : nonsense\n}')
    assert services["a"] == {"b": 1}


def test_other_files_are_read_by_botocore(tmp_path: Path) -> None:
    (tmp_path / "partitions.json").write_text('{"a": {"b": 1}}')
    assert LazyJSONFileLoader().load_file(os.fspath(tmp_path / "partitions")) == {"a": {"b": 1}}
    assert LazyJSONFileLoader().load_file(os.fspath(tmp_path / "endpoints")) is None


# ------------------------------------------------------------------------------------------------------------- services


@pytest.fixture
def loaders(tmp_path: Path) -> tuple[Loader, Loader]:
    """Botocore's loader and ours, with a service of the user's in a folder of AWS_DATA_PATH."""
    model = tmp_path / "own" / "2026-01-01"
    model.mkdir(parents=True)
    (model / "service-2.json").write_text('{"version": "2.0"}')
    theirs, ours = create_loader(os.fspath(tmp_path)), create_loader(os.fspath(tmp_path))
    narrow(ours)
    return theirs, ours


@pytest.mark.parametrize("name", ["rekognition", "sts", "own"])
def test_model_of_a_service_is_the_same(loaders: tuple[Loader, Loader], name: str) -> None:
    theirs, ours = loaders
    assert ours.load_service_model(name, "service-2") == theirs.load_service_model(name, "service-2")


def test_model_is_found_without_a_list_of_all_services(
    loaders: tuple[Loader, Loader], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, ours = loaders
    listed: list[str] = []
    list_folder = os.listdir

    def noted(path: str) -> list[str]:
        listed.append(path)
        return list_folder(path)

    monkeypatch.setattr(os, "listdir", noted)
    ours.load_service_model("rekognition", "service-2")
    assert 1 <= len(listed) < 10


def test_unknown_service_is_refused_with_the_names_of_all(loaders: tuple[Loader, Loader]) -> None:
    theirs, ours = loaders
    refusals: list[str] = []
    for loader in loaders:
        with pytest.raises(UnknownServiceError) as caught:
            loader.load_service_model("recognition", "service-2")
        refusals.append(str(caught.value))
    assert refusals[0] == refusals[1]
    assert list(ours.list_available_services("service-2")) == theirs.list_available_services("service-2")
    assert "own" not in ours.list_available_services("paginators-1")
