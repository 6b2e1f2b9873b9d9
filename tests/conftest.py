"""Provide the fixtures of the tests; those shared with the examples are in the conftest.py at the root."""

from __future__ import annotations

import logging
import urllib.request
from typing import TYPE_CHECKING

import pytest

from aiorekostream.rate_limiting import limiter

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def new_quotas() -> None:
    """Forget what the service at some port of this machine allowed in an earlier test."""
    limiter._buckets.clear()


@pytest.fixture(autouse=True)
def logged_assertions(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Raise the first failed assertion that was logged.

    The package logs exceptions of rate limiters, slots, permits and listeners, and goes on: an assertion in one of them
    would fail no test.
    """
    yield
    for record in caplog.get_records("call"):
        if record.exc_info and isinstance(record.exc_info[1], AssertionError):
            raise record.exc_info[1]


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """Run one server for all tests: it takes seconds to import."""
    from botocore import handlers  # noqa: PLC0415 - the same

    # On import, moto adds a hook to all clients that this process makes from then on, which takes their calls off the
    # lean path. Its server needs none.
    built_in = list(handlers.BUILTIN_HANDLERS)
    from moto.server import ThreadedMotoServer  # noqa: PLC0415 - the same

    handlers.BUILTIN_HANDLERS[:] = built_in
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    # Its thread logs a request after the answer, perhaps in the midst of the next test, which may look at the log.
    logging.getLogger("werkzeug").propagate = False
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def moto_url(moto_server: str) -> str:
    """The URL of moto's server, without queues, topics, buckets and streams."""
    urllib.request.urlopen(urllib.request.Request(f"{moto_server}/moto-api/reset", method="POST")).close()  # noqa: S310 - http
    return moto_server
