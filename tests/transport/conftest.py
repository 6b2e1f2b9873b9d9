"""A counterpart for each test that asks for one, and a transport that talks to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from aiorekostream.transport.aws import AwsTransport
from tests.transport.counterpart import Counterpart, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def counterpart() -> AsyncIterator[Counterpart]:
    async with serving() as running:
        yield running


@pytest.fixture
async def transport(counterpart: Counterpart) -> AsyncIterator[AwsTransport]:
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as opened:
        yield opened
