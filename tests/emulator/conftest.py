"""Provide an empty server of moto, the referee of SQS, SNS, S3 and Kinesis."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import pytest

from aiorekostream.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
def moto_url(moto_server: str) -> str:
    """The URL of a server without queues, topics, buckets and streams."""
    urllib.request.urlopen(urllib.request.Request(f"{moto_server}/moto-api/reset", method="POST")).close()  # noqa: S310 - http
    return moto_server


@pytest.fixture(params=["emulator", "moto"])
async def endpoint(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The URL of an emulator, and of moto's server, to which the same test applies."""
    if request.param == "moto":
        yield request.getfixturevalue("moto_url")
        return
    async with Emulator() as emulator:
        yield emulator.url
