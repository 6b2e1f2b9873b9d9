"""A counterpart for each test that asks for one, and a transport that talks to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from aiobotocore.endpoint import AioEndpoint

from aiorekostream.transport.aws import AwsTransport
from tests.transport.counterpart import Counterpart, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from botocore.model import OperationModel


@pytest.fixture
async def counterpart() -> AsyncIterator[Counterpart]:
    async with serving() as running:
        yield running


@pytest.fixture
async def transport(counterpart: Counterpart) -> AsyncIterator[AwsTransport]:
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as opened:
        yield opened


@pytest.fixture
def by_botocore(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations of the calls that botocore sent; all others went by the lean path."""
    found: list[str] = []
    make = AioEndpoint.make_request

    def noted(self: AioEndpoint, operation_model: OperationModel, request_dict: object) -> Awaitable[object]:
        found.append(operation_model.name)
        return make(self, operation_model, request_dict)

    monkeypatch.setattr(AioEndpoint, "make_request", noted)
    return found
