"""Read of botocore's data files what the client of one service needs.

``endpoints.json`` has 1.25 MB for about three hundred services. Decoding it takes about 30 ms, in which no other thread
runs, so the entry of a service is decoded on first access. To find the model of a service, botocore lists the folders
of all services, twice, which takes about 15 ms; here the service's own folder is read.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from botocore.exceptions import DataNotFoundError
from botocore.loaders import JSONFileLoader

if TYPE_CHECKING:
    from botocore.loaders import Loader

__all__ = ["LaterServices", "LazyJSONFileLoader", "ServiceNames", "narrow"]

# The beginning of the entries of a partition, as the file is written.
_SERVICES = '"services" : {\n'
_decode: Callable[[str, int], tuple[object, int]] = json.JSONDecoder().raw_decode


def narrow(loader: Loader) -> None:
    """Let a loader read as little as its callers use. What it returns is the same."""
    loader.file_loader = LazyJSONFileLoader()
    vars(loader)["list_available_services"] = functools.partial(ServiceNames, loader, loader.list_available_services)


class ServiceNames(Sequence[str]):
    """The names of the services that have a data file of a type; they are listed if more than one is asked for.

    Args:
        loader: finds the files of one service.
        listed: lists the services that have a file of a type.
        type_name: the type, such as ``service-2``.
    """

    def __init__(self, loader: Loader, listed: Callable[[str], Sequence[str]], type_name: str) -> None:
        self._loader = loader
        self._listed = listed
        self._type_name = type_name

    def __contains__(self, name: object) -> bool:
        try:
            return isinstance(name, str) and bool(self._loader.list_api_versions(name, self._type_name))
        except DataNotFoundError:
            return False

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return self._listed(self._type_name)[index]

    def __len__(self) -> int:
        return len(self._listed(self._type_name))


class LazyJSONFileLoader(JSONFileLoader):
    """Read data files as botocore does, except for the largest one."""

    def load_file(self, file_path: str) -> object:
        """Return the content of a data file, named without its suffix; ``None`` if it does not exist."""
        path = Path(f"{file_path}.json")
        if path.stem == "endpoints" and path.is_file():
            return _endpoints(path.read_text("utf-8"))
        return super().load_file(file_path)


class LaterServices(Mapping[str, object]):
    """A JSON object whose members are decoded on access.

    Args:
        text: the object. If each member begins a line, no line within a member may be indented as little as that.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        quote = text.find('"')
        self._indentation = text[text.rfind("\n", 0, quote) : quote]

    def __getitem__(self, name: str) -> object:
        key = f"{self._indentation}{json.dumps(name)} : "
        at = self._text.find(key) if _shows_depth(self._indentation) else -1
        return self._all[name] if at < 0 else _decode(self._text, at + len(key))[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    @functools.cached_property
    def _all(self) -> Mapping[str, object]:
        found: Mapping[str, object] = json.loads(self._text)
        return found


def _shows_depth(indentation: str) -> bool:
    """Return whether an indentation, with the line break before it, shows how deep a line is."""
    return indentation.startswith("\n ")


def _endpoints(text: str) -> object:
    """Decode ``endpoints.json``, with ``LaterServices`` for the services of each partition.

    They are cut out by the indentation of the text; where that fails, all is decoded.

    Raises:
        ValueError: the text is not JSON.
    """
    rest: list[str] = []
    services: dict[str, LaterServices] = {}
    done = 0
    while (key := text.find(_SERVICES, done)) >= 0:
        begin = key + len(_SERVICES) - len("{\n")
        indentation = text[text.rfind("\n", 0, key) : key]
        closing = text.find(f"{indentation}}}", begin)
        if closing < 0 or not _shows_depth(indentation):
            return json.loads(text)
        place = f"services {len(services)}"
        rest += (text[done:begin], json.dumps(place))
        done = closing + len(indentation) + 1
        services[place] = LaterServices(text[begin:done])
    rest.append(text[done:])
    try:
        found: Any = json.loads("".join(rest))
        for partition in found["partitions"]:
            partition["services"] = services.pop(partition["services"])
    except (LookupError, TypeError, ValueError):
        return json.loads(text)
    return json.loads(text) if services else found
