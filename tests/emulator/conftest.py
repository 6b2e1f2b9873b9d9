"""Provide an empty server of moto, the referee of SQS, SNS and S3."""

from __future__ import annotations

import urllib.request

import pytest


@pytest.fixture
def moto_url(moto_server: str) -> str:
    """The URL of a server without queues, topics and buckets."""
    urllib.request.urlopen(urllib.request.Request(f"{moto_server}/moto-api/reset", method="POST")).close()  # noqa: S310 - http
    return moto_server
