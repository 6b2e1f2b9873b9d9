"""What the tests themselves are promised: no AWS of this machine, and no network beyond it."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest


def test_the_aws_environment_is_made_up() -> None:
    assert {name for name in os.environ if name.startswith("AWS_")} == {
        "AWS_ACCESS_KEY_ID",
        "AWS_CONFIG_FILE",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SHARED_CREDENTIALS_FILE",
    }


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
def test_another_machine_cannot_be_reached(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender, pytest.raises(RuntimeError, match="may not connect"):
        sender.connect((host, 9))


async def test_another_machine_cannot_be_looked_up() -> None:
    with pytest.raises(RuntimeError, match="may not look up"):
        await asyncio.get_running_loop().getaddrinfo("rekognition.us-east-1.amazonaws.com", 443)


def test_a_name_that_never_exists_is_not_found() -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("nowhere.invalid", 443)


async def test_this_machine_can_be_reached() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "localhost", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("localhost", port)
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
