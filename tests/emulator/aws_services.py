"""Provide boto3's clients of SQS, SNS, S3 and Kinesis, of the emulator and of moto's server."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import attrs
import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

KEY, SECRET = "AKIAEXAMPLE", "a-secret"
FIRST_SHARD = "shardId-000000000000"
_config: Any = Config
ONCE = _config(retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=40)
IMPATIENT = _config(retries={"total_max_attempts": 1, "mode": "standard"}, read_timeout=10)
"""Fails where a long poll of 20 seconds ends only because its time is over."""


@attrs.frozen
class AsyncClient:
    """A client of boto3 whose methods are called in threads."""

    client: Any

    async def __call__(self, verb: str, **members: object) -> dict[str, Any]:
        """Call a method, and return the response without its metadata."""
        response: dict[str, Any] = await asyncio.to_thread(getattr(self.client, verb), **members)
        del response["ResponseMetadata"]
        return response


def service(name: str, url: str, *, key: str = KEY, secret: str = SECRET, config: Any = ONCE) -> AsyncClient:  # noqa: ANN401
    """Return a client of a service."""
    client = boto3.client(
        name,
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=config,
    )
    return AsyncClient(client)


async def drain(sqs: AsyncClient, url: str, *, wait: int = 0) -> list[dict[str, Any]]:
    """Receive and delete the messages of a queue until there are none, and return them."""
    found: list[dict[str, Any]] = []
    while True:
        response = await sqs("receive_message", QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=wait)
        messages = response.get("Messages", [])
        if not messages:
            return found
        found += messages
        entries = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(messages)]
        await sqs("delete_message_batch", QueueUrl=url, Entries=entries)


def events(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the events in the bodies of messages, with or without SNS's envelope."""
    bodies = [json.loads(message["Body"]) for message in messages]
    return [json.loads(body["Message"]) if "Message" in body else body for body in bodies]


async def queue_url(url: str, name: str = "doors") -> str:
    """Return the URL of a queue of an emulator."""
    sqs = service("sqs", url)
    found: str = (await sqs("get_queue_url", QueueName=name))["QueueUrl"]
    sqs.client.close()
    return found


async def shard_iterator(
    kinesis: AsyncClient, stream: str, shard: str = FIRST_SHARD, kind: str = "TRIM_HORIZON"
) -> str:
    """Return an iterator of a shard."""
    found = await kinesis("get_shard_iterator", StreamName=stream, ShardId=shard, ShardIteratorType=kind)
    return str(found["ShardIterator"])


async def refused(client: AsyncClient, verb: str, **members: object) -> str:
    """Call a method that fails, and return the error code."""
    with pytest.raises(ClientError) as caught:
        await client(verb, **members)
    error: Any = caught.value.response
    return str(error["Error"]["Code"])
