"""The transport opens once, with the first call, names what is missing, and stays closed."""

from __future__ import annotations

import asyncio
import datetime
import json
import logging
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, cast

import attrs
import pytest
from aiobotocore.client import AioBaseClient
from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from botocore import UNSIGNED

from aiorekostream import errors
from aiorekostream.client.client import Client
from aiorekostream.rate_limiting.limiter import LocalRateLimiter
from aiorekostream.retry.policy import RetryPolicy
from aiorekostream.transport import connect
from aiorekostream.transport.aws import AwsTransport
from aiorekostream.transport.timeout import Timeout
from tests.transport.counterpart import RESET, Counterpart, Request, StubAnswer, http, serving
from tests.transport.two_paths import new_session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from botocore.loaders import Loader

    from aiorekostream.limits import Scope
    from aiorekostream.transport.connection import Connection
    from aiorekostream.transport.options import TransportOptions

_QUICK = RetryPolicy(base_delay=0.01, max_delay=0.01)
_A_CALL = ("StopStreamProcessor", {"Name": "a"})


def test_import_of_the_transport_loads_no_heavy_dependency() -> None:
    program = """
import sys, aiorekostream.transport.aws, aiorekostream.testing
print({"aiobotocore", "botocore", "aiohttp"} & set(sys.modules))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[TransportOptions]:
    """Every opening of a client, as it begins."""
    begun: asyncio.Queue[TransportOptions] = asyncio.Queue()
    open_client = connect.connect

    async def counted(settings: TransportOptions, session: AioSession | None) -> Connection:
        begun.put_nowait(settings)
        return await open_client(settings, session)

    monkeypatch.setattr(connect, "connect", counted)
    return begun


async def test_first_call_opens_the_client_and_the_others_share_it(
    counterpart: Counterpart, openings: asyncio.Queue[TransportOptions]
) -> None:
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    await asyncio.gather(*(transport.send(*_A_CALL) for _ in range(5)))
    await transport.send(*_A_CALL)
    await transport.aclose()
    assert openings.qsize() == 1
    assert len(counterpart.requests) == 6


async def test_cancelled_waiter_leaves_the_opening_to_the_others(
    counterpart: Counterpart, openings: asyncio.Queue[TransportOptions]
) -> None:
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    waiting = [asyncio.create_task(transport.open()) for _ in range(3)]
    await openings.get()
    waiting[0].cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError, type(None), type(None)]
    await transport.send(*_A_CALL)
    await transport.aclose()
    assert openings.empty()


async def test_failed_opening_raises_for_all_and_is_retried_by_the_next(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch
) -> None:
    transport = AwsTransport(endpoint_url=counterpart.url)
    results = await asyncio.gather(*(transport.send(*_A_CALL) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [errors.ConfigurationError] * 3
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    await transport.send(*_A_CALL)
    assert transport.region == "eu-west-1"
    await transport.aclose()


async def test_closed_transport_rejects_calls_and_may_be_closed_again(counterpart: Counterpart) -> None:
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    await transport.send(*_A_CALL)
    await transport.aclose()
    await transport.aclose()
    with pytest.raises(errors.ConfigurationError, match="closed"):
        await transport.send(*_A_CALL)
    with pytest.raises(errors.ConfigurationError, match="closed"):
        await transport.open()


async def test_transport_that_was_never_opened_can_be_closed() -> None:
    transport = AwsTransport()
    await transport.aclose()
    with pytest.raises(errors.ConfigurationError, match="closed"):
        await transport.open()


async def test_close_ends_the_opening_with_configuration_error(
    openings: asyncio.Queue[TransportOptions],
) -> None:
    transport = AwsTransport(region="us-east-1")
    waiting = asyncio.create_task(transport.open())
    await openings.get()
    await transport.aclose()
    with pytest.raises(errors.ConfigurationError, match="closed"):
        await waiting


async def test_close_cancels_the_calls_in_flight() -> None:
    asked = asyncio.Event()
    silence = asyncio.Event()

    async def hang(_: Request) -> StubAnswer:
        asked.set()
        await silence.wait()
        return http()

    async with serving(hang) as counterpart:
        transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
        sending = asyncio.create_task(transport.send(*_A_CALL))
        await asked.wait()
        await transport.aclose()
        with pytest.raises(errors.ConnectionLostError):
            await sending


async def test_transport_belongs_to_the_event_loop_that_opened_it(counterpart: Counterpart) -> None:
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    await transport.open()
    with pytest.raises(errors.ConfigurationError, match="another event loop"):
        await asyncio.to_thread(asyncio.run, transport.send(*_A_CALL))
    await transport.aclose()


async def test_transport_is_closed_only_by_the_loop_that_opened_it(counterpart: Counterpart) -> None:
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    await transport.send(*_A_CALL)
    with pytest.raises(errors.ConfigurationError, match="another event loop"):
        await asyncio.to_thread(asyncio.run, transport.aclose())
    await transport.send(*_A_CALL)
    await transport.aclose()


@pytest.mark.parametrize("option", ["region", "endpoint_url", "profile"])
def test_transport_rejects_options_that_are_not_text(option: str) -> None:
    wrong = cast("Any", {option: 5})
    with pytest.raises(errors.InvalidRequestError, match=f"{option}: must be text"):
        AwsTransport(**wrong)


async def test_data_is_read_in_a_worker_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    read = connect._read_data

    def noted(loader: Loader) -> None:
        threads.append(threading.current_thread())
        read(loader)

    monkeypatch.setattr(connect, "_read_data", noted)
    async with AwsTransport(region="us-east-1"):
        pass
    assert threads
    assert threading.main_thread() not in threads


async def test_region_is_known_when_given_or_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    assert AwsTransport(region="us-west-2").region == "us-west-2"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    transport = AwsTransport()
    assert transport.region is None
    async with transport:
        assert transport.region == "eu-west-1"


async def test_endpoint_of_the_environment_is_used(counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_REKOGNITION", counterpart.url)
    async with AwsTransport(region="us-east-1") as transport:
        await transport.send(*_A_CALL)
    assert len(counterpart.requests) == 1


@pytest.fixture
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config"
    path.write_text("""
[profile cameras]
region = ap-south-1
aws_access_key_id = AKIACAMERAS
aws_secret_access_key = a-secret-of-the-cameras
""")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(path))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    return path


@pytest.mark.usefixtures("config_file")
@pytest.mark.parametrize("by_environment", [True, False])
async def test_profile_gives_region_and_credentials(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch, *, by_environment: bool
) -> None:
    if by_environment:
        monkeypatch.setenv("AWS_PROFILE", "cameras")
    profile = None if by_environment else "cameras"
    async with AwsTransport(profile=profile, endpoint_url=counterpart.url) as transport:
        await transport.send(*_A_CALL)
        assert transport.region == "ap-south-1"
    authorization = counterpart.requests[0].headers["authorization"]
    assert "Credential=AKIACAMERAS/" in authorization
    assert "/ap-south-1/rekognition/aws4_request" in authorization


def _renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **members: str) -> None:
    """Credentials that last for an hour, from a program that is asked for new ones then."""
    lasting = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    secrets = {"SecretAccessKey": "a-secret", "SessionToken": "a-token", "Expiration": lasting.isoformat()}
    answer = json.dumps({"Version": 1, **members, **secrets})
    program = tmp_path / "credentials.py"
    program.write_text(f"print({answer!r})")
    config = tmp_path / "config"
    config.write_text(f"[default]\ncredential_process = {sys.executable} {program}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(config))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


async def test_refreshable_credentials_sign_calls(
    counterpart: Counterpart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _renewed(tmp_path, monkeypatch, AccessKeyId="AKIAROLE")
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport:
        await transport.send(*_A_CALL)
        assert transport.scope.account == "AKIAROLE"
    headers = counterpart.requests[0].headers
    assert "Credential=AKIAROLE/" in headers["authorization"]
    assert headers["x-amz-security-token"] == "a-token"


@pytest.mark.parametrize("observed", [False, True], ids=["lean", "botocore"])
async def test_renewed_credentials_are_logged_without_their_values(
    counterpart: Counterpart,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    observed: bool,
) -> None:
    """Those that end within minutes are renewed for each call; a program gives others each time."""
    _renewed(tmp_path, monkeypatch, AccessKeyId="AKIAROLE")
    program = tmp_path / "credentials.py"
    soon = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)).isoformat()
    members = {"Version": 1, "AccessKeyId": "AKIAROLE", "SecretAccessKey": "a-secret", "Expiration": soon}
    program.write_text(
        f"import json, uuid\nprint(json.dumps({members!r} | {{'SessionToken': 'token-' + uuid.uuid4().hex}}))"
    )
    caplog.set_level(logging.INFO, "aiorekostream")
    session = new_session(observed=observed)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        await transport.send(*_A_CALL)
        caplog.clear()
        await transport.send(*_A_CALL)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("aiorekostream")] == [
        "the AWS credentials were renewed"
    ]


async def test_quotas_belong_to_the_account_of_the_credentials(
    counterpart: Counterpart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scopes: set[Scope] = set()
    for key in ("AKIAFIRST", "AKIASECOND"):
        with monkeypatch.context() as patch:
            _renewed(tmp_path, patch, AccessKeyId=key, AccountId="111122223333")
            async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url) as transport:
                scopes.add(transport.scope)
    assert [scope.account for scope in scopes] == ["111122223333"]


@attrs.define
class _Sts:
    """Gives the credentials of a role, five minutes long, so that they are renewed for each call; or does not."""

    troubles: list[str] = attrs.field(factory=list)

    async def __call__(self, _: Request) -> StubAnswer:
        trouble = self.troubles.pop(0) if self.troubles else ""
        if trouble == "silence":
            await asyncio.Event().wait()
        status, code = {
            "busy": (400, "Throttling"),
            "down": (503, "ServiceUnavailable"),
            "no": (403, "AccessDenied"),
        }.get(trouble, (200, ""))
        if code:
            body = f"<ErrorResponse><Error><Code>{code}</Code><Message>Because.</Message></Error></ErrorResponse>"
        else:
            expiration = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=5)
            body = (
                "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>AKIAROLE</AccessKeyId>"
                "<SecretAccessKey>a-secret</SecretAccessKey><SessionToken>a-token</SessionToken>"
                f"<Expiration>{expiration:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials></AssumeRoleResult>"
                "</AssumeRoleResponse>"
            )
        return http(body.encode(), status=status, headers={"Content-Type": "text/xml"})


@pytest.fixture
async def sts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_Sts]:
    """The service that gives the credentials of the profile's role."""
    config = tmp_path / "config"
    config.write_text(
        "[default]\nrole_arn = arn:aws:iam::111122223333:role/cameras\nsource_profile = base\n"
        "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = a-secret\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(config))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    sts = _Sts()
    async with serving(sts) as counterpart:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", counterpart.url)
        yield sts


async def test_opening_without_credentials_for_a_moment_is_retry_safe(counterpart: Counterpart, sts: _Sts) -> None:
    sts.troubles = ["busy", "down"]
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    for _ in range(2):
        with pytest.raises(errors.ConnectError, match="the credentials could not be fetched") as caught:
            await transport.open()
        assert caught.value.retry_safe
    await transport.open()
    assert transport.scope.account == "AKIAROLE"
    await transport.aclose()


async def test_role_that_may_not_be_assumed_is_configuration(counterpart: Counterpart, sts: _Sts) -> None:
    sts.troubles = ["no"]
    with pytest.raises(errors.ConfigurationError, match="AssumeRole"):
        await AwsTransport(region="us-east-1", endpoint_url=counterpart.url).open()


@pytest.mark.parametrize("rate_limiter", [None, LocalRateLimiter()], ids=["unlimited", "limited"])
@pytest.mark.parametrize("troubles", [["busy", "down"], ["", "busy", "down"]], ids=["at opening", "at renewal"])
async def test_call_outlives_a_moment_without_credentials(
    counterpart: Counterpart, sts: _Sts, troubles: list[str], rate_limiter: LocalRateLimiter | None
) -> None:
    sts.troubles = list(troubles)
    client = Client(region="us-east-1", endpoint_url=counterpart.url, rate_limiter=rate_limiter, retry=_QUICK)
    await client.stop_stream_processor("lobby")
    await client.aclose()
    assert len(counterpart.requests) == 1


async def test_client_opens_after_a_moment_without_credentials(counterpart: Counterpart, sts: _Sts) -> None:
    sts.troubles = ["busy", "down"]
    async with Client(region="us-east-1", endpoint_url=counterpart.url, retry=_QUICK) as client:
        await client.stop_stream_processor("lobby")
    assert len(counterpart.requests) == 1


@pytest.mark.parametrize("rate_limiter", [None, LocalRateLimiter()], ids=["unlimited", "limited"])
@pytest.mark.parametrize("troubles", [["silence"], ["", "silence"]], ids=["at opening", "at renewal"])
async def test_call_that_waits_for_credentials_was_not_sent(
    counterpart: Counterpart, sts: _Sts, troubles: list[str], rate_limiter: LocalRateLimiter | None
) -> None:
    sts.troubles = list(troubles)
    client = Client(
        region="us-east-1", endpoint_url=counterpart.url, rate_limiter=rate_limiter, timeout=Timeout(total=1)
    )
    with pytest.raises(errors.DeadlineExceededError) as caught:
        await client.stop_stream_processor("lobby")
    assert caught.value.retry_safe
    assert counterpart.requests == []
    await client.aclose()


async def _no_region() -> None:
    await AwsTransport().open()


async def _no_credentials() -> None:
    os.environ.pop("AWS_ACCESS_KEY_ID")
    os.environ.pop("AWS_SECRET_ACCESS_KEY")
    await AwsTransport(region="us-east-1").open()


async def _half_credentials() -> None:
    os.environ.pop("AWS_SECRET_ACCESS_KEY")
    await AwsTransport(region="us-east-1").open()


async def _no_such_profile() -> None:
    await AwsTransport(region="us-east-1", profile="gone").open()


async def _no_such_profile_of_a_session() -> None:
    await AwsTransport(region="us-east-1", session=AioSession(profile="gone")).open()


async def _bad_endpoint() -> None:
    await AwsTransport(region="us-east-1", endpoint_url="no address").open()


async def _bad_region() -> None:
    await AwsTransport(region="us east 1").open()


def test_session_and_profile_are_not_given_together() -> None:
    with pytest.raises(errors.InvalidRequestError, match=r"profile: .*not both"):
        AwsTransport(session=AioSession(), profile="cameras")


@pytest.mark.parametrize(
    ("attempt", "says"),
    [
        (_no_region, "AWS_DEFAULT_REGION"),
        (_no_credentials, "AWS_ACCESS_KEY_ID"),
        (_half_credentials, "incomplete"),
        (_no_such_profile, "AWS_PROFILE"),
        (_no_such_profile_of_a_session, "AWS_PROFILE"),
        (_bad_endpoint, "no address"),
        (_bad_region, "us east 1"),
    ],
)
async def test_configuration_error_names_the_setting(attempt: Callable[[], Awaitable[None]], says: str) -> None:
    with pytest.raises(errors.ConfigurationError, match=says):
        await attempt()


async def test_credentials_that_appear_later_are_found_by_the_next_call(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    with pytest.raises(errors.ConfigurationError):
        await transport.send(*_A_CALL)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIALATER")
    await transport.send(*_A_CALL)
    await transport.aclose()
    assert "AKIALATER" in counterpart.requests[0].headers["authorization"]


async def test_session_of_the_callers_own_keeps_its_credentials_and_hooks(counterpart: Counterpart) -> None:
    session = AioSession()
    session.set_credentials("AKIAMINE", "my-secret", "my-token")
    heard: list[str] = []

    async def hear(event_name: str, **_: object) -> None:
        heard.append(event_name.partition(".")[0])

    events = (
        "provide-client-params", "before-call", "request-created", "choose-signer", "before-sign", "before-send",
        "before-parse", "response-received", "needs-retry", "after-call",
    )  # fmt: skip
    for event in events:
        session.register(f"{event}.rekognition", hear)
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        await transport.send(*_A_CALL)
    assert heard == list(events)
    headers = counterpart.requests[0].headers
    assert "Credential=AKIAMINE/" in headers["authorization"]
    assert headers["x-amz-security-token"] == "my-token"


async def test_session_without_signatures_needs_no_credentials(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    session = AioSession()
    session.set_default_client_config(AioConfig(signature_version=UNSIGNED))
    async with AwsTransport(region="us-east-1", endpoint_url=counterpart.url, session=session) as transport:
        await transport.send(*_A_CALL)
    assert "authorization" not in counterpart.requests[0].headers


async def test_instrumentation_of_aiobotocore_observes_every_call(
    transport: AwsTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    # OpenTelemetry's, X-Ray's and Datadog's instrumentation replace this method.
    heard: list[str] = []
    original = AioBaseClient._make_api_call

    async def instrumented(
        self: AioBaseClient, operation_name: str, api_params: dict[str, object]
    ) -> dict[str, object]:
        heard.append(operation_name)
        return await original(self, operation_name, api_params)

    monkeypatch.setattr(AioBaseClient, "_make_api_call", instrumented)
    await transport.send(*_A_CALL)
    assert heard == ["StopStreamProcessor"]


async def test_secrets_are_neither_shown_nor_logged(
    counterpart: Counterpart, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret-key")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "the-session-token")
    caplog.set_level(logging.DEBUG, "aiorekostream")
    shown = [repr(AwsTransport(endpoint_url="https://user:the-password@127.0.0.1"))]
    transport = AwsTransport(region="us-east-1", endpoint_url=counterpart.url)
    await transport.send(*_A_CALL)
    counterpart.script = lambda _: RESET
    with pytest.raises(errors.ConnectionLostError) as caught:
        await transport.send("StartStreamProcessor", {"Name": "a"})
    shown += [repr(transport), repr(caught.value), str(caught.value)]
    await transport.aclose()
    shown += [repr(transport)]
    logged = [record.getMessage() for record in caplog.records if record.name.startswith("aiorekostream")]
    assert logged
    for text in (*shown, *logged):
        for secret in ("the-secret-key", "the-session-token", "the-password"):
            assert secret not in text


async def test_repr_has_the_endpoint_and_the_state() -> None:
    transport = AwsTransport(region="us-east-1", endpoint_url="http://127.0.0.1:4599")
    assert repr(transport) == "<AwsTransport for us-east-1 at 127.0.0.1:4599, not open>"
    await transport.open()
    assert repr(transport) == "<AwsTransport for us-east-1 at 127.0.0.1:4599, open>"
    await transport.aclose()
    assert repr(transport) == "<AwsTransport for us-east-1 at 127.0.0.1:4599, closed>"
    assert repr(AwsTransport()) == "<AwsTransport for the default Region, not open>"


@pytest.mark.parametrize("url", ["none", "http://", "http://[::1"])
def test_repr_of_an_invalid_endpoint_raises_nothing(url: str) -> None:
    transport = AwsTransport(region="us-east-1", endpoint_url=url)
    assert repr(transport) == "<AwsTransport for us-east-1 at an unreadable address, not open>"


@pytest.mark.parametrize("number", [0, -1, 1.5, True, "10"])
def test_max_connections_is_a_positive_integer(number: int) -> None:
    with pytest.raises(errors.InvalidRequestError, match="max_connections"):
        AwsTransport(max_connections=number)


def test_transport_reports_every_invalid_timeout_at_once() -> None:
    with pytest.raises(errors.InvalidRequestError) as caught:
        Timeout(connect=0, read=float("inf"), total=True)
    assert [fault.path for fault in caught.value.issues] == ["connect", "read", "total"]
    assert Timeout(connect=1).connect == 1
    assert AwsTransport(timeout=Timeout(read=3)).timeout.read == 3
