"""Provide the emulator and moto's server, its referee for SQS, SNS, S3 and Kinesis."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiorekostream.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(params=["emulator", "moto"])
async def endpoint(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The URL of an emulator, and of moto's server, to which the same test applies."""
    if request.param == "moto":
        yield request.getfixturevalue("moto_url")
        return
    async with Emulator() as emulator:
        yield emulator.url
