"""Nothing that a failing program prints contains a secret, and no text of the service can forge a line of a log."""

from __future__ import annotations

import base64
import io
import json
import logging
import traceback
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

import aiorekostream as rks
from aiorekostream.transport.aws import AwsTransport
from aiorekostream.transport.secrets import Secrets, without_userinfo
from tests.transport.counterpart import RESET, Counterpart, Request, StubAnswer, error, http, proxying, serving
from tests.transport.two_paths import new_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ONCE = rks.RetryPolicy(max_attempts=2, base_delay=0, max_delay=0, max_apply_delay=0, max_apply_delay_after_close=0)
_SECRETS = {
    "secret key": "planted-secret-key",
    "session token": "planted-session-token/+==",
    "access key": "AKIAPLANTED",
    "password of the proxy": "planted-proxy-password",
    "user of the proxy": "planted-proxy-user",
    "password of the endpoint": "planted-endpoint-password",
    "password of a redirect": "planted-redirect-password",
}


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the program prints: our loggers at DEBUG, and what it writes here itself."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", _SECRETS["access key"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", _SECRETS["secret key"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", _SECRETS["session token"])
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("aiorekostream")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield stream
    logger.setLevel(level)
    logger.removeHandler(handler)


def _everything(error: BaseException) -> str:
    """What a debugger or a reporter of errors may show: the traceback and, hidden or not, every chained exception."""
    found: list[str] = []
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            found += [str(each), repr(each), str(vars(each)), *traceback.format_exception(each)]
            waiting += [each.__cause__, each.__context__]
    return "\n".join(found)


async def _run(printed: io.StringIO, url: str | None, *, observed: bool = False) -> str:
    """Everything that a program prints whose calls fail."""
    transport = AwsTransport(region="us-east-1", endpoint_url=url, session=new_session(observed=observed))
    client = rks.Client(transport=transport, retry=_ONCE, timeout=5)
    for call in (
        client.start_stream_processor(rks.FaceSearchStart("lobby")),
        client.describe_stream_processor("lobby"),
        client.list_stream_processors().pages().__anext__(),
        rks.Fleet(client).start([rks.FaceSearchStart("door")]),
    ):
        try:
            print(await call, file=printed)
        except rks.RekostreamError as caught:
            print(_everything(caught), file=printed)
    print(repr(client), repr(transport), file=printed)
    try:
        print(transport.scope, file=printed)
    except rks.RekostreamError as caught:
        print(_everything(caught), file=printed)
    await client.aclose()
    await transport.aclose()
    return printed.getvalue()


def _assert_clean(text: str, *, but: tuple[str, ...] = ("access key",)) -> None:
    """The access key may be shown as the identity of the account, by the scope alone."""
    assert text
    for name, secret in _SECRETS.items():
        if name not in but:
            assert secret not in text, name


def _echo(request: Request) -> StubAnswer:
    values = [request.headers.get(name, "") for name in ("x-amz-security-token", "authorization")]
    return error("ValidationError", f"These headers are wrong: {values} {request.head}")


def _echo_as_code(request: Request) -> StubAnswer:
    return error(request.headers.get("x-amz-security-token", ""), status=403)


def _echo_as_success(request: Request) -> StubAnswer:
    return http(request.head.encode())


_REDIRECT = http(
    status=302, headers={"Location": f"https://u:{_SECRETS['password of a redirect']}@elsewhere/?Signature=x"}
)


def _redirect(_: Request) -> StubAnswer:
    return _REDIRECT


def _reset(_: Request) -> StubAnswer:
    return RESET


def test_response_keeps_the_data_of_records_as_it_is() -> None:
    secrets = Secrets()
    secrets.add(ReadOnlyCredentials("AKIA12345", "secret-key", _TOKEN))
    response = json.dumps({"Records": [{"Data": base64.b64encode(_TOKEN.encode()).decode()}]})
    assert secrets.redacted_response(response) == response


@pytest.mark.parametrize("observed", [False, True], ids=["lean", "botocore"])
@pytest.mark.parametrize(
    "script",
    [_echo, _echo_as_code, _echo_as_success, _redirect, _reset],
    ids=["echo", "echo as code", "echo as success", "redirect", "reset"],
)
async def test_no_secret_is_printed(
    counterpart: Counterpart, printed: io.StringIO, script: Callable[[Request], StubAnswer], *, observed: bool
) -> None:
    counterpart.script = script
    _assert_clean(await _run(printed, counterpart.url, observed=observed))


@pytest.mark.parametrize("observed", [False, True], ids=["lean", "botocore"])
@pytest.mark.parametrize("failure", ["407", "502", "gone", "port", "scheme", "unencoded"])
async def test_no_password_of_a_proxy_is_printed(
    monkeypatch: pytest.MonkeyPatch, printed: io.StringIO, failure: str, *, observed: bool
) -> None:
    userinfo = f"{_SECRETS['user of the proxy']}:{_SECRETS['password of the proxy']}@"
    status = int(failure) if failure.isdigit() else 200
    text = ""
    async with serving(certificate="localhost") as counterpart:
        async with proxying(counterpart, status=status) as proxy:
            url = {"port": "http://h:99999", "scheme": "socks5://h:1"}.get(failure, proxy.url)
            given = userinfo.replace("@", "#/?@") if failure == "unencoded" else userinfo
            monkeypatch.setenv("HTTPS_PROXY", url.replace("//", f"//{given}"))
            if failure != "gone":
                text = await _run(printed, counterpart.url, observed=observed)
        if failure == "gone":
            text = await _run(printed, counterpart.url, observed=observed)
    _assert_clean(text)


async def test_no_password_of_the_endpoint_is_printed(printed: io.StringIO) -> None:
    userinfo = f"user:{_SECRETS['password of the endpoint']}@"
    for url in (f"http://{userinfo}127.0.0.1:9", f"http://{userinfo}127.0.0.1:999999", f"http://{userinfo}"):
        _assert_clean(await _run(printed, url))


@pytest.mark.usefixtures("printed")
async def test_access_key_is_not_printed_by_errors(counterpart: Counterpart) -> None:
    counterpart.script = _echo
    async with rks.Client(region="us-east-1", endpoint_url=counterpart.url, retry=_ONCE) as client:
        with pytest.raises(rks.ServiceError) as caught:
            await client.describe_stream_processor("lobby")
    _assert_clean(_everything(caught.value), but=())
    assert "[redacted]" in str(caught.value)


@pytest.mark.parametrize("key", ["a", "x", "any", "test", "testing"])
async def test_error_is_legible_when_the_keys_are_made_up(counterpart: Counterpart, key: str) -> None:
    """The keys that programs use with an emulator are parts of words: nothing is replaced, and hints are found."""
    message = "Stream processor testing-x for any exam not found"
    counterpart.script = lambda _: error("ResourceNotFoundException", message)
    async with rks.Client(
        region="us-east-1", endpoint_url=counterpart.url, aws_access_key_id=key, aws_secret_access_key=key
    ) as client:
        with pytest.raises(rks.ResourceNotFoundError) as caught:
            await client.describe_stream_processor("lobby")
    assert caught.value.message == message
    assert caught.value.code == "ResourceNotFoundException"
    assert "us-east-1" in caught.value.hint


# -------------------------------------------------------------------------------------------------- text of the service


async def test_text_of_the_service_is_cut(counterpart: Counterpart, printed: io.StringIO) -> None:
    counterpart.script = lambda _: error("ValidationError", "x" * 5_000_000)
    assert len(await _run(printed, counterpart.url)) < 60_000
    async with rks.Client(region="us-east-1", endpoint_url=counterpart.url) as client:
        with pytest.raises(rks.ServiceError) as caught:
            await client.describe_stream_processor("lobby")
    assert caught.value.message == "x" * 297 + "..."


async def test_text_of_the_service_cannot_forge_a_line(counterpart: Counterpart, printed: io.StringIO) -> None:
    forged = "2026-04-30 CRITICAL forged"
    counterpart.script = lambda _: error("ValidationError", f"a\r\n{forged}\x1b[2J\u2028{forged}")
    text = await _run(printed, counterpart.url)
    assert "forged" in text
    assert not any(line.startswith(forged) for line in text.splitlines())
    assert "\x1b" not in text


def test_secrets_are_redacted_with_their_decoded_forms() -> None:
    secrets = Secrets()
    secrets.add(ReadOnlyCredentials("AKIA12345", "secret-key", "secret-key-and-token"))
    secrets.add_url("http://user:p%40ss%2Fword@host:1")
    text = "AKIA12345 secret-key-and-token secret-key p%40ss%2Fword p@ss/word http://a:b@host/x http://host/y@z"
    assert secrets.clean(text) == (
        "[redacted] [redacted] [redacted] [redacted] [redacted] http://host/x http://host/y@z"
    )
    assert not any(value in repr(secrets) for value in ("AKIA12345", "secret-key", "p@ss/word"))


_TOKEN = "IQoJb3JpZ2luX2VjEJ" + "abcDEF123/+xyz" * 60 + "=="  # as long as those of AWS
_SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "URL": lambda text: quote(text, safe=""),
    "path": quote,
    "lower case": lambda text: quote(text, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "twice": lambda text: quote(quote(text, safe=""), safe=""),
    "JSON": lambda text: text.replace("/", "\\/"),
    "JSON twice": lambda text: text.replace("/", "\\\\/"),
    "code points": lambda text: text.replace("+", "\\u002b").replace("/", "\\u002F").replace("=", "\\x3d"),
    "HTML": lambda text: text.replace("+", "&#43;").replace("/", "&#x2F;").replace("=", "&equals;"),
    "Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "Base64 of URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
}


def _pieces(text: str) -> set[str]:
    return {text[start : start + 30] for start in range(0, len(text) - 30, 10)}


@pytest.mark.parametrize("spelling", _SPELLINGS)
def test_token_is_redacted_in_every_spelling(spelling: str) -> None:
    """Also where a text is cut within it."""
    secrets = Secrets()
    secrets.add(ReadOnlyCredentials("AKIA12345", "secret-key", _TOKEN))
    spelled = _SPELLINGS[spelling](_TOKEN)
    for text in (f"wrong: {spelled}, is it?", f"b'{spelled[:150]}...'", " ".join([spelled] * 500)):
        shown = secrets.clean(text)
        assert "[redacted]" in shown
        assert not [piece for piece in _pieces(spelled) if piece in shown]


@pytest.mark.parametrize("text", [_TOKEN, f'the token "{_TOKEN}" is wrong', f"'{_TOKEN}'"])
def test_response_without_its_secrets_is_still_json(text: str) -> None:
    secrets = Secrets()
    secrets.add(ReadOnlyCredentials("AKIA12345", "secret-key", _TOKEN))
    response = {"StatusMessage": text, "Status": "FAILED"}
    redacted = {"StatusMessage": text.replace(_TOKEN, "[redacted]"), "Status": "FAILED"}
    assert json.loads(secrets.redacted_response(json.dumps(response))) == redacted


@pytest.mark.parametrize("observed", [False, True], ids=["lean", "botocore"])
@pytest.mark.parametrize(
    "answer",
    [
        error("ValidationError", " ".join([_TOKEN] * 5)),
        error(_TOKEN, "wrong"),
        http(f"<html>{_TOKEN}".encode()),
        http(json.dumps({"Status": [_TOKEN], "SessionId": 5}).replace("/", "\\/").encode()),
        http(b"?", headers={"x-amzn-RequestId": _TOKEN}),
        StubAnswer(f"HTTP/1.1 {_TOKEN}\r\n\r\n".encode(), close=True),
        StubAnswer(f"HTTP/1.1 200 OK\r\nX: {_TOKEN * 10}\r\n\r\n".encode(), close=True),
    ],
    ids=["message", "code", "page", "member", "request id", "status line", "header"],
)
async def test_echoed_token_is_not_printed_in_part(
    counterpart: Counterpart,
    printed: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    answer: StubAnswer,
    *,
    observed: bool,
) -> None:
    """A token of AWS is longer than any text that is shown."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", _TOKEN)
    counterpart.script = lambda _: answer
    text = await _run(printed, counterpart.url, observed=observed)
    assert not [piece for piece in _pieces(_TOKEN) if piece in text]


def test_basic_authorization_of_a_proxy_is_redacted() -> None:
    secrets = Secrets()
    secrets.add_url("http://user:p%40ss@host:1")
    assert secrets.clean(f"Proxy-Authorization: Basic {base64.b64encode(b'user:p@ss').decode()}") == (
        "Proxy-Authorization: Basic [redacted]"
    )


def test_values_of_the_latest_credentials_are_kept() -> None:
    """Credentials are renewed for as long as a program runs."""
    secrets = Secrets()
    for number in range(1000):
        secrets.add(ReadOnlyCredentials(f"AKIA-{number:04}", f"secret-{number:04}", None))
    assert secrets.clean("secret-0999 secret-0998 secret-0000") == "[redacted] [redacted] secret-0000"


@given(st.text(min_size=8, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_value_is_redacted_whatever_its_characters(value: str, before: str, after: str) -> None:
    secrets = Secrets()
    secrets.add(ReadOnlyCredentials(value, value, None))
    assert value not in secrets.redacted(f"{before}{value}{after}").replace("[redacted]", "")


@given(st.text(max_size=4000))
def test_clean_text_is_one_short_line(text: str) -> None:
    shown = Secrets().clean(text)
    assert len(shown) <= 300
    assert len(shown.splitlines()) <= 1
    assert shown.isprintable() or not text.isprintable()


@given(st.text("ab:@/?#'\" ", max_size=20))
def test_no_userinfo_is_left(text: str) -> None:
    shown = without_userinfo(f"see http://{text}")
    authority = shown.removeprefix("see http://").partition("/")[0].partition("?")[0].partition("#")[0]
    assert "@" not in authority.split(" ")[0].split("'")[0].split('"')[0]


def test_exception_with_a_secret_is_not_chained() -> None:
    secrets = Secrets()
    secrets.add(ReadOnlyCredentials("AKIA12345", "secret-key", None))
    inner, outer = ValueError("a secret-key"), RuntimeError("x")
    assert secrets.may_be_chained(outer)
    outer.__cause__ = inner
    assert not secrets.may_be_chained(outer)
    assert not secrets.may_be_chained(ValueError("line\nanother"))
    assert not secrets.may_be_chained(ValueError("http://u:p@h"))
    # Its text does not show the argument; its repr does.
    assert not secrets.may_be_chained(UnicodeEncodeError("utf-8", "secret-key", 0, 1, "no"))
