from __future__ import annotations

import datetime
from typing import Any

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from aiorekostream.emulator.http.signatures import check_signature, read_signature
from aiorekostream.emulator.world.answers import RefusedError
from aiorekostream.emulator.world.identity import account_for_key

KEY, SECRET = "AKIAEXAMPLE", "secret/with+signs="
BODY = b'{"Name":"door"}'
SCOPE = f"{KEY}/20260101/us-east-1/rekognition/aws4_request"


def signed(*, token: str | None = None, extra: dict[str, str] | None = None) -> dict[str, str]:
    """The headers of a request as botocore signs it, now."""
    headers = {
        "Host": "127.0.0.1:4599",
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": "RekognitionService.DescribeStreamProcessor",
        **(extra or {}),
    }
    session: Any = boto3.Session(aws_access_key_id=KEY, aws_secret_access_key=SECRET, aws_session_token=token)
    credentials: Any = session.get_credentials()
    request: Any = AWSRequest("POST", "http://127.0.0.1:4599/", headers=headers, data=BODY)
    SigV4Auth(credentials, "rekognition", "eu-west-1").add_auth(request)
    return {str(name).lower(): str(value) for name, value in request.headers.items()}


def check(
    headers: dict[str, str], *, body: bytes = BODY, secret: str = SECRET, off: datetime.timedelta = datetime.timedelta()
) -> None:
    now = datetime.datetime.now(datetime.UTC) + off
    signature = read_signature(headers.get("authorization"))
    check_signature(signature, secrets={KEY: secret}, headers=headers, body=body, now=now)


def refused(
    headers: dict[str, str], *, body: bytes = BODY, secret: str = SECRET, off: datetime.timedelta = datetime.timedelta()
) -> tuple[str, int]:
    with pytest.raises(RefusedError) as caught:
        check(headers, body=body, secret=secret, off=off)
    return caught.value.refusal.code, caught.value.refusal.status


@pytest.mark.parametrize(
    "options", [{}, {"token": "session-token"}, {"extra": {"X-Amz-Meta": "  two   spaces ", "User-Agent": "x"}}]
)
def test_signature_of_botocore_is_valid(options: dict[str, Any]) -> None:
    headers = signed(**options)
    check(headers)
    signature = read_signature(headers["authorization"])
    assert (signature.credential.access_key, signature.credential.region) == (KEY, "eu-west-1")


def test_signature_does_not_match_other_secret_body_header_or_region() -> None:
    wrong = ("InvalidSignatureException", 403)
    assert refused(signed(), secret="another") == wrong
    assert refused(signed(), body=BODY + b" ") == wrong
    assert refused({**signed(), "x-amz-target": "RekognitionService.DeleteStreamProcessor"}) == wrong
    headers = signed()
    headers["authorization"] = headers["authorization"].replace("eu-west-1", "us-east-1")
    assert refused(headers) == wrong
    headers = signed()
    headers["authorization"] = headers["authorization"][:-1] + "\udcff"
    assert refused(headers) == wrong


def test_unknown_access_key_is_an_unrecognized_client() -> None:
    headers = signed()
    headers["authorization"] = headers["authorization"].replace(KEY, "AKIAOTHER")
    assert refused(headers) == ("UnrecognizedClientException", 403)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_signature_is_invalid_when_off_by_more_than_five_minutes(minutes: int) -> None:
    assert refused(signed(), off=datetime.timedelta(minutes=minutes)) == ("InvalidSignatureException", 403)


def test_signature_requires_a_signed_host_and_a_valid_date() -> None:
    headers = signed()
    del headers["x-amz-date"]
    assert refused(headers) == ("InvalidSignatureException", 403)
    assert refused({**signed(), "x-amz-date": "today"}) == ("IncompleteSignatureException", 403)
    assert refused({**signed(), "x-amz-date": "20200101T000000Z"}) == ("InvalidSignatureException", 403)
    headers = signed()
    headers["authorization"] = headers["authorization"].replace("host;", "")
    assert refused(headers) == ("InvalidSignatureException", 403)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "MissingAuthenticationTokenException"),
        ("", "MissingAuthenticationTokenException"),
        ("Bearer abc", "IncompleteSignatureException"),
        ("AWS4-ECDSA-P256-SHA256 Credential=x", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256", "IncompleteSignatureException"),
        (f"AWS4-HMAC-SHA256 Credential={SCOPE}", "IncompleteSignatureException"),
        (f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host", "IncompleteSignatureException"),
        ("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=0", "IncompleteSignatureException"),
        (
            f"AWS4-HMAC-SHA256 Credential={SCOPE.replace('rekognition', 's3')}, SignedHeaders=host, Signature=0",
            "InvalidSignatureException",
        ),
        (
            f"AWS4-HMAC-SHA256 Credential={SCOPE.replace('us-east-1', '..')}, SignedHeaders=host, Signature=0",
            "InvalidSignatureException",
        ),
        (
            f"AWS4-HMAC-SHA256 Credential={SCOPE.replace(KEY, 'K' + chr(0xDCFF))}, SignedHeaders=host, Signature=0",
            "IncompleteSignatureException",
        ),
    ],
)
def test_malformed_authorization_is_refused(authorization: str | None, code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_signature(authorization)
    assert (caught.value.refusal.code, caught.value.refusal.status) == (code, 403)


def test_account_for_key_is_unique_and_stable() -> None:
    accounts = {account_for_key(f"AKIA{number}") for number in range(1000)}
    assert len(accounts) == 1000
    assert all(len(account) == 12 and account.isdecimal() for account in accounts)
    assert account_for_key("AKIA1") == account_for_key("AKIA1")
