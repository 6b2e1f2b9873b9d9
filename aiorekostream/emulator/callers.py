"""Identify callers: an account in a Region. By default each access key belongs to an account of its own."""

from __future__ import annotations

import hashlib

import attrs

__all__ = ["Caller", "account_for_key"]


@attrs.frozen
class Caller:
    """The identity of a caller.

    Attributes:
        account: the account id, twelve digits.
        region: the Region that the request is signed for.
    """

    account: str
    region: str


def account_for_key(access_key: str) -> str:
    """Derive a stable account id of twelve digits from an access key."""
    number = int.from_bytes(hashlib.sha256(access_key.encode()).digest()[:8], "big")
    return f"{10**11 + number % (9 * 10**11)}"
