"""Every exception of botocore and aiohttp is converted, and no error claims more than is known."""

from __future__ import annotations

import contextlib
import errno
import inspect
import os
import socket
import ssl
import string
import types
from typing import TYPE_CHECKING, cast

import aiohttp
import botocore.exceptions
import botocore.session
import pytest

from aiorekostream import errors
from aiorekostream.operations import OPERATIONS
from aiorekostream.transport.attempts import Answer, Attempt
from aiorekostream.transport.error_mapping import service_error, translated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp.client_reqrep import ConnectionKey
    from botocore.model import ServiceModel

START = "StartStreamProcessor"
STAGES = {
    "before it was signed": Attempt(START, idempotent=False),
    "before there was a connection": Attempt(START, idempotent=False, signed=True),
    "after it was sent": Attempt(START, idempotent=False, signed=True, sent=True),
    "after a success": Attempt(START, idempotent=False, signed=True, sent=True, answer=Answer(200, "request-1")),
    "after a failure": Attempt(START, idempotent=False, signed=True, sent=True, answer=Answer(502, "request-1")),
}


_PLACE = types.SimpleNamespace(host="x", port=1, ssl=True, is_ssl=False, real_url="http://x")
_ARGUMENTS: tuple[tuple[object, ...], ...] = (
    (_PLACE, OSError(111, "refused")),  # the connector's errors
    (_PLACE, ()),  # an answer's errors
    (b"expected", b"got", "x", 1),  # a wrong fingerprint
    ("x",),
    (1, "x"),
    (),
)


def _built(kind: type[Exception]) -> Exception:
    for arguments in _ARGUMENTS:
        with contextlib.suppress(TypeError, AttributeError):
            error = kind(*arguments)
            str(error)
            return error
    pytest.fail(f"how is {kind} built?")


def _of_botocore() -> Iterator[Exception]:
    for _, kind in inspect.getmembers(botocore.exceptions, inspect.isclass):
        if issubclass(kind, botocore.exceptions.ClientError):
            yield kind({"Error": {"Code": "ThrottlingException"}}, START)
        elif issubclass(kind, Exception) and "fmt" in dir(kind):
            fields = {
                name
                for _, name, _, _ in string.Formatter().parse(cast("type[botocore.exceptions.BotoCoreError]", kind).fmt)
                if name
            }
            required = {
                parameter.name
                for parameter in inspect.signature(kind).parameters.values()
                if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.default is parameter.empty
            }
            yield kind(**dict.fromkeys(fields | required, "x"))
        elif issubclass(kind, Exception) and not issubclass(kind, Warning):
            yield _built(kind)


def _of_aiohttp() -> Iterator[Exception]:
    for _, kind in inspect.getmembers(aiohttp, inspect.isclass):
        if issubclass(kind, Exception) and not issubclass(kind, Warning):
            yield _built(kind)


def _wrapped(error: Exception) -> Iterator[Exception]:
    yield error
    yield botocore.exceptions.HTTPClientError(error=error)
    yield botocore.exceptions.EndpointConnectionError(endpoint_url="http://x", error=error)


_FOREIGN = [
    *_of_botocore(),
    *_of_aiohttp(),
    OSError(104, "reset"),
    TimeoutError(),
    socket.gaierror(-2, "x"),
    KeyError("x"),
]


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
@pytest.mark.parametrize("foreign", _FOREIGN, ids=lambda error: f"{type(error).__module__}.{type(error).__name__}")
def test_only_errors_of_the_package_are_raised(foreign: Exception, stage: Attempt) -> None:
    for error in _wrapped(foreign):
        fault = translated(error, stage)
        assert isinstance(fault, errors.RekostreamError)
        assert str(fault)
        if stage.sent and not isinstance(fault, errors.ServiceError):
            assert not fault.retry_safe
            assert isinstance(fault, errors.ConnectionLostError | errors.MalformedResponseError)


@pytest.mark.parametrize("foreign", _FOREIGN, ids=lambda error: f"{type(error).__module__}.{type(error).__name__}")
def test_sent_call_is_retry_safe_only_when_it_was_refused(foreign: Exception) -> None:
    for error in _wrapped(foreign):
        fault = translated(error, STAGES["after it was sent"])
        assert fault.retry_safe is isinstance(fault, errors.ThrottlingError)


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.EndpointConnectionError(endpoint_url="x", error=_built(aiohttp.ClientConnectorError)),
        botocore.exceptions.EndpointConnectionError(endpoint_url="x", error=_built(aiohttp.ClientConnectorDNSError)),
        botocore.exceptions.EndpointConnectionError(endpoint_url="x", error=socket.gaierror(-2, "x")),
        botocore.exceptions.ConnectTimeoutError(endpoint_url="x", error=aiohttp.ConnectionTimeoutError("x")),
        botocore.exceptions.ProxyConnectionError(proxy_url="x", error=OSError()),
        botocore.exceptions.SSLError(endpoint_url="x", error=OSError()),
    ],
)
def test_error_without_a_connection_is_retry_safe(error: Exception) -> None:
    fault = translated(error, STAGES["before there was a connection"])
    assert type(fault) is errors.ConnectError
    assert fault.retry_safe


@pytest.mark.parametrize(
    "error",
    [
        botocore.exceptions.EndpointConnectionError(endpoint_url="x", error=aiohttp.ClientOSError(104, "reset")),
        botocore.exceptions.EndpointConnectionError(endpoint_url="x", error=aiohttp.ClientConnectionError("x")),
        botocore.exceptions.ConnectionClosedError(endpoint_url="x", error=aiohttp.ServerDisconnectedError()),
        botocore.exceptions.ConnectionClosedError(endpoint_url="x", error=aiohttp.ClientPayloadError("x")),
        botocore.exceptions.ReadTimeoutError(endpoint_url="x", error=aiohttp.SocketTimeoutError("x")),
        botocore.exceptions.HTTPClientError(error=RuntimeError("x")),
        RuntimeError("a hook of the caller's"),
    ],
)
def test_error_after_sending_is_ambiguous(error: Exception) -> None:
    once = translated(error, Attempt(START, idempotent=False, signed=True, sent=True))
    assert type(once) is errors.ConnectionLostError
    assert not once.retry_safe
    assert translated(error, Attempt("TagResource", idempotent=True, signed=True, sent=True)).retry_safe


def _http_error(inner: Exception) -> Exception:
    return botocore.exceptions.EndpointConnectionError(endpoint_url="x", error=inner)


@pytest.mark.parametrize(
    ("error", "is_closed"),
    [
        (_http_error(aiohttp.ClientOSError(errno.ECONNRESET, "reset")), True),
        (_http_error(aiohttp.ClientOSError(errno.EPIPE, "pipe")), True),
        (_http_error(aiohttp.ClientConnectionResetError("reset")), True),
        (_http_error(ConnectionResetError(errno.ECONNRESET, "reset")), True),
        (botocore.exceptions.ConnectionClosedError(endpoint_url="x", error=aiohttp.ServerDisconnectedError()), True),
        (botocore.exceptions.ConnectionClosedError(endpoint_url="x", error=aiohttp.ClientPayloadError("x")), True),
        (aiohttp.ClientPayloadError("x"), True),
        (_http_error(aiohttp.ClientOSError(errno.ETIMEDOUT, "silence")), False),
        (_http_error(aiohttp.ClientOSError(errno.EHOSTUNREACH, "no route")), False),
        (_http_error(aiohttp.ClientConnectionError("x")), False),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="x", error=aiohttp.SocketTimeoutError("x")), False),
        (botocore.exceptions.ReadTimeoutError(endpoint_url="x", error=TimeoutError()), False),
        (botocore.exceptions.HTTPClientError(error=RuntimeError("x")), False),
        (RuntimeError("a hook of the caller's"), False),
    ],
)
def test_connection_lost_error_says_whether_it_was_closed(error: Exception, *, is_closed: bool) -> None:
    lost = translated(error, STAGES["after it was sent"])
    assert isinstance(lost, errors.ConnectionLostError)
    assert lost.closed is is_closed


def test_connection_lost_error_says_that_the_read_timeout_passed() -> None:
    silence = botocore.exceptions.ReadTimeoutError(endpoint_url="x", error=aiohttp.SocketTimeoutError("x"))
    lost = translated(silence, STAGES["after it was sent"])
    assert str(lost) == f"{START}: no response within the read timeout (SocketTimeoutError: x)"


@pytest.mark.parametrize(
    ("kind", "error", "reason"),
    [
        (
            aiohttp.ClientConnectorError,
            OSError(errno.ECONNREFUSED, "Connect call failed"),
            os.strerror(errno.ECONNREFUSED),
        ),
        (aiohttp.ClientConnectorError, OSError("Multiple exceptions"), "Multiple exceptions"),
        (aiohttp.ClientConnectorDNSError, OSError(4, "Domain name not found"), "Domain name not found"),
        (aiohttp.ClientConnectorDNSError, socket.gaierror(8, "nodename nor servname"), "nodename nor servname"),
        (aiohttp.ClientConnectorSSLError, ssl.SSLError(1, "[SSL] wrong version number"), "[SSL] wrong version number"),
    ],
)
def test_connect_error_says_where_and_why(
    kind: type[aiohttp.ClientConnectorError], error: OSError, reason: str
) -> None:
    address = cast("ConnectionKey", cast("object", types.SimpleNamespace(host="door.example", port=4599, ssl=False)))
    fault = translated(kind(address, error), STAGES["before there was a connection"])
    assert str(fault) == f"{START}: no connection to door.example:4599: {reason}"


def test_connect_error_says_that_the_connect_timeout_passed() -> None:
    silence = botocore.exceptions.ConnectTimeoutError(endpoint_url="x", error=aiohttp.ConnectionTimeoutError("x"))
    fault = translated(silence, STAGES["before there was a connection"])
    assert "no connection within the connect timeout (ConnectionTimeoutError: x)" in str(fault)


@pytest.mark.parametrize("foreign", _FOREIGN, ids=lambda error: f"{type(error).__module__}.{type(error).__name__}")
def test_error_before_the_connection_is_not_sent(foreign: Exception) -> None:
    for error in _wrapped(foreign):
        fault = translated(error, STAGES["before there was a connection"])
        assert isinstance(fault, errors.ConnectError | errors.ConfigurationError | errors.ServiceError)
        assert fault.retry_safe or isinstance(fault, errors.ConfigurationError)


@pytest.mark.parametrize(
    "error",
    [
        aiohttp.InvalidURL("x"),
        botocore.exceptions.InvalidProxiesConfigError(error="x"),
        FileNotFoundError("no such certificate bundle"),
    ],
)
def test_invalid_http_client_settings_are_configuration(error: Exception) -> None:
    wrapped = botocore.exceptions.HTTPClientError(error=error)
    assert type(translated(wrapped, STAGES["before there was a connection"])) is errors.ConfigurationError


def _response(code: object, *, status: object = 400, **headers: str) -> dict[str, object]:
    return {
        "Error": {"Code": code, "Message": "Because."},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }


_ONCE = Attempt(START, idempotent=False)


@pytest.mark.parametrize(
    "code",
    [
        "ThrottlingException",
        "com.amazonaws.rekognition#ThrottlingException",
        "ThrottlingException:http://internal.amazon.com/coral/com.amazon.coral.availability/",
        "aws.protocoltests#ThrottlingException:http://internal.amazon.com/#here",
    ],
)
def test_error_code_is_read_without_prefix_and_suffix(code: str) -> None:
    fault = service_error(_response(code), _ONCE)
    assert type(fault) is errors.ThrottlingError
    assert fault.code == "ThrottlingException"


@pytest.mark.parametrize(
    ("code", "status", "kind", "retry_safe"),
    [
        ("ThrottlingException", 500, errors.ThrottlingError, True),
        ("Throttling", 400, errors.ThrottlingError, True),
        ("ProvisionedThroughputExceededException", 400, errors.ProvisionedThroughputExceededError, True),
        ("AccessDeniedException", 403, errors.AccessDeniedError, True),
        ("AccessDeniedException", 500, errors.AccessDeniedError, True),
        ("LimitExceededException", 400, errors.LimitExceededError, True),
        ("InternalServerError", 500, errors.InternalServerError, False),
        ("InternalServerError", 400, errors.InternalServerError, False),
        ("InternalFailure", 500, errors.InternalServerError, False),
        ("ServiceUnavailable", 503, errors.InternalServerError, False),
        ("TomorrowsException", 400, errors.ServiceError, True),
        ("TomorrowsException", 500, errors.ServiceError, False),
        ("RequestAbortedException", 400, errors.ServiceError, False),
        ("RequestTimeoutException", 408, errors.ServiceError, False),
        ("RequestTimeout", 400, errors.ServiceError, False),
        ("408", 408, errors.ServiceError, False),
        ("TomorrowsException", 408, errors.ServiceError, False),
        ("TomorrowsException", 429, errors.ServiceError, True),
        ("SlowDown", 503, errors.ThrottlingError, True),
        ("503", 503, errors.ServiceError, False),
        ("", 0, errors.ServiceError, False),
        (None, None, errors.ServiceError, False),
    ],
)
def test_error_code_determines_the_class_and_retry_safe(
    code: object, status: object, kind: type[errors.ServiceError], *, retry_safe: bool
) -> None:
    once = service_error(_response(code, status=status), _ONCE)
    assert type(once) is kind
    assert once.retry_safe is retry_safe
    assert service_error(_response(code, status=status), Attempt("TagResource", idempotent=True)).retry_safe


def test_code_of_the_body_goes_before_that_of_the_header() -> None:
    response = _response("ThrottlingException", **{"x-amzn-errortype": "ResourceInUseException"})
    assert service_error(response, _ONCE).code == "ThrottlingException"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("RequestLimitExceeded", errors.ThrottlingError),
        ("ThrottledException", errors.ThrottlingError),
        ("TooManyRequestsException", errors.ThrottlingError),
        ("AccessDenied", errors.AccessDeniedError),
        ("InternalError", errors.InternalServerError),
        ("InternalServerException", errors.InternalServerError),
        ("ServiceUnavailableException", errors.InternalServerError),
    ],
)
def test_exception_names_of_other_protocols_have_the_same_class(code: str, kind: type[errors.ServiceError]) -> None:
    assert type(service_error(_response(code), _ONCE)) is kind


def test_error_response_of_an_unexpected_shape_is_still_a_service_error() -> None:
    fault = service_error({"Error": "?", "ResponseMetadata": None}, _ONCE)
    assert (type(fault), fault.code, fault.message, fault.request_id) == (errors.ServiceError, "", "", None)


@pytest.fixture(scope="module")
def model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("rekognition")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_error_of_the_model_has_its_own_class(model: ServiceModel, operation: str) -> None:
    shapes = model.operation_model(operation).error_shapes
    assert shapes
    for shape in shapes:
        fault = service_error(_response(shape.name), _ONCE)
        assert type(fault) is not errors.ServiceError
        documented = cast("str", type(fault).__doc__)
        assert f"``{shape.name}``" in documented
