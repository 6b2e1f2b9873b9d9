"""Sign a request of the awsJson protocol with Signature Version 4.

A request of this protocol is a small POST to ``/``, so the canonical request has no query and a constant path. With a
cached signing key this takes a quarter of the time of botocore's general implementation, which is a fifth of a call's
CPU time. A test compares the two. See
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from typing import TYPE_CHECKING

from botocore.auth import SIGNED_HEADERS_BLACKLIST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.credentials import ReadOnlyCredentials

__all__ = ["SET_BY_SIGNERS", "signature_headers"]

_ALGORITHM = "AWS4-HMAC-SHA256"
_NOT_SIGNED = frozenset(SIGNED_HEADERS_BLACKLIST)

SET_BY_SIGNERS = frozenset(
    {"authorization", "date", "host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"}
)
"""The headers, in lower case, that a request must not have yet; botocore has rules of its own where it has them."""


def signature_headers(
    headers: Mapping[str, str],
    body: bytes,
    *,
    host: str,
    credentials: ReadOnlyCredentials,
    region: str,
    service: str,
    moment: str,
) -> dict[str, str]:
    """Return the headers that sign a POST to ``/``, in botocore's order.

    Args:
        headers: the other headers, none of them among ``SET_BY_SIGNERS``.
        body: the body.
        host: the value of the header Host, which the HTTP client adds.
        credentials: the keys and, for temporary ones, the session token.
        region: the Region of the credential scope.
        service: the service of the credential scope.
        moment: the time in UTC, as ``YYYYMMDDTHHMMSSZ``.
    """
    added = {"X-Amz-Date": moment}
    if credentials.token:
        added["X-Amz-Security-Token"] = credentials.token
    to_sign = {name.lower(): " ".join(value.split()) for name, value in (*headers.items(), *added.items())}
    to_sign["host"] = host
    names = sorted(to_sign.keys() - _NOT_SIGNED)
    signed = ";".join(names)
    lines = [f"{name}:{to_sign[name]}" for name in names]
    canonical = "\n".join(("POST", "/", "", *lines, "", signed, hashlib.sha256(body).hexdigest()))
    day = moment[:8]
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = _signing_key(credentials.secret_key, day, region, service)
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    added["Authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"
    )
    return added


@functools.lru_cache(maxsize=16)
def _signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
