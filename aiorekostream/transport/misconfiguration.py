"""Distinguish a wrong configuration from a failure that passes; name it, and what to fix."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from typing import TYPE_CHECKING

import aiohttp
from botocore import exceptions as botocore

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["PROXY_AUTHENTICATION", "failure_to_connect", "of_connecting", "of_settings"]

_PROXY_AUTHENTICATION_REQUIRED = 407

PROXY_AUTHENTICATION = (
    "the proxy requires authentication (HTTP 407): check the user name and the password in HTTPS_PROXY or HTTP_PROXY,"
    " or exclude the endpoint with NO_PROXY"
)
# OpenSSL's verification results: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/.
_NOT_YET_VALID, _EXPIRED = 9, 10
_HOST_MISMATCH, _IP_ADDRESS_MISMATCH = 62, 64
# What botocore and the standard library say of an endpoint that is no URL.
_INVALID_ENDPOINT = ("Invalid endpoint: ", "Invalid IPv6 URL")
_NO_URL = (
    "the endpoint is no URL: set endpoint_url=..., AWS_ENDPOINT_URL, that of the service (AWS_ENDPOINT_URL_REKOGNITION)"
    " or the profile to http://HOST:PORT or https://HOST:PORT"
)
_NO_SUCH_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})

_SETTINGS: Mapping[type[Exception], str] = {
    botocore.NoRegionError: (
        "no AWS Region is set: give region=..., set AWS_DEFAULT_REGION, or name one in the profile"
        " (botocore does not read AWS_REGION)"
    ),
    botocore.NoCredentialsError: (
        "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where"
        " a role is attached; see https://docs.aws.amazon.com/boto3/latest/guide/credentials.html"
    ),
    botocore.PartialCredentialsError: "the AWS credentials are incomplete: an access key needs its secret key",
    botocore.ProfileNotFound: (
        "there is no such AWS profile: check profile=..., AWS_PROFILE, AWS_CONFIG_FILE and ~/.aws/config"
    ),
    botocore.SSOError: "the sign-in has run out: run `aws sso login`",
    botocore.LoginError: "the sign-in has run out: run `aws login`",
    botocore.TokenRetrievalError: "the sign-in has run out: run `aws sso login`",
}


def of_settings(error: Exception) -> str:
    """Return what to fix, for an error of botocore before a request was signed; empty for any other error."""
    if type(error) is ValueError and str(error).startswith(_INVALID_ENDPOINT):
        return _NO_URL
    return next((text for kind, text in _SETTINGS.items() if isinstance(error, kind)), "")


def of_connecting(error: Exception, *, region: str, regions: Collection[str]) -> str:
    """Return what to fix, for an error before a connection was made; empty if it may pass.

    Args:
        error: the error of aiohttp.
        region: the Region of the call.
        regions: the Regions that botocore knows; empty where that is not known.
    """
    if isinstance(error, aiohttp.ClientHttpProxyError) and error.status == _PROXY_AUTHENTICATION_REQUIRED:
        return PROXY_AUTHENTICATION
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return _certificate(error)
    if isinstance(error, aiohttp.ClientConnectorError) and regions and _is_unknown_host(error):
        return _region(error.host, region, regions)
    return ""


def failure_to_connect(error: Exception) -> str:
    """Return where no connection could be opened, and why; empty for an error that does not say where.

    aiohttp's own sentence names TLS for an address without it.
    """
    if isinstance(error, TimeoutError):
        return f"no connection within the connect timeout ({type(error).__name__}: {error})"
    if not isinstance(error, aiohttp.ClientConnectorError):
        return ""
    found, proxy = error.os_error, "the proxy " if isinstance(error, aiohttp.ClientProxyConnectionError) else ""
    reason = found.strerror or str(found)
    # Failed lookups and TLS have numbers of their own. asyncio's text for a refused address repeats the address.
    has_own_numbers = isinstance(error, aiohttp.ClientConnectorDNSError) or isinstance(
        found, socket.gaierror | ssl.SSLError
    )
    if found.errno is not None and not has_own_numbers:
        reason = os.strerror(found.errno)
    return f"no connection to {proxy}{error.host}:{error.port}: {reason}"


def _certificate(error: aiohttp.ClientConnectorCertificateError) -> str:
    where = f"{error.host}:{error.port}"
    code = getattr(error.certificate_error, "verify_code", None)
    if code in {_HOST_MISMATCH, _IP_ADDRESS_MISMATCH}:
        return f"the certificate of {where} is for another host: check the endpoint, and proxies before it"
    if code in {_NOT_YET_VALID, _EXPIRED}:
        return f"the certificate of {where} is expired or not valid yet: renew it, or set the clock of this machine"
    if isinstance(error.certificate_error, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {where} is not signed by a known CA: set AWS_CA_BUNDLE, or ca_bundle of the AWS"
            " profile, to a file with the CA's certificate"
        )
    return f"the certificate of {where} cannot be verified"


def _is_unknown_host(error: aiohttp.ClientConnectorError) -> bool:
    found = error.os_error
    if isinstance(found, socket.gaierror):
        return found.errno in _NO_SUCH_NAME
    # aiodns, which aiohttp uses where it is installed, has no number for it, only words.
    return found.errno in {None, errno.ENOENT} and "not found" in str(found).lower()


def _region(host: str, region: str, regions: Collection[str]) -> str:
    if region in regions or region not in host.split("."):
        return ""
    import difflib  # noqa: PLC0415 - only a wrong Region needs it

    nearest = difflib.get_close_matches(region, sorted(regions))
    # Swapped letters are the most frequent slip, and count as two differences.
    nearest.sort(key=lambda name: sorted(name) != sorted(region))
    meant = f"; did you mean {nearest[0]!r}?" if nearest else ""
    return f"there is no AWS Region {region!r}: botocore does not know it, and {host} does not exist{meant}"
