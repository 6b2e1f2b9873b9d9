"""Sign requests of the awsJson protocol with Signature Version 4, faster than botocore's general implementation.

A request of this protocol is always a small POST to ``/``. Signing it directly, with a cached signing key, takes a
quarter of the time of botocore's implementation, and signing is a fifth of a call's CPU time. Requests of any other
form are passed on to botocore. A test compares the two implementations.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from botocore.auth import AUTH_TYPE_MAPS, SIGNED_HEADERS_BLACKLIST, SIGV4_TIMESTAMP, SigV4Auth
from botocore.compat import get_current_datetime

if TYPE_CHECKING:
    from botocore.awsrequest import AWSRequest

__all__ = ["SIGNATURE_VERSION", "JsonCallAuth", "choose"]

SIGNATURE_VERSION = "aiorekostream-v4"

_ALGORITHM = "AWS4-HMAC-SHA256"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_NOT_SIGNED = frozenset(SIGNED_HEADERS_BLACKLIST)
_CHANGES_THE_RULES = ("Date", "X-Amz-Content-SHA256")


class JsonCallAuth(SigV4Auth):
    """Sign one request. botocore creates one signer for each request, with the current credentials."""

    def add_auth(self, request: AWSRequest) -> None:
        """Add the headers of the signature to a request.

        Raises:
            NoCredentialsError: there are no credentials.
        """
        host = _host_of_root(request.url)
        body = request.data
        headers = request.headers
        if (
            self.credentials is None
            or host is None
            or not isinstance(body, bytes)
            or request.method != "POST"
            or request.params
            or not request.context.get("payload_signing_enabled", True)
            or any(name in headers for name in _CHANGES_THE_RULES)
        ):
            super().add_auth(request)
            return
        del headers["Authorization"], headers["X-Amz-Date"]  # from an earlier signature
        moment = request.context["timestamp"] = get_current_datetime().strftime(SIGV4_TIMESTAMP)
        headers["X-Amz-Date"] = moment
        if self.credentials.token:
            del headers["X-Amz-Security-Token"]
            headers["X-Amz-Security-Token"] = self.credentials.token
        to_sign = {"host": host} | {name.lower(): " ".join(value.split()) for name, value in headers.items()}
        if len(to_sign) <= len(headers) - ("host" in headers):  # a repeated header, which botocore joins
            super().add_auth(request)
            return
        names = sorted(to_sign.keys() - _NOT_SIGNED)
        signed = ";".join(names)
        lines = [f"{name}:{to_sign[name]}" for name in names]
        canonical = "\n".join(("POST", "/", "", *lines, "", signed, hashlib.sha256(body).hexdigest()))
        day = moment[:8]
        scope = f"{day}/{self._region_name}/{self._service_name}/aws4_request"
        text = f"{_ALGORITHM}\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = _signing_key(self.credentials.secret_key, day, self._region_name, self._service_name)
        signature = hmac.digest(key, text.encode(), "sha256").hex()
        headers["Authorization"] = (
            f"{_ALGORITHM} Credential={self.credentials.access_key}/{scope}, "
            f"SignedHeaders={signed}, Signature={signature}"
        )


@functools.lru_cache(maxsize=16)
def _signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


@functools.lru_cache(maxsize=16)
def _host_of_root(url: str) -> str | None:
    """Return the host to sign for a URL without path and query; ``None`` for any other URL."""
    parts = urlsplit(url)
    if parts.path not in {"", "/"} or parts.query or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    is_default = parts.port is None or parts.port == _DEFAULT_PORTS.get(parts.scheme)
    return host if is_default else f"{host}:{parts.port}"


# botocore's table of signers; botocore registers those of awscrt in the same way.
AUTH_TYPE_MAPS[SIGNATURE_VERSION] = JsonCallAuth


def choose(signature_version: object, **_: object) -> str | None:
    """Handle botocore's event ``choose-signer``: replace Signature Version 4, and no other signer."""
    return SIGNATURE_VERSION if signature_version == "v4" else None
