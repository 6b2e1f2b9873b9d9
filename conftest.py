"""Isolate tests and examples: no AWS settings of this machine, no network beyond loopback, an emulator instead of AWS.

This file is at the root because pytest also collects the examples in README.md, docs/ and the docstrings.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import ipaddress
import os
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, cast

import boto3
import hypothesis
import pytest
import sybil
from botocore.httpsession import where
from botocore.loaders import JSONFileLoader, Loader
from sybil.document import PythonDocStringDocument
from sybil.parsers import markdown, rest

from aiorekostream.emulator import Emulator

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# ---------------------------------------------------------------------------------------------------------- hypothesis

# No deadline: a loaded machine exceeds any. CI is derandomized, so that a failed run can be repeated.
hypothesis.settings.register_profile("local", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("brief", deadline=None, derandomize=True, print_blob=True, max_examples=5)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "local")


# --------------------------------------------------------------------------------------------------- garbage collection


def pytest_collection_finish() -> None:
    """Exempt the imported libraries and tests from garbage collection, which would visit them throughout the run."""
    gc.collect()
    gc.freeze()


# ------------------------------------------------------------------------------------------------------------- network


class NetworkForbiddenError(RuntimeError):
    """A test tried to reach another machine."""


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host in {"", "localhost"} or host.endswith(".localhost")


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _refuse_network(event: str, arguments: tuple[object, ...]) -> None:
    # The audit hook sees every connection and lookup of the process, whichever library makes it. Names under `.invalid`
    # never exist (RFC 6761), so tests of failing lookups may use them.
    if event == "socket.connect":
        address = cast("tuple[object, ...] | str | bytes", arguments[1])
        if isinstance(address, tuple) and not _is_this_machine(str(address[0])):
            message = f"tests may not connect to {address}"
            raise NetworkForbiddenError(message)
    elif event == "socket.getaddrinfo":
        host = arguments[0].decode() if isinstance(arguments[0], bytes) else str(arguments[0] or "")
        if host.endswith(".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if not (_is_ip_address(host) or _is_this_machine(host)):
            message = f"tests may not look up {host}"
            raise NetworkForbiddenError(message)


sys.addaudithook(_refuse_network)


# --------------------------------------------------------------------------------------------------------- environment

_PROXIES = {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"}


@pytest.fixture(autouse=True)
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the AWS settings of this machine and set invalid credentials."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "BOTO_")) or name.upper() in _PROXIES:
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "an-example-and-no-secret")


# ------------------------------------------------------------------------------------------------------------ botocore


@pytest.fixture(scope="session", autouse=True)
def botocore_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decode each of botocore's files once for all tests, and trust one certificate authority in place of 140.

    Both are most of the work of making a client. Botocore shares what it has decoded among the clients of a session; it
    modifies only the endpoints, which are decoded each time. No test reaches a server that an authority has signed.
    """
    decode = JSONFileLoader.load_file
    decoded: dict[str, object] = {}

    def load_file(loader: JSONFileLoader, file_path: str) -> object:
        if not file_path.startswith(Loader.BUILTIN_DATA_PATH) or file_path.endswith("endpoints"):
            return decode(loader, file_path)
        if file_path not in decoded:
            decoded[file_path] = decode(loader, file_path)
        return decoded[file_path]

    authorities = Path(where()).read_text(encoding="utf-8")
    end = "-----END CERTIFICATE-----\n"
    authority = tmp_path_factory.mktemp("botocore") / "authority.pem"
    authority.write_text(authorities[: authorities.index(end) + len(end)], encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", load_file)
        patch.setattr("botocore.httpsession.where", lambda: str(authority))
        yield


# ------------------------------------------------------------------------------------------------------------ examples


@contextlib.contextmanager
def _running_emulator() -> Generator[str]:
    address: concurrent.futures.Future[str] = concurrent.futures.Future()
    ended = threading.Event()

    async def serve() -> None:
        async with Emulator() as emulator:
            address.set_result(emulator.url)
            await asyncio.to_thread(ended.wait)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if address.done():
                raise
            address.set_exception(error)

    thread = threading.Thread(target=run, name="emulator")
    thread.start()
    try:
        yield address.result(timeout=30)
    finally:
        ended.set()
        thread.join()


def _create_example_processors(url: str) -> None:
    # The examples use a label detection `front-door` and a face search `lobby`.
    rekognition = boto3.client("rekognition", region_name="us-east-1", endpoint_url=url)
    account = "us-east-1:111122223333"
    role = "arn:aws:iam::111122223333:role/rekognition"
    rekognition.create_stream_processor(
        Name="front-door",
        Input={"KinesisVideoStream": {"Arn": f"arn:aws:kinesisvideo:{account}:stream/front-door/1656000000000"}},
        Output={"S3Destination": {"Bucket": "front-door-pictures"}},
        RoleArn=role,
        Settings={"ConnectedHome": {"Labels": ["PERSON", "PACKAGE"]}},
        NotificationChannel={"SNSTopicArn": f"arn:aws:sns:{account}:front-door"},
    )
    rekognition.create_stream_processor(
        Name="lobby",
        Input={"KinesisVideoStream": {"Arn": f"arn:aws:kinesisvideo:{account}:stream/lobby/1656000000000"}},
        Output={"KinesisDataStream": {"Arn": f"arn:aws:kinesis:{account}:stream/lobby-faces"}},
        RoleArn=role,
        Settings={"FaceSearch": {"CollectionId": "staff"}},
    )
    rekognition.close()


@pytest.fixture
def aws_is_emulated(aws_environment: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Redirect requests to AWS to a new emulator that has the processors of the examples."""
    del aws_environment
    with _running_emulator() as url:
        _create_example_processors(url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", url)
        yield


def _as_program(namespace: dict[str, object]) -> None:
    namespace["__name__"] = "__main__"


_PAGES = sybil.Sybil(
    name="pages",
    parsers=[markdown.PythonCodeBlockParser(), markdown.SkipParser()],
    pattern="*.md",
    setup=_as_program,
    fixtures=["aws_is_emulated"],
)
_DOCSTRINGS = sybil.Sybil(
    name="docstrings",
    parsers=[rest.DocTestParser(), rest.PythonCodeBlockParser(), rest.SkipParser()],
    path="aiorekostream",
    pattern="*.py",
    document_types={".py": PythonDocStringDocument},
    setup=_as_program,
    fixtures=["aws_is_emulated"],
)

pytest_collect_file = (_PAGES + _DOCSTRINGS).pytest()
