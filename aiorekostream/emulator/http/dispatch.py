"""Dispatch each HTTP request to the API that it is for: the only place that distinguishes the APIs on the port.

Every response has two dates: ``Date`` is real time, because SDKs correct their own clocks by it, and
``x-emulator-date`` is the time of the emulator's clock, in the same format.

An API is a ``Plane``. Planes share the port; the first one that accepts the head of a request (its ``X-Amz-Target``,
``Host`` and path) serves it, and the last one accepts every request.
"""

from __future__ import annotations

import abc
import email.utils
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

import attrs

from aiorekostream.clock import SystemClock
from aiorekostream.emulator.clocks import EmulatorClock
from aiorekostream.emulator.http.cors import CrossOriginPolicy
from aiorekostream.emulator.http.listener import MAX_BODY_BYTES, read_body, to_aiohttp
from aiorekostream.emulator.http.wire import HttpRequest, RequestHead, encode
from aiorekostream.emulator.world.answers import INTERNAL_FAILURE, RefusedError

if TYPE_CHECKING:
    from aiohttp import web

    from aiorekostream.emulator.http.listener import HttpConnection
    from aiorekostream.emulator.http.wire import HttpResponse
    from aiorekostream.emulator.world.answers import Refusal

__all__ = ["EMULATOR_DATE", "Plane", "PlaneDispatcher"]

EMULATOR_DATE = "x-emulator-date"
"""The header with the time of the emulator's clock."""

_LOGGER = logging.getLogger("aiorekostream.emulator")


class Plane(abc.ABC):
    """One API on the port."""

    @property
    def is_for_pages(self) -> bool:
        """Whether web pages may use this API, if their origin is allowed."""
        return True

    @property
    def max_body_bytes(self) -> int:
        """The size up to which the body of a request is accepted."""
        return MAX_BODY_BYTES

    @abc.abstractmethod
    def accepts(self, head: RequestHead) -> bool:
        """Return whether a request is for this API."""

    @abc.abstractmethod
    async def respond(self, request: HttpRequest) -> HttpResponse:
        """Execute a request.

        Raises:
            ConnectionError: no response is sent.
        """

    @abc.abstractmethod
    def refuse(self, refusal: Refusal, request_id: str) -> HttpResponse:
        """Refuse a request that could not be read, in the format of this API."""


@attrs.frozen(kw_only=True)
class PlaneDispatcher:
    """Handle every HTTP request of the emulator.

    Attributes:
        planes: the APIs; the last one accepts every request.
        cross_origin: the web pages that may use the APIs that are for pages.
        clock: the emulator's clock.
        new_id: generates request ids.
    """

    planes: Sequence[Plane]
    cross_origin: CrossOriginPolicy
    clock: EmulatorClock
    new_id: Callable[[], str]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Respond to an HTTP request.

        Raises:
            ConnectionError: an injected fault reset the connection, or the caller disconnected.
        """
        request_id = self.new_id()
        try:
            headers = {name.lower(): value for name, value in request.headers.items()}
            head = RequestHead(method=request.method, path=request.path_qs, headers=headers)
            plane = next(plane for plane in self.planes if plane.accepts(head))
            response, is_last = await self._respond(plane, head, request, request_id)
            added = self.cross_origin.response_headers(head) if plane.is_for_pages else {}
            added[EMULATOR_DATE] = email.utils.formatdate(self.clock.now(), usegmt=True)
            response = attrs.evolve(response, headers={**response.headers, **added})
            return to_aiohttp(response, request_id, last=is_last)
        except ConnectionError:
            raise
        except Exception:
            _LOGGER.exception("the emulator failed to handle request %s", request_id)
            return to_aiohttp(encode(INTERNAL_FAILURE, request_id), request_id)

    async def _respond(
        self, plane: Plane, head: RequestHead, request: web.BaseRequest, request_id: str
    ) -> tuple[HttpResponse, bool]:
        """Return the response, and whether it is the last one on the connection."""
        try:
            body = await read_body(request, plane.max_body_bytes)
        except RefusedError as error:
            return plane.refuse(error.refusal, request_id), True
        if plane.is_for_pages:
            if self.cross_origin.is_preflight(head):
                return self.cross_origin.preflight_response(head), False
            refusal = self.cross_origin.refusal(head)
            if refusal is not None:
                return plane.refuse(refusal, request_id), False
        connection = cast("HttpConnection", request.protocol)
        wall = SystemClock().wall()
        whole = HttpRequest(head=head, body=body, request_id=request_id, wall=wall, connection=connection)
        return await plane.respond(whole), False
