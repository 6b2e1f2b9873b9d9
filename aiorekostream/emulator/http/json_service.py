"""Serve an API with one of AWS's JSON protocols: the operation is in ``X-Amz-Target``, and the members are the body."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

import attrs

from aiorekostream.emulator.http.callers import CallerDirectory
from aiorekostream.emulator.http.dispatch import Plane
from aiorekostream.emulator.http.pump import ResultPump
from aiorekostream.emulator.http.wire import read_object
from aiorekostream.emulator.world.answers import Refusal, RefusedError, refuse

if TYPE_CHECKING:
    from aiorekostream.emulator.http.wire import HttpRequest, HttpResponse, RequestHead
    from aiorekostream.emulator.world.answers import JsonObject
    from aiorekostream.emulator.world.identity import Caller

__all__ = ["JsonPlane", "JsonService"]


@attrs.frozen(kw_only=True)
class JsonService:
    """A service with a JSON protocol.

    Attributes:
        target: what precedes the operation in ``X-Amz-Target``.
        scope: the name for which requests are signed.
        operations: the operations that the emulator has.
    """

    target: str
    scope: str
    operations: frozenset[str]


@attrs.define(kw_only=True)
class JsonPlane(Plane):
    """Serve an API with a JSON protocol.

    Attributes:
        callers: identifies callers.
        pump: makes results when they are due.
    """

    callers: CallerDirectory
    pump: ResultPump

    @property
    @abc.abstractmethod
    def service(self) -> JsonService:
        """The service."""

    @abc.abstractmethod
    async def execute(self, request: HttpRequest, caller: Caller, operation: str, members: JsonObject) -> HttpResponse:
        """Execute an operation.

        Raises:
            RefusedError: the request is refused.
            ConnectionError: no response is sent.
        """

    @abc.abstractmethod
    def encode_refusal(self, refusal: Refusal) -> HttpResponse:
        """Encode a refusal."""

    def accepts(self, head: RequestHead) -> bool:
        """Return whether a request names an operation of the service."""
        return head.headers.get("x-amz-target", "").startswith(self.service.target)

    def refuse(self, refusal: Refusal, request_id: str) -> HttpResponse:
        """See ``Plane.refuse``."""
        del request_id
        return self.encode_refusal(refusal)

    async def respond(self, request: HttpRequest) -> HttpResponse:
        """See ``Plane.respond``."""
        try:
            operation, caller = self._parse(request)
            members = read_object(request.body)
            self.pump.advance()
            return await self.execute(request, caller, operation, members)
        except RefusedError as error:
            return self.encode_refusal(error.refusal)

    def _parse(self, request: HttpRequest) -> tuple[str, Caller]:
        head, service = request.head, self.service
        operation = head.headers["x-amz-target"].removeprefix(service.target)
        if head.method != "POST" or operation not in service.operations:
            message = f"The emulator has no operation {operation[:100]!r}."
            raise refuse(Refusal("UnknownOperationException", message, 400))
        return operation, self.callers.identify(request, service.scope)
