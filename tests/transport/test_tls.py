"""Every client of the package verifies certificates, through a proxy too, and names a wrong CA bundle."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession

from aiorekostream import errors
from aiorekostream.transport._tls_session import TlsSession
from aiorekostream.transport.aws import AwsTransport
from aiorekostream.transport.service_quotas import read_limits
from aiorekostream.transport.services import ServiceClient
from aiorekostream.transport.timeout import Timeout
from tests.transport.counterpart import CERTIFICATES, Counterpart, proxying, serving
from tests.transport.two_paths import observe

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping
    from pathlib import Path

# A call of each service that carries results.
_CALLS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "kinesis": ("list_shards", {"StreamName": "a"}),
    "s3": ("get_object", {"Bucket": "a", "Key": "b"}),
    "sns": ("publish", {"TopicArn": "arn:aws:sns:us-east-1:123456789012:a", "Message": "b"}),
    "sqs": ("receive_message", {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/a"}),
}
_every_client = pytest.mark.parametrize("client", ["lean", "botocore", "service-quotas", *_CALLS])


async def _call(client: str, url: str, session: AioSession | None = None) -> None:
    """Make one call with one of the package's clients: of Rekognition by either path, or of another service."""
    session = AioSession() if session is None else session
    if client == "botocore":
        observe(session)
    if client in {"lean", "botocore"}:
        async with AwsTransport(region="us-east-1", endpoint_url=url, session=session) as transport:
            await transport.send("StopStreamProcessor", {"Name": "a"})
    elif client == "service-quotas":
        await read_limits(region="us-east-1", endpoint_url=url, session=session)
    else:
        method, members = _CALLS[client]
        opened = ServiceClient(
            client,
            region="us-east-1",
            endpoint_url=url,
            profile=None,
            session=session,
            timeout=Timeout(connect=5, read=5),
            max_connections=5,
        )
        try:
            await opened.call(method, members, _unread)
        finally:
            await opened.aclose()


async def _unread(_: dict[str, object]) -> None:
    """Convert a response to nothing."""


@pytest.fixture
def trusted_ca(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", os.fspath(CERTIFICATES / "ca.pem"))


@_every_client
async def test_certificate_of_an_unknown_ca(client: str) -> None:
    async with serving(certificate="localhost") as counterpart:
        with pytest.raises(errors.ConfigurationError) as caught:
            await _call(client, counterpart.url)
    where = counterpart.url.removeprefix("https://")
    assert f"the certificate of {where} is not signed by a known CA" in str(caught.value)
    assert "AWS_CA_BUNDLE" in str(caught.value)
    assert not counterpart.requests


@_every_client
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.usefixtures("trusted_ca")
async def test_certificate_of_another_host(client: str, host: str) -> None:
    """OpenSSL has an error of its own for an address."""
    async with serving(certificate="elsewhere") as counterpart:
        url = counterpart.url.replace("127.0.0.1", host)
        with pytest.raises(errors.ConfigurationError) as caught:
            await _call(client, url)
    where = url.removeprefix("https://")
    assert f"the certificate of {where} is for another host" in str(caught.value)
    assert not counterpart.requests


@_every_client
async def test_certificate_that_is_expired(monkeypatch: pytest.MonkeyPatch, client: str) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", os.fspath(CERTIFICATES / "expired.pem"))
    async with serving(certificate="expired") as counterpart:
        with pytest.raises(errors.ConfigurationError, match="is expired or not valid yet: renew it, or set the clock"):
            await _call(client, counterpart.url)
    assert not counterpart.requests


@_every_client
@pytest.mark.parametrize("has_default_config", [False, True])
@pytest.mark.usefixtures("trusted_ca")
async def test_certificate_behind_a_tunnel(
    monkeypatch: pytest.MonkeyPatch, client: str, *, has_default_config: bool
) -> None:
    """With aiobotocore 3.0, a session with a default configuration forgets the class of the HTTP session."""
    session = AioSession()
    if has_default_config:
        session.set_default_client_config(AioConfig(user_agent_extra="doors"))
    async with serving(certificate="elsewhere") as counterpart, proxying(counterpart) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(errors.ConfigurationError, match="is for another host"):
            await _call(client, counterpart.url, session)
    assert proxy.heads
    assert not counterpart.requests


@pytest.mark.parametrize("client", ["lean", "botocore", "service-quotas", "sqs"])
@pytest.mark.usefixtures("trusted_ca")
async def test_valid_certificate_behind_a_tunnel(monkeypatch: pytest.MonkeyPatch, client: str) -> None:
    async with serving(certificate="localhost") as counterpart, proxying(counterpart) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        await _call(client, counterpart.url)
    assert proxy.heads
    assert len(counterpart.requests) == 1


@pytest.mark.parametrize("is_trusted", [False, True])
@pytest.mark.parametrize("client", ["lean", "botocore"])
async def test_certificate_of_a_proxy_for_plain_http(
    monkeypatch: pytest.MonkeyPatch, client: str, *, is_trusted: bool
) -> None:
    if is_trusted:
        monkeypatch.setenv("AWS_CA_BUNDLE", os.fspath(CERTIFICATES / "ca.pem"))
    async with serving(certificate="localhost") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        if is_trusted:
            await _call(client, "http://somewhere.invalid")
        else:
            with pytest.raises(errors.ConfigurationError, match="is not signed by a known CA"):
                await _call(client, "http://somewhere.invalid")
    assert len(proxy.requests) == is_trusted


@pytest.mark.parametrize("client", ["lean", "service-quotas", "sqs"])
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "does not exist"),
        ("", "holds no certificate"),
        ("no certificate", "holds no certificate"),
        ("folder", "cannot be read"),
    ],
)
async def test_ca_bundle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, client: str, content: str | None, problem: str
) -> None:
    path = tmp_path / "bundle.pem"
    if content == "folder":
        path.mkdir()
    elif content is not None:
        path.write_text(content)
    monkeypatch.setenv("AWS_CA_BUNDLE", os.fspath(path))
    with pytest.raises(errors.ConfigurationError) as caught:
        await _call(client, "https://127.0.0.1:9")
    assert f"the CA bundle {path} {problem}" in str(caught.value)
    assert "AWS_CA_BUNDLE" in str(caught.value)


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", None])
async def test_variable_of_a_missing_ca_bundle_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str | None
) -> None:
    config = tmp_path / "config"
    config.write_text("" if variable else "[default]\nca_bundle = /no/such.pem\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(config))
    if variable is not None:
        monkeypatch.setenv(variable, "/no/such.pem")
    with pytest.raises(errors.ConfigurationError) as caught:
        await _call("lean", "https://127.0.0.1:9")
    named = variable or "ca_bundle of the AWS profile"
    assert str(caught.value) == f"the CA bundle /no/such.pem does not exist: check {named}"


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("path", ["", " "])
async def test_empty_path_of_a_ca_bundle(monkeypatch: pytest.MonkeyPatch, variable: str, path: str) -> None:
    """Some versions of botocore refuse it themselves; the others verify no certificate."""
    monkeypatch.setattr("botocore.endpoint.EndpointCreator._validate_verify_value", _unchecked, raising=False)
    monkeypatch.setenv(variable, path)
    with pytest.raises(errors.ConfigurationError, match=f"the path of the CA bundle is empty: check {variable}"):
        await _call("lean", "https://127.0.0.1:9")


def _unchecked(_: object, verify: object) -> object:
    return verify


@pytest.mark.parametrize("has_ca_bundle", [False, True])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"client_cert": "/no/such.pem"}, "the client certificate /no/such.pem does not exist: check client_cert"),
        (
            {"client_cert": (os.fspath(CERTIFICATES / "localhost.pem"), "/no/such.key")},
            "the client certificate /no/such.key does not exist: check client_cert",
        ),
        (
            {"client_cert": os.fspath(CERTIFICATES / "ca.pem")},
            f"the client certificate {CERTIFICATES / 'ca.pem'} holds no certificate with its key: check client_cert",
        ),
        (
            {"proxies_config": {"proxy_ca_bundle": "/no/such.pem"}},
            "the CA bundle of the proxy /no/such.pem does not exist: check proxy_ca_bundle",
        ),
        (
            {"proxies_config": {"proxy_client_cert": "/no/such.pem"}},
            "the client certificate of the proxy /no/such.pem does not exist: check proxy_client_cert",
        ),
    ],
    ids=["certificate", "key", "no key", "bundle of the proxy", "certificate of the proxy"],
)
async def test_other_file_of_certificates_is_named(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], expected: str, *, has_ca_bundle: bool
) -> None:
    if has_ca_bundle:
        monkeypatch.setenv("AWS_CA_BUNDLE", os.fspath(CERTIFICATES / "ca.pem"))
    config = AioConfig(proxies={"https": "https://127.0.0.1:9"}, **options)
    with pytest.raises(errors.ConfigurationError) as caught:
        async with AwsTransport(region="us-east-1", endpoint_url="https://127.0.0.1:9", config=config):
            pass
    assert str(caught.value).startswith(expected)


async def test_ca_bundle_is_judged_by_its_file_when_python_raises_oserror(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def load(*_: object, **__: object) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    path = tmp_path / "bundle.pem"
    path.touch()
    monkeypatch.setenv("AWS_CA_BUNDLE", os.fspath(path))
    monkeypatch.setattr("ssl.SSLContext.load_verify_locations", load)
    with pytest.raises(errors.ConfigurationError, match="holds no certificate"):
        await _call("lean", "https://127.0.0.1:9")


@pytest.mark.parametrize("client", ["lean", "service-quotas", "sqs"])
async def test_ca_bundle_is_not_read_for_plain_http(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch, client: str
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/no/such/bundle.pem")
    await _call(client, counterpart.url)
    assert len(counterpart.requests) == 1


@pytest.mark.parametrize("client", ["lean", "service-quotas", "sqs"])
@pytest.mark.parametrize(("url", "contexts"), [("http://127.0.0.1:9", 0), ("https://127.0.0.1:9", 1)])
async def test_tls_context_is_made_in_another_thread(
    monkeypatch: pytest.MonkeyPatch, client: str, url: str, contexts: int
) -> None:
    made: list[threading.Thread] = []
    create = TlsSession._get_ssl_context

    def noted(self: TlsSession) -> ssl.SSLContext:
        made.append(threading.current_thread())
        return create(self)

    monkeypatch.setattr(TlsSession, "_get_ssl_context", noted)
    with pytest.raises(errors.ConnectError):
        await _call(client, url)
    assert len(made) == contexts
    assert threading.main_thread() not in made
