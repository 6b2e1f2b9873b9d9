"""Check the isolation of the tests: no AWS settings of this machine, and no network beyond loopback."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest


def test_aws_environment_is_replaced() -> None:
    assert {name for name in os.environ if name.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID",
        "AWS_CONFIG_FILE",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SHARED_CREDENTIALS_FILE",
    }


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_connection_to_another_machine_is_forbidden(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender, pytest.raises(RuntimeError, match="may not connect"):
        sender.connect((host, 9))


async def test_lookup_of_another_machine_is_forbidden() -> None:
    with pytest.raises(RuntimeError, match="may not look up"):
        await asyncio.get_running_loop().getaddrinfo("rekognition.us-east-1.amazonaws.com", 443)


def test_lookup_of_an_invalid_name_fails() -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("nowhere.invalid", 443)


async def test_connection_to_this_machine_is_allowed() -> None:
    async def close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(close, "localhost", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("localhost", port)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
