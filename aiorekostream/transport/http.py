"""Send one HTTP request and read its response: sign, send once, read.

``LeanPath`` answers botocore's event ``before-call``, as botocore's Stubber does, so whatever wraps the client's
``_make_api_call`` (the instrumentation of OpenTelemetry and of X-Ray) sees every call. It uses the client's own
credentials, endpoint and connections, and leaves out what one attempt of this protocol does not need: botocore's
request objects, its signer, and the events after ``before-call``. A test compares the bytes of both paths.

A call takes botocore's path instead if other code listens to one of these events, or if the private members of
botocore and aiohttp that are used here are not as expected.
"""

from __future__ import annotations

import logging
from operator import attrgetter
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import attrs
import yarl
from botocore import UNSIGNED
from botocore.auth import SIGV4_TIMESTAMP
from botocore.compat import get_current_datetime
from botocore.exceptions import NoCredentialsError

from aiorekostream.transport._http_session import Exchange, HttpSession
from aiorekostream.transport.attempts import CURRENT
from aiorekostream.transport.response import note_response
from aiorekostream.transport.signer import SET_BY_SIGNERS, signature_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiobotocore.client import AioBaseClient
    from aiobotocore.credentials import AioCredentials
    from botocore.model import OperationModel

    from aiorekostream.transport._http_session import RawResponse
    from aiorekostream.transport.attempts import Attempt

__all__ = ["LeanPath"]

_logger = logging.getLogger("aiorekostream")

_FIRST_REFUSAL = 300  # botocore reads a response with this status or above as an error
# The events that the lean path does not emit, or emits with fewer facts.
_SKIPPED_EVENTS = (
    "before-endpoint-resolution",
    "request-created",
    "choose-signer",
    "before-sign",
    "before-send",
    "before-parse",
    "response-received",
    "needs-retry",
    "after-call",
    "after-call-error",
)
_OWN_PACKAGES = frozenset({"aiobotocore", "aiorekostream", "botocore"})
# The parameters of endpoint rules that are constant for a client.
_CONSTANT_BUILTINS = frozenset({"AWS::Region", "AWS::UseDualStack", "AWS::UseFIPS", "SDK::Endpoint"})
_DEFAULT_PORTS = {"http": 80, "https": 443}


@attrs.frozen(eq=False, repr=False)
class _Route:
    """The constants of requests to one URL."""

    host: str
    exchange: Exchange


@attrs.frozen(eq=False, repr=False)
class _BotocoreResponse:
    """The HTTP response of botocore's ``before-call`` protocol, of which only the status is read."""

    status_code: int


class LeanPath:
    """Answer the calls of a client.

    Args:
        client: an open client for Rekognition whose HTTP session is an ``HttpSession``.

    Raises:
        AttributeError: the private members of botocore that are used here are not as expected.
    """

    def __init__(self, client: AioBaseClient) -> None:
        # Every private member that is used, so that a missing one is found here and not during a call.
        self._client = client
        self._endpoint: Any = attrgetter("_endpoint")(client)
        self._http: HttpSession = self._endpoint.http_session
        self._create_parser: Any = attrgetter("_response_parser_factory.create_parser")(self._endpoint)
        self._add_modeled_fields: Any = attrgetter("_add_modeled_error_fields")(self._endpoint)
        self._protocol: str = attrgetter("_service_model.resolved_protocol")(client)
        signer: Any = attrgetter("_request_signer")(client)
        self._choose_signer: Any = attrgetter("_choose_signer")(signer)
        self._credentials: AioCredentials | None = attrgetter("_credentials")(signer)
        self._region: str = attrgetter("_region_name")(signer)
        self._service: str = attrgetter("_signing_name")(signer)
        self._resolver = _ResolvedOnce(attrgetter("_ruleset_resolver")(client), self)
        emitter: object = getattr(client.meta.events, "_emitter", client.meta.events)
        self._handlers_of: Any = attrgetter("_handlers.prefix_search")(emitter)
        self._emitter = emitter
        self._lookup_cache_of: Any = attrgetter("_lookup_cache")
        self._registrations: object = None
        self._is_used: dict[str, bool] = {}
        self._routes: dict[str, _Route | None] = {}
        self._signs: dict[tuple[str, object], bool | None] = {}
        self.is_used("")

    def install(self) -> None:
        """Register the handler, and resolve the endpoint rules once for each operation."""
        # On the shortest name and last: handlers of `before-call.rekognition` and those registered earlier run before.
        self._client.meta.events.register_last("before-call", self.answer)
        vars(self._client)["_ruleset_resolver"] = self._resolver

    async def answer(
        self, model: OperationModel, params: Mapping[str, object], context: dict[str, object], **_: object
    ) -> tuple[_BotocoreResponse, dict[str, object]] | None:
        """Send the request and return its response; ``None`` if the call takes botocore's path."""
        attempt = CURRENT.get()
        if attempt is None or not self.is_used(model.name):
            return None
        url, body = cast("str", params["url"]), params["body"]
        headers = cast("dict[str, str]", params["headers"])
        route = self._routes[url] if url in self._routes else await self._route(url)
        if route is None or not isinstance(body, bytes) or not _is_plain(params, headers, context):
            return None
        key = (model.name, context.get("auth_type"))
        is_signed = self._signs[key] if key in self._signs else await self._choose(key, context)
        if is_signed is None:
            return None
        fields = list(headers.items())
        if is_signed:
            fields += (await self._signature(route, headers, body, context)).items()
        fields += (("Content-Length", str(len(body))), ("Accept-Encoding", "identity"))
        attempt.signed = True
        return await self._parsed(attempt, model, await route.exchange(fields, body, attempt))

    def is_used(self, operation: str) -> bool:
        """Return whether no other code listens to an event that this path skips. Checked when a handler is added."""
        # botocore replaces this cache at each registration.
        registrations: object = self._lookup_cache_of(self._emitter)
        if registrations is not self._registrations:
            self._registrations = registrations
            self._is_used.clear()
        found = self._is_used.get(operation)
        if found is None:
            found = self._is_used[operation] = self._is_last(operation) and not self._is_observed(operation)
            if operation and not found:
                _logger.debug("%s takes botocore's path: other code listens to its events", operation)
        return found

    def _is_last(self, operation: str) -> bool:
        handlers = self._handlers_of(f"before-call.rekognition.{operation}")
        return bool(handlers) and handlers[-1] == self.answer

    def _is_observed(self, operation: str) -> bool:
        return any(
            _package(handler) not in _OWN_PACKAGES
            for event in _SKIPPED_EVENTS
            for handler in self._handlers_of(f"{event}.rekognition.{operation}")
        )

    async def _route(self, url: str) -> _Route | None:
        host = _host(url)
        found = None
        if host is not None:
            try:
                found = _Route(host, await self._http.exchange(yarl.URL(url, encoded=True), host))
            except (AttributeError, TypeError) as error:
                _logger.debug("calls take botocore's path: %s", error)
        self._routes[url] = found
        return found

    async def _choose(self, key: tuple[str, object], context: dict[str, object]) -> bool | None:
        """Return whether requests are signed; ``None`` if they are signed in another way than this path's."""
        operation, auth_type = key
        version: object = None
        if auth_type in {None, "", "v4", "none"}:
            version = await self._choose_signer(operation, "standard", context)
        found = True if version == "v4" else False if version is UNSIGNED else None
        self._signs[key] = found
        return found

    async def _signature(
        self, route: _Route, headers: dict[str, str], body: bytes, context: Mapping[str, object]
    ) -> dict[str, str]:
        frozen = None if self._credentials is None else await self._credentials.get_frozen_credentials()
        if frozen is None:
            raise NoCredentialsError
        signing = cast("Mapping[str, str]", context.get("signing") or {})
        return signature_headers(
            headers,
            body,
            host=route.host,
            credentials=frozen,
            region=signing.get("region") or self._region,
            service=signing.get("signing_name") or self._service,
            moment=get_current_datetime().strftime(SIGV4_TIMESTAMP),
        )

    async def _parsed(
        self, attempt: Attempt, model: OperationModel, response: RawResponse
    ) -> tuple[_BotocoreResponse, dict[str, object]]:
        status = response.status
        note_response(attempt, status, response.headers, response.body)
        lower = {name.lower(): value for name, value in response.headers.items()}
        if attempt.members is not None:
            metadata: dict[str, object] = {"HTTPStatusCode": status, "HTTPHeaders": lower, "RetryAttempts": 0}
            if attempt.answer is not None and attempt.answer.request_id is not None:
                metadata["RequestId"] = attempt.answer.request_id
            return _BotocoreResponse(status), {**attempt.members, "ResponseMetadata": metadata}
        parser = self._create_parser(self._protocol)
        context = {"operation_name": model.name}
        whole = {"status_code": status, "headers": lower, "body": response.body, "context": context}
        parsed: dict[str, object] = await parser.parse(whole, model.output_shape)
        await self._add_modeled_fields(whole, parsed, model, parser)
        return _BotocoreResponse(max(status, _FIRST_REFUSAL)), parsed


class _ResolvedOnce:
    """Resolve the endpoint rules once for each operation, if their parameters are constant for the client."""

    def __init__(self, resolver: object, path: LeanPath) -> None:
        self._resolver: Any = resolver
        self._path = path
        self._found: dict[str, object] = {}
        parameters: Mapping[str, Any] = attrgetter("_param_definitions")(resolver)
        self._is_constant = all(parameter.builtin in _CONSTANT_BUILTINS for parameter in parameters.values())

    def __getattr__(self, name: str) -> object:
        return getattr(self._resolver, name)

    async def construct_endpoint(
        self, operation_model: OperationModel, call_args: dict[str, object], request_context: dict[str, object]
    ) -> object:
        name = operation_model.name
        is_kept = self._is_constant and self._path.is_used(name)
        if is_kept and name in self._found:
            return self._found[name]
        found: object = await self._resolver.construct_endpoint(operation_model, call_args, request_context)
        if is_kept:
            self._found[name] = found
        return found


def _host(url: str) -> str | None:
    """Return the header Host for a URL without path and query; ``None`` for any other URL."""
    parts = urlsplit(url)
    if parts.path not in {"", "/"} or parts.query or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    is_default = parts.port is None or parts.port == _DEFAULT_PORTS.get(parts.scheme)
    return host if is_default else f"{host}:{parts.port}"


def _is_plain(params: Mapping[str, object], headers: Mapping[str, str], context: Mapping[str, object]) -> bool:
    """Return whether nothing about a request needs botocore's rules for other services."""
    signing = cast("Mapping[str, object]", context.get("signing") or {})
    return (
        params["method"] == "POST"
        and SET_BY_SIGNERS.isdisjoint(name.lower() for name in headers)
        and not context.get("unsigned_payload")
        and not signing.keys() & {"request_credentials", "identity_cache"}
        and "request_algorithm" not in cast("Mapping[str, object]", context.get("checksum") or {})
        and "read_timeout" not in context
    )


def _package(handler: object) -> str:
    """Return the package that a handler belongs to."""
    handler = getattr(handler, "func", handler)  # functools.partial
    module = getattr(handler, "__module__", None) or type(handler).__module__
    return str(module).partition(".")[0]
