"""Clients of moto's server, which stands for SQS, SNS, S3 and Kinesis, and the event loop of AWS Lambda."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from aiorekostream.results import awslambda

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def boto(moto_url: str) -> Iterator[dict[str, Any]]:
    """Clients of boto3 for the services, by name."""
    clients = {
        name: boto3.client(name, region_name="us-east-1", endpoint_url=moto_url)
        for name in ("sqs", "sns", "s3", "kinesis")
    }
    yield clients
    for client in clients.values():
        client.close()


@pytest.fixture
def event_loop_of_lambda() -> Iterator[None]:
    """End the event loop that handlers for AWS Lambda keep."""
    yield
    awslambda._loop.close()
