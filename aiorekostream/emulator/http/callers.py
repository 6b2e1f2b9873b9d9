"""Identify callers of SQS, S3 and Kinesis, and refuse what a web page may have sent under another host name.

A page in the developer's browser can resolve a name of its own to the loopback address (DNS rebinding), and would then
be of the same origin as the emulator. So the ``Host`` must be an address, a name of the loopback interface, or a name
that the emulator was given.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator.http.signatures import SignedResource, check_signature, read_signature
from aiorekostream.emulator.world.answers import Refusal, refuse
from aiorekostream.emulator.world.identity import Caller, account_for_key

if TYPE_CHECKING:
    from aiorekostream.emulator.http.wire import HttpRequest

__all__ = ["CallerDirectory", "host_name"]

_LOOPBACK = "localhost"


@attrs.frozen(kw_only=True)
class CallerDirectory:
    """Knows the accounts of access keys, their secret keys and the allowed host names.

    Attributes:
        accounts: account ids by access key; the account of any other key is derived from the key.
        secrets: secret keys by access key; None disables the check of signatures.
        hosts: further names under which the emulator is reached, in lower case.
    """

    accounts: Mapping[str, str]
    secrets: Mapping[str, str] | None
    hosts: frozenset[str] = frozenset()

    def identify(self, request: HttpRequest, service: str, resource: SignedResource | None = None) -> Caller:
        """Return the account and the Region of a request.

        Args:
            request: the request.
            service: the service that the request must be signed for.
            resource: what is signed beside headers and body; that of ``POST /`` by default.

        Raises:
            RefusedError: the host is not allowed, or the signature is missing or invalid.
        """
        headers = request.head.headers
        name = host_name(headers)
        if not self.allows_host(name):
            message = f"The emulator does not serve the host {name[:200]!r}: start it with allow_hosts."
            raise refuse(Refusal("AccessDenied", message, 403))
        signature = read_signature(headers.get("authorization"), service)
        if self.secrets is not None:
            check_signature(
                signature,
                secrets=self.secrets,
                headers=headers,
                body=request.body,
                now=request.wall,
                resource=resource,
            )
        key, region = signature.credential.access_key, signature.credential.region
        return Caller(self.accounts.get(key) or account_for_key(key), sys.intern(region))

    def allows_host(self, name: str) -> bool:
        """Return whether the emulator is reached under a host name; the name of a bucket may stand before it."""
        return _is_address(name) or any(name == host or name.endswith(f".{host}") for host in self._names)

    def bucket_in_host(self, name: str) -> str:
        """Return the bucket before the emulator's own name in a host name, such as ``pictures.s3.localhost``, or ""."""
        for host in self._names:
            if name.endswith(f".{host}"):
                return name.removesuffix(f".{host}").removesuffix("s3").removesuffix(".")
        return ""

    @property
    def _names(self) -> tuple[str, ...]:
        # The longest first: "a.localhost" before "localhost".
        return tuple(sorted((_LOOPBACK, *self.hosts), key=len, reverse=True))


def host_name(headers: Mapping[str, str]) -> str:
    """Return the name in the Host header, in lower case and without the port."""
    host, colon, port = headers.get("host", "").lower().rpartition(":")
    name = host if port.isdecimal() and colon else f"{host}{colon}{port}"
    return name.strip("[]")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
