"""Who calls: an account in a Region. Every access key has an account of its own."""

from __future__ import annotations

import hashlib

import attrs

__all__ = ["Caller", "account_of"]


@attrs.frozen
class Caller:
    """Who asks, and where.

    Attributes:
        account: twelve digits.
        region: the Region whose endpoint is asked.
    """

    account: str
    region: str


def account_of(access_key: str) -> str:
    """The account of an access key: twelve digits, always the same for the same key."""
    number = int.from_bytes(hashlib.sha256(access_key.encode()).digest()[:8], "big")
    return f"{10**11 + number % (9 * 10**11)}"
