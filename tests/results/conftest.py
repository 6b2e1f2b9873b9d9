"""moto's server, which stands for SQS, SNS and S3."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING, Any

import boto3
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """Run one server for all tests: it takes seconds to import."""
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - the same

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto_server: str) -> str:
    """The URL of services without queues, topics and buckets."""
    urllib.request.urlopen(urllib.request.Request(f"{moto_server}/moto-api/reset", method="POST")).close()  # noqa: S310 - http
    return moto_server


@pytest.fixture
def boto(aws: str) -> Iterator[dict[str, Any]]:
    """Clients of boto3 for the services, by name."""
    clients = {name: boto3.client(name, region_name="us-east-1", endpoint_url=aws) for name in ("sqs", "sns", "s3")}
    yield clients
    for client in clients.values():
        client.close()
