"""Store the objects that label detections write to S3: pictures as descriptions, from which they are drawn when read.

Bounded: the oldest objects are removed beyond the maximum count and size, and each after the retention time.
"""

from __future__ import annotations

import bisect
from collections import deque
from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator.world.footage import Detection

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Bucket", "Buckets", "Picture", "StoredObject"]

# Objects and buckets of all accounts; the emulator's own choice. A picture is a description until it is read, so an
# object takes less than 2 KB.
_MAX_OBJECTS = 100_000
_MAX_BUCKETS = 10_000
# Seconds; the emulator's own choice: a day.
_RETENTION = 86_400.0


@attrs.frozen(kw_only=True)
class Picture:
    """The description of a picture of a frame.

    Attributes:
        title: the text at the bottom of the frame.
        detections: what is visible.
        crop: the detection to whose box the picture is cut; None for the whole frame.
    """

    title: str
    detections: tuple[Detection, ...]
    crop: Detection | None = None


@attrs.frozen(kw_only=True)
class StoredObject:
    """An object in a bucket.

    Attributes:
        account: the account of the processor that wrote it, twelve digits.
        bucket: the name of the bucket.
        key: the key.
        at: when it was written, in epoch seconds.
        content: the description of a picture, or the bytes of a JSON document.
        kms_key: the KMS key of the processor; None if it has none.
    """

    account: str
    bucket: str
    key: str
    at: float
    content: Picture | bytes
    kms_key: str | None = None


@attrs.define
class Bucket:
    """The objects of one bucket, by key.

    Attributes:
        created: when the first processor used it, in epoch seconds.
    """

    created: float
    _objects: dict[str, StoredObject] = attrs.field(factory=dict, init=False)
    _keys: list[str] = attrs.field(factory=list, init=False)

    def get(self, key: str) -> StoredObject | None:
        """Return an object, or None."""
        return self._objects.get(key)

    def put(self, stored: StoredObject) -> None:
        """Add an object, or replace the one with its key."""
        if stored.key not in self._objects:
            bisect.insort(self._keys, stored.key)
        self._objects[stored.key] = stored

    def remove(self, stored: StoredObject) -> None:
        """Remove an object, if it is still the one with its key."""
        if self._objects.get(stored.key) is stored:
            del self._objects[stored.key]
            del self._keys[bisect.bisect_left(self._keys, stored.key)]

    def after(self, prefix: str, start_after: str) -> Iterator[StoredObject]:
        """Yield the objects whose keys begin with a prefix and come after a key, in the order of their keys."""
        first = bisect.bisect_left(self._keys, prefix)
        if start_after:
            first = max(first, bisect.bisect_right(self._keys, start_after))
        for key in self._keys[first:]:
            if not key.startswith(prefix):
                return
            yield self._objects[key]


@attrs.define
class Buckets:
    """The buckets of all accounts.

    Attributes:
        max_objects: the maximum number of objects in all buckets.
        retention: the seconds after which an object is removed.
    """

    max_objects: int = _MAX_OBJECTS
    retention: float = _RETENTION
    _buckets: dict[tuple[str, str], Bucket] = attrs.field(factory=dict, init=False)
    _by_age: deque[StoredObject] = attrs.field(factory=deque, init=False)

    def open(self, account: str, name: str, now: float) -> Bucket | None:
        """Return a bucket, created if it does not exist; None if there are too many."""
        found = self._buckets.get((account, name))
        if found is None and len(self._buckets) < _MAX_BUCKETS:
            found = self._buckets[account, name] = Bucket(now)
        return found

    def get(self, account: str, name: str) -> Bucket | None:
        """Return a bucket, or None."""
        return self._buckets.get((account, name))

    def of_account(self, account: str) -> list[tuple[str, Bucket]]:
        """Return the buckets of an account with their names, in alphabetical order."""
        return sorted((name, bucket) for (owner, name), bucket in self._buckets.items() if owner == account)

    def put(self, stored: StoredObject) -> None:
        """Store an object, and remove the oldest ones beyond the maximum number."""
        bucket = self.open(stored.account, stored.bucket, stored.at)
        if bucket is not None:
            bucket.put(stored)
            self._by_age.append(stored)
        while len(self._by_age) > self.max_objects:
            self._remove_oldest()

    def expire(self, now: float) -> None:
        """Remove the objects that are older than the retention time."""
        while self._by_age and self._by_age[0].at + self.retention <= now:
            self._remove_oldest()

    def clear(self) -> None:
        """Remove all buckets."""
        self._buckets.clear()
        self._by_age.clear()

    def _remove_oldest(self) -> None:
        oldest = self._by_age.popleft()
        bucket = self._buckets.get((oldest.account, oldest.bucket))
        if bucket is not None:
            bucket.remove(oldest)
