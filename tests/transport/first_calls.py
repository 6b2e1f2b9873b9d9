"""Make a client's first call, which a wrong configuration stops at its first attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import aiorekostream as rks
from aiorekostream import errors
from aiorekostream.transport.aws import AwsTransport
from tests.transport.two_paths import new_session

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiorekostream.transport.port import Reply

QUICK = rks.RetryPolicy(base_delay=0.01, max_delay=0.01)
"""A policy that retries nearly at once."""


async def refused(
    url: str | None = None, *, region: str | None = "us-east-1", observed: bool = False
) -> errors.ConfigurationError:
    """What the first call of a client raises; it must be the first attempt."""
    attempts: list[None] = []

    class Counted(AwsTransport):
        async def send(
            self, operation: str, body: Mapping[str, object], *, on_sent: Callable[[], None] = lambda: None
        ) -> Reply:
            attempts.append(None)
            return await super().send(operation, body, on_sent=on_sent)

        async def open(self) -> None:
            if not self.is_ready:
                attempts.append(None)
            await super().open()
            attempts.clear()

    transport = Counted(region=region, endpoint_url=url, session=new_session(observed=observed))
    client = rks.Client(transport=transport, retry=QUICK)
    with pytest.raises(errors.ConfigurationError) as caught:
        await client.start_stream_processor(rks.FaceSearchStart("lobby"))
    await client.aclose()
    await transport.aclose()
    assert len(attempts) == 1
    return caught.value
