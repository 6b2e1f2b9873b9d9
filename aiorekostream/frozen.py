"""Provide an immutable mapping; independent of AWS."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

__all__ = ["FrozenMapping"]

_ValueT_co = TypeVar("_ValueT_co", covariant=True)


class FrozenMapping(Mapping[str, _ValueT_co], Generic[_ValueT_co]):
    """An immutable, hashable and picklable mapping with text keys; its values must be hashable to hash it."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, _ValueT_co]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: str) -> _ValueT_co:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)
