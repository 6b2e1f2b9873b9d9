"""Encode and decode pagination tokens. A token is valid only for its account and Region, and only unmodified."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from aiorekostream.emulator.answers import BAD_TOKEN, refuse

if TYPE_CHECKING:
    from aiorekostream.emulator.accounts import Account

__all__ = ["name_in_token", "token_after"]

# Bytes of the digest that detects modified tokens; a multiple of 3 needs no padding in Base64.
_DIGEST_BYTES = 9


def token_after(account: Account, name: str) -> str:
    """Encode the token of the page that begins after a processor's name."""
    return base64.b64encode(_digest(account, name.encode()) + name.encode()).decode()


def name_in_token(account: Account, token: str) -> str:
    """Decode the name after which the page of a token begins.

    Raises:
        RefusedError: the token is malformed, modified, or of another account or Region.
    """
    try:
        decoded = base64.b64decode(token, validate=True)
        name = decoded[_DIGEST_BYTES:].decode()
    except (binascii.Error, ValueError):
        raise refuse(BAD_TOKEN) from None
    if decoded[:_DIGEST_BYTES] != _digest(account, name.encode()) or not name:
        raise refuse(BAD_TOKEN)
    return name


def _digest(account: Account, name: bytes) -> bytes:
    return hashlib.sha256(f"{account.account_id} {account.region} ".encode() + name).digest()[:_DIGEST_BYTES]
