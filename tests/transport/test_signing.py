"""The signer of the package and that of botocore produce the same signature."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING
from unittest import mock

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import NoCredentialsError
from hypothesis import example, given
from hypothesis import strategies as st

from aiorekostream.transport import _signing

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOMENT = datetime.datetime(2026, 4, 30, 23, 59, 59, tzinfo=datetime.UTC)
_TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
_NAMES = st.sampled_from(
    [
        "Authorization",
        "Content-Type",
        "Date",
        "Host",
        "Transfer-Encoding",
        "User-Agent",
        "X-Amz-Content-SHA256",
        "X-Amz-Date",
        "X-Amz-Security-Token",
        "X-Amz-Target",
        "X-Amzn-Trace-Id",
        "X-Odd",
    ]
)
_URLS = st.sampled_from(
    [
        "https://rekognition.us-east-1.amazonaws.com",
        "https://rekognition.us-east-1.amazonaws.com/",
        "http://h:80/",
        "http://127.0.0.1:4599",
        "http://[::1]:4599/",
        "https://H:443",
        "https://h/path/",
        "https://h/?a=b",
    ]
)


def _signed(
    kind: type[SigV4Auth],
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    again: tuple[str, str] | None = None,
    token: str | None = None,
    sign_payload: bool = True,
) -> list[tuple[str, str]]:
    request = AWSRequest(method="POST", url=url, headers=headers, data=body)
    if again is not None:
        request.headers[again[0]] = again[1]
    request.context["payload_signing_enabled"] = sign_payload
    credentials = ReadOnlyCredentials("AKIAEXAMPLE", "an-example-and-no-secret", token)
    with (
        mock.patch.object(botocore.auth, "get_current_datetime", return_value=_MOMENT),
        mock.patch.object(_signing, "get_current_datetime", return_value=_MOMENT),
    ):
        kind(credentials, "rekognition", "us-east-1").add_auth(request)
    assert request.context["timestamp"] == "20260430T235959Z"
    return sorted(request.headers.items())


@given(
    url=_URLS,
    headers=st.dictionaries(_NAMES, _TEXT),
    again=st.none() | st.tuples(_NAMES, _TEXT),
    body=st.binary(max_size=50),
    token=st.none() | _TEXT.filter(bool),
    sign_payload=st.booleans(),
)
@example(url="http://h", headers={"Host": "h"}, again=("Host", "i"), body=b"{}", token=None, sign_payload=True)
def test_signer_signs_as_botocore_does(
    *,
    url: str,
    headers: dict[str, str],
    again: tuple[str, str] | None,
    body: bytes,
    token: str | None,
    sign_payload: bool,
) -> None:
    theirs = _signed(SigV4Auth, url, headers, body, again=again, token=token, sign_payload=sign_payload)
    ours = _signed(_signing.JsonCallAuth, url, headers, body, again=again, token=token, sign_payload=sign_payload)
    assert ours == theirs


def test_key_is_kept_for_its_day_only() -> None:
    keys = {_signing._signing_key("secret", day, "us-east-1", "rekognition") for day in ("20260430", "20260501")}
    assert len(keys) == 2


def test_signer_signs_nothing_without_credentials() -> None:
    request = AWSRequest(method="POST", url="http://h", headers={}, data=b"{}")
    with pytest.raises(NoCredentialsError):
        _signing.JsonCallAuth(None, "rekognition", "us-east-1").add_auth(request)


@pytest.mark.parametrize(("version", "chosen"), [("v4", _signing.SIGNATURE_VERSION), ("v4a", None), ("v4-query", None)])
def test_signer_replaces_only_version_4(version: str, chosen: str | None) -> None:
    assert _signing.choose(signature_version=version, signing_name="rekognition") == chosen
