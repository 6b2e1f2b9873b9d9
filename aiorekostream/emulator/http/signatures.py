"""Parse and verify Signature Version 4.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html. Independent of
botocore's implementation, which signs the requests of the tests.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator.world.answers import Refusal, RefusedError, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Credential", "Signature", "SignedResource", "check_signature", "read_signature"]

_ALGORITHM = "AWS4-HMAC-SHA256"
_SCOPE = re.compile(r"(?P<key>[!-.0-~]+)/(?P<date>[0-9]{8})/(?P<region>[^/\s]+)/(?P<service>[^/\s]+)/aws4_request")
# The lengths bound what a Region that does not exist can add to the call log.
_REGION = re.compile(r"[a-z]{2,8}(?:-[a-z]{1,16}){1,4}-[0-9]{1,3}")
_TIME = "%Y%m%dT%H%M%SZ"
# AWS documents that a request must arrive within five minutes of its timestamp:
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_aws-signing.html.
_SKEW = datetime.timedelta(minutes=5)

_MISSING = Refusal("MissingAuthenticationTokenException", "Missing Authentication Token", 403)
_UNKNOWN = Refusal("UnrecognizedClientException", "The security token included in the request is invalid.", 403)
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)


@attrs.frozen
class Credential:
    """The credential scope of a signature.

    Attributes:
        access_key: the access key.
        date: the date, such as ``20261124``.
        region: the Region.
        service: the service.
    """

    access_key: str
    date: str
    region: str
    service: str


@attrs.frozen
class Signature:
    """A parsed Authorization header.

    Attributes:
        credential: the credential scope.
        signed_headers: the lower-case names of the signed headers.
        value: the signature, in hexadecimal.
    """

    credential: Credential
    signed_headers: tuple[str, ...]
    value: str


@attrs.frozen
class SignedResource:
    """The part of a request beside its headers and its body that is signed.

    Attributes:
        method: the HTTP method.
        path: the canonical path: each segment percent-encoded.
        query: the canonical query: sorted, and each name and value percent-encoded.
        body_digest: the digest of the body that the caller states, as S3 accepts it; None for that of the body.
    """

    method: str
    path: str
    query: str
    body_digest: str | None = None


def read_signature(authorization: str | None, service: str = "rekognition") -> Signature:
    """Parse an Authorization header.

    Raises:
        RefusedError: the header is absent, has another scheme, is incomplete or is for another service.
    """
    if not authorization:
        raise refuse(_MISSING)
    algorithm, _, rest = authorization.strip().partition(" ")
    if algorithm != _ALGORITHM:
        raise _incomplete(f"Unsupported authorization: {_ALGORITHM} is needed.")
    parts: dict[str, str] = {}
    for part in rest.split(","):
        name, _, value = part.strip().partition("=")
        parts[name] = value
    for name in ("Credential", "SignedHeaders", "Signature"):
        if not parts.get(name):
            raise _incomplete(f"Authorization header requires '{name}' parameter.")
    scope = _SCOPE.fullmatch(parts["Credential"])
    if scope is None:
        raise _incomplete(f"Credential must be <access key>/<date>/<region>/{service}/aws4_request.")
    if _REGION.fullmatch(scope["region"]) is None:
        raise _rejected("Credential should be scoped to a valid region.")
    if scope["service"] != service:
        raise _rejected(f"Credential should be scoped to correct service: '{service}'.")
    credential = Credential(scope["key"], scope["date"], scope["region"], scope["service"])
    return Signature(credential, tuple(parts["SignedHeaders"].lower().split(";")), parts["Signature"])


def check_signature(
    signature: Signature,
    *,
    secrets: Mapping[str, str],
    headers: Mapping[str, str],
    body: bytes,
    now: datetime.datetime,
    resource: SignedResource | None = None,
) -> None:
    """Verify the signature of a request.

    Args:
        signature: the signature.
        secrets: secret keys by access key.
        headers: the headers by lower-case name.
        body: the body.
        now: the system time in UTC.
        resource: the method, the path and the query; those of ``POST /`` by default.

    Raises:
        RefusedError: the key is unknown, the time differs by more than 5 minutes, or the signature does not match.
    """
    credential = signature.credential
    secret = secrets.get(credential.access_key)
    if secret is None:
        raise refuse(_UNKNOWN)
    absent = {"host", "x-amz-date"} - set(signature.signed_headers) | set(signature.signed_headers) - set(headers)
    if absent:
        raise _rejected(f"These headers must be sent and signed: {', '.join(sorted(absent))}.")
    timestamp = headers["x-amz-date"]
    _check_time(timestamp, credential.date, now)
    resource = resource or SignedResource("POST", "/", "")
    canonical = "\n".join(
        [
            resource.method,
            resource.path,
            resource.query,
            *(f"{name}:{' '.join(headers[name].split())}" for name in signature.signed_headers),
            "",
            ";".join(signature.signed_headers),
            hashlib.sha256(body).hexdigest() if resource.body_digest is None else resource.body_digest,
        ]
    )
    scope = (credential.date, credential.region, credential.service, "aws4_request")
    to_sign = "\n".join([_ALGORITHM, timestamp, "/".join(scope), _sha256(canonical)])
    key = f"AWS4{secret}".encode()
    for part in (*scope, to_sign):
        key = hmac.digest(key, _encoded(part), hashlib.sha256)
    if not hmac.compare_digest(key.hex().encode(), _encoded(signature.value)):
        raise _rejected(_MISMATCH)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")  # aiohttp decodes invalid UTF-8 to lone surrogates


def _sha256(text: str) -> str:
    return hashlib.sha256(_encoded(text)).hexdigest()


def _check_time(timestamp: str, date: str, now: datetime.datetime) -> None:
    try:
        signed = datetime.datetime.strptime(timestamp, _TIME).replace(tzinfo=datetime.UTC)
    except ValueError:
        raise _incomplete(f"Date must be in ISO-8601 'basic format'. Got '{timestamp}'.") from None
    if not timestamp.startswith(date):
        raise _rejected("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP.")
    if signed < now - _SKEW:
        raise _rejected(f"Signature expired: {timestamp} is now earlier than {now - _SKEW:{_TIME}}.")
    if signed > now + _SKEW:
        raise _rejected(f"Signature not yet current: {timestamp} is still later than {now + _SKEW:{_TIME}}.")


def _incomplete(message: str) -> RefusedError:
    return refuse(Refusal("IncompleteSignatureException", message, 403))


def _rejected(message: str) -> RefusedError:
    return refuse(Refusal("InvalidSignatureException", message, 403))
