"""Page tokens: opaque to callers, good for one account and Region only, and plainly bad when they are changed."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING

from aiorekostream.emulator.answers import BAD_TOKEN, refuse

if TYPE_CHECKING:
    from aiorekostream.emulator.accounts import Account

__all__ = ["name_in_token", "token_after"]

_SEAL = 9


def token_after(account: Account, name: str) -> str:
    """The token of the page that begins after the processor of this name."""
    return base64.b64encode(_seal(account, name.encode()) + name.encode()).decode()


def name_in_token(account: Account, token: str) -> str:
    """The name after which the page of this token begins."""
    try:
        opened = base64.b64decode(token, validate=True)
        name = opened[_SEAL:].decode()
    except (binascii.Error, ValueError):
        raise refuse(BAD_TOKEN) from None
    if opened[:_SEAL] != _seal(account, name.encode()) or not name:
        raise refuse(BAD_TOKEN)
    return name


def _seal(account: Account, name: bytes) -> bytes:
    return hashlib.sha256(f"{account.account_id} {account.region} ".encode() + name).digest()[:_SEAL]
