"""Send requests to the emulator without an SDK, to set a case up and to play the other client of the account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Self, cast

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

__all__ = ["ACCESS_KEY", "REGION", "RawClient"]

ACCESS_KEY = "AKIAEXAMPLE"
REGION = "us-east-1"

_SIGNATURE = (
    f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/20261124/{REGION}/rekognition/aws4_request, "
    f"SignedHeaders=host;x-amz-date;x-amz-target, Signature={'0' * 64}"
)


class RawClient:
    """Send requests with a well-formed signature, which the emulator does not verify, and return the error code.

    Args:
        url: the endpoint.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = aiohttp.ClientSession()

    async def send(self, operation: str, members: Mapping[str, object]) -> str | None:
        """Send a request, and return the error code; ``None`` for a success."""
        headers = {
            "X-Amz-Target": f"RekognitionService.{operation}",
            "X-Amz-Date": "20261124T000000Z",
            "Content-Type": "application/x-amz-json-1.1",
            "Authorization": _SIGNATURE,
        }
        async with self._session.post(self._url, data=json.dumps(members), headers=headers) as response:
            body = cast("Mapping[str, object]", json.loads(await response.read() or b"{}"))
            return None if response.ok else str(body.get("__type", response.status))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._session.close()
