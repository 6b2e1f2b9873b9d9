"""Decide which web pages may call the emulator: Cross-Origin Resource Sharing. Pure.

A browser sends ``Origin`` with the requests of a page to another origin, asks first with ``OPTIONS`` (a preflight)
whether it may send a request of AWS's protocol, and hides the headers of responses that are not exposed. See
https://developer.mozilla.org/docs/Web/HTTP/Guides/CORS.
"""

from __future__ import annotations

import re
from collections.abc import Iterable  # noqa: TC003 - the annotations of converters become those of __init__
from typing import TYPE_CHECKING

import attrs

from aiorekostream.domain.rules import Validated, as_tuple, collecting, each, reject
from aiorekostream.emulator.http.wire import HttpResponse
from aiorekostream.emulator.world.answers import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.emulator.http.wire import RequestHead

__all__ = ["CrossOriginPolicy", "origins"]

_ANY = "*"
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@\\]+")
_HEADER_NAMES = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,2000}")
_EXPOSED = "Date, x-amzn-RequestId, x-emulator-date"
# Seconds for which a browser keeps the answer to a preflight; the least of the maximums of the browsers, 2 hours.
_MAX_AGE = "7200"
_NO_CONTENT = 204


def origins(value: Iterable[str]) -> tuple[str, ...]:
    """Return the origins of web pages, in lower case.

    Raises:
        InvalidRequestError: one is not a scheme, a host and an optional port.
    """
    return tuple(each(enumerate(as_tuple(value, "a collection of origins")), _origin))


def _origin(value: object) -> str:
    if isinstance(value, str) and (value == _ANY or _ORIGIN.fullmatch(value.lower().rstrip("/"))):
        return value.lower().rstrip("/")
    return reject(value, "an origin such as 'http://localhost:3000', without a path, or '*' for every page")


@attrs.frozen(field_transformer=collecting)
class CrossOriginPolicy(Validated):
    """The web pages that may call the emulator.

    Attributes:
        allow_origins: the origins of the pages, such as ``http://localhost:3000``, or ``*`` for every page.

    Raises:
        InvalidRequestError: an origin is not a scheme, a host and an optional port.
    """

    allow_origins: tuple[str, ...] = attrs.field(default=(), converter=origins)

    def is_preflight(self, head: RequestHead) -> bool:
        """Return whether a request is an allowed preflight, which the emulator answers itself."""
        return (
            head.method == "OPTIONS"
            and "access-control-request-method" in head.headers
            and self._allowed(head.headers) is not None
        )

    def preflight_response(self, head: RequestHead) -> HttpResponse:
        """Return the response to an allowed preflight."""
        requested = head.headers.get("access-control-request-headers", "")
        headers = {
            "Access-Control-Allow-Methods": "GET, HEAD, POST",
            "Access-Control-Allow-Headers": requested if _HEADER_NAMES.fullmatch(requested) else "",
            "Access-Control-Max-Age": _MAX_AGE,
        }
        # A page that was loaded from a public address needs it: https://wicg.github.io/private-network-access/.
        if "access-control-request-private-network" in head.headers:
            headers["Access-Control-Allow-Private-Network"] = "true"
        return HttpResponse(_NO_CONTENT, b"", headers=headers)

    def refusal(self, head: RequestHead) -> Refusal | None:
        """Return the refusal of a request that comes from a page of another origin, or None.

        A preflight that is not allowed is left to the API, which has no operation for it.
        """
        origin = head.headers.get("origin")
        if origin is None or head.method == "OPTIONS" or self._allowed(head.headers) is not None:
            return None
        message = f"Requests from web pages of {origin[:200]!r} are not allowed: start the emulator with allow_origins."
        return Refusal("AccessDeniedException", message, 403)

    def response_headers(self, head: RequestHead) -> dict[str, str]:
        """Return the headers with which the page may read the response; none without an allowed origin."""
        origin = self._allowed(head.headers)
        if origin is None:
            return {}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Expose-Headers": _EXPOSED,
            "Vary": "Origin",
        }

    def _allowed(self, headers: Mapping[str, str]) -> str | None:
        """Return the origin of a request if it is allowed."""
        origin = headers.get("origin")
        if origin is None or not (_ORIGIN.fullmatch(origin) or origin == "null"):
            return None
        is_allowed = _ANY in self.allow_origins or origin.lower() in self.allow_origins
        return origin if is_allowed else None
