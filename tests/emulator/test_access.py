"""Who may call each service on the emulator's port: signatures, host names and web pages of other origins."""

from __future__ import annotations

import attrs
import pytest

from aiorekostream.emulator import Emulator
from tests.emulator.aws_services import KEY, SECRET, refused, service
from tests.emulator.clients import exchange, http

PAGE = "http://localhost:3000"


@attrs.frozen(kw_only=True)
class _Api:
    """A service, and a read that needs nothing to exist.

    Attributes:
        name: boto3's name of the service.
        verb: boto3's name of the read.
        target: the header that names the read; without one it is a GET.
        code: the error code of a signature by another secret key.
    """

    name: str
    verb: str
    target: str | None
    code: str = "InvalidSignatureException"

    @property
    def method(self) -> str:
        return "GET" if self.target is None else "POST"

    def http(self, **headers: str) -> bytes:
        """Return the read as an HTTP request, whose signature is valid only where none is verified."""
        scope = f"{KEY}/20260101/us-east-1/{self.name}/aws4_request"
        authorization = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0000"
        return http(
            method=self.method,
            headers={"X-Amz-Target": self.target, "Authorization": authorization, **headers},
            body=b"" if self.target is None else b"{}",
        )


REKOGNITION = _Api(name="rekognition", verb="list_stream_processors", target="RekognitionService.ListStreamProcessors")
RESULTS = [
    _Api(name="sqs", verb="list_queues", target="AmazonSQS.ListQueues"),
    _Api(name="s3", verb="list_buckets", target=None, code="SignatureDoesNotMatch"),
    _Api(name="kinesis", verb="list_streams", target="Kinesis_20131202.ListStreams"),
]
each_api = pytest.mark.parametrize("api", [REKOGNITION, *RESULTS], ids=lambda api: api.name)


@each_api
async def test_signature_is_verified_when_credentials_are_given(api: _Api) -> None:
    async with Emulator(credentials={KEY: SECRET}) as emulator:
        right, wrong = service(api.name, emulator.url), service(api.name, emulator.url, secret="w")
        await right(api.verb)
        assert await refused(wrong, api.verb) == api.code
        for client in (right, wrong):
            client.client.close()


@pytest.mark.parametrize("api", RESULTS, ids=lambda api: api.name)
@pytest.mark.parametrize(
    ("host", "allow_hosts", "status"),
    [
        ("127.0.0.1:80", (), 200),
        ("localhost", (), 200),
        ("[::1]:4599", (), 200),
        ("emulator:4599", (), 403),
        ("evil.example", (), 403),
        ("emulator:4599", ("Emulator",), 200),
        ("notemulator", ("emulator",), 403),
    ],
)
async def test_host_is_checked(api: _Api, host: str, allow_hosts: tuple[str, ...], status: int) -> None:
    """A page in a browser may resolve a name of its own to this machine."""
    async with Emulator(allow_hosts=allow_hosts) as emulator:
        assert (await exchange(emulator.url, api.http(Host=host))).status == status


@each_api
@pytest.mark.parametrize("is_allowed", [False, True])
async def test_page_of_another_origin_is_refused_unless_allowed(api: _Api, *, is_allowed: bool) -> None:
    async with Emulator(allow_origins=[PAGE] if is_allowed else []) as emulator:
        response = await exchange(emulator.url, api.http(Origin=PAGE))
        assert response.status == (200 if is_allowed else 403)
        assert response.headers.get("access-control-allow-origin") == (PAGE if is_allowed else None)
