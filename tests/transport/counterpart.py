"""A server on loopback that stands in for Rekognition and misbehaves to order."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import json
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import attrs

# A CA (`ca.pem`) and two certificates that it signed, with their keys: for this machine, and for another host. Made
# with openssl for a hundred years. `expired.pem` signed itself, for the year 2020. They protect nothing.
CERTIFICATES = Path(__file__).with_name("certificates")
REQUEST_ID = "6f1c8e9c-0d57-4e8b-9f2b-1f5d0e5f6a77"


@attrs.frozen
class Request:
    """One HTTP request that was read whole."""

    headers: Mapping[str, str]
    body: bytes
    head: str = ""

    @property
    def operation(self) -> str:
        return self.headers["x-amz-target"].partition(".")[2]

    @property
    def members(self) -> object:
        return json.loads(self.body)


@attrs.frozen
class StubAnswer:
    """Bytes to write; ``None`` breaks the connection off instead."""

    data: bytes | None
    close: bool = False


Script = Callable[[Request], StubAnswer | Awaitable[StubAnswer]]


def http(
    body: bytes = b"{}", *, status: int = 200, headers: Mapping[str, str] | None = None, close: bool = False
) -> StubAnswer:
    fields = {
        "x-amzn-RequestId": REQUEST_ID,
        "Content-Type": "application/x-amz-json-1.1",
        "Content-Length": str(len(body)),
    } | dict(headers or {})
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return StubAnswer(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body, close)


def error(code: str, message: str | None = None, *, status: int = 400) -> StubAnswer:
    members = {"__type": code} if message is None else {"__type": code, "Message": message}
    return http(json.dumps(members).encode(), status=status)


RESET = StubAnswer(None)


@attrs.define
class Counterpart:
    """What was asked so far, and what will be answered."""

    script: Script = lambda _: http()
    accepts: bool = True
    connections: int = 0
    requests: list[Request] = attrs.field(factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.accepts:
                request = await _read(reader)
                self.requests.append(request)
                answer = self.script(request)
                if inspect.isawaitable(answer):
                    answer = await answer
                if answer.data is None:
                    break
                writer.write(answer.data)
                await writer.drain()
                if answer.close:
                    writer.close()
                    return
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    lines = [line.partition(":") for line in head.split("\r\n")[1:] if line]
    headers = {name.lower(): value.strip() for name, _, value in lines}
    return Request(headers, await reader.readexactly(int(headers["content-length"])), head)


@contextlib.asynccontextmanager
async def serving(script: Script | None = None, *, certificate: str | None = None) -> AsyncGenerator[Counterpart]:
    """Serve on a free port; over TLS with a certificate of the folder, such as ``localhost``."""
    counterpart = Counterpart() if script is None else Counterpart(script)
    running: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(counterpart.serve(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATES / f"{certificate}.pem")
    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    scheme = "http" if context is None else "https"
    counterpart.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield counterpart
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running)


@attrs.define
class Proxy:
    """An HTTP proxy that tunnels every CONNECT to one address.

    Attributes:
        url: its URL.
        heads: the heads of the requests to it.
        status: the HTTP status that it answers; 407 wants a password.
    """

    target: tuple[str, int]
    status: int = 200
    heads: list[str] = attrs.field(factory=list[str])
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers = [writer]
        try:
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(f"HTTP/1.1 {self.status} Whatever\r\n\r\n".encode())
            await writer.drain()
            if self.status == 200:
                far_reader, far_writer = await asyncio.open_connection(*self.target)
                writers.append(far_writer)
                await asyncio.gather(_relay(reader, far_writer), _relay(far_reader, writer))
        finally:
            for each in writers:
                each.transport.abort()


async def _relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)


@contextlib.asynccontextmanager
async def proxying(counterpart: Counterpart, *, status: int = 200) -> AsyncGenerator[Proxy]:
    parts = urlsplit(counterpart.url)
    proxy = Proxy((parts.hostname or "", parts.port or 0), status)
    running: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(proxy.serve(reader, writer))
        running.add(task)
        task.add_done_callback(running.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
