"""Check the credentials that sign a call, and say why there are none, without showing them."""

from __future__ import annotations

import inspect
import logging
import re
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Self
from xml.etree import ElementTree

import attrs
from botocore.exceptions import ClientError

from aiorekostream.errors import ConfigurationError
from aiorekostream.service_text import has_control
from aiorekostream.transport.secrets import Keys, Secrets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiobotocore.client import AioBaseClient
    from aiobotocore.credentials import AioCredentials
    from aiobotocore.session import AioSession
    from botocore.credentials import ReadOnlyCredentials
    from botocore.model import OperationModel

__all__ = ["CredentialWatch", "MetadataWatch", "report_statuses"]

_logger = logging.getLogger(__name__)

_FIRST_ERROR, _SERVER_ERROR = 300, 500
_SHOWN = 200  # bytes of a response that is no XML
_SERVICE = "The instance metadata service (IMDS, 169.254.169.254)"
_HOP_LIMIT = (
    "where a role of an instance is expected, let the container reach it, with a hop limit (HttpPutResponseHopLimit) of"
    " at least 2"
)
_SILENCE = f"{_SERVICE} did not answer: {_HOP_LIMIT}"
# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
_REFUSALS = {
    401: f"it wants a session token, and did not answer the request for one: {_HOP_LIMIT}",
    404: "the instance has no role: attach an instance profile",
}

# No key of AWS's has one of these: a header with a control character is not sent, and an invisible one, such as a byte
# order mark or what is copied with a text from a page, makes the signature invalid.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060-\u2064\ufeff]")


@attrs.define(eq=False, repr=False)
class CredentialWatch:
    """Notes the credentials that sign the calls of a client, on whatever path.

    Attributes:
        secrets: the values that must not be shown, to which those of the credentials are added.
    """

    secrets: Secrets
    _last: Keys | None = attrs.field(default=None, init=False)

    def note(self, keys: Keys) -> None:
        """Note the credentials of a call that is about to be signed, and log that they were renewed.

        Raises:
            ConfigurationError: a value has control characters or invisible ones, or blanks at one of its ends. The
                message says which value.
        """
        last = self._last
        if keys is last:
            return
        if last is not None and _values(keys) == _values(last):
            self._last = keys
            return
        self.secrets.add(keys)
        _check(keys)
        self._last = keys
        if last is not None:
            _logger.info("the AWS credentials were renewed")

    def watch(self, client: AioBaseClient) -> None:
        """Note all credentials that sign a client's calls; nothing if its private members are not as expected."""
        signer = getattr(client, "_request_signer", None)
        credentials: AioCredentials | None = getattr(signer, "_credentials", None)
        if credentials is not None:
            vars(signer)["_credentials"] = _Watched(credentials, self)


class _Watched:
    """The credentials of a client, noted when they are taken to sign: botocore's events do not carry them."""

    def __init__(self, credentials: AioCredentials, watch: CredentialWatch) -> None:
        self._credentials = credentials
        self._watch = watch

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        keys = await self._credentials.get_frozen_credentials()
        self._watch.note(keys)
        return keys

    def __getattr__(self, name: str) -> object:
        return getattr(self._credentials, name)


def _values(keys: Keys) -> tuple[str, str, str | None]:
    return keys.access_key, keys.secret_key, keys.token


def _check(keys: Keys) -> None:
    values = {"access key": keys.access_key, "secret key": keys.secret_key, "session token": keys.token or ""}
    wrong = [name for name, value in values.items() if _is_invalid(value)]
    if wrong:
        raise ConfigurationError(
            f"the AWS credentials cannot be used: the {' and the '.join(wrong)} contains control characters, such as a"
            " newline at the end, or invisible ones, or begins or ends with a blank"
        )


def _is_invalid(value: str) -> bool:
    return has_control(value) or value != value.strip() or _INVISIBLE.search(value) is not None


def report_statuses(session: AioSession) -> None:
    """Make botocore report the HTTP status of a refusal of AWS STS that is no XML, such as that of a load balancer.

    botocore says only that it cannot parse the response.
    """
    session.register("before-parse.sts", _refuse_unreadable, unique_id="aiorekostream-sts-status")


def _refuse_unreadable(operation_model: OperationModel, response_dict: Mapping[str, Any], **_: object) -> None:
    status, body = response_dict["status_code"], response_dict["body"].strip()
    is_page = status >= _SERVER_ERROR and (not body or body.startswith(b"<html>"))  # botocore reads and retries it
    if status < _FIRST_ERROR or is_page or _is_xml(body):
        return
    error = {"Code": str(status), "Message": body[:_SHOWN].decode("utf-8", "replace")}
    raise ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}, operation_model.name)


def _is_xml(body: bytes) -> bool:
    try:
        ElementTree.XML(body)
    except ElementTree.ParseError:
        return False
    return True


@attrs.define(eq=False, repr=False)
class MetadataWatch:
    """Notes what the metadata service of an EC2 instance answered.

    botocore writes this to its debug log only, and reports that no credentials were found.

    Attributes:
        has_failed: whether it was asked without success.
        status: the HTTP status that it answered at last; ``None`` if it did not answer.
    """

    has_failed: bool = False
    status: int | None = None

    @classmethod
    def of(cls, session: AioSession) -> Self:
        """Watch the metadata requests of a session; nothing if botocore's private members are not as expected."""
        watch = cls()
        try:
            fetcher: Any = attrgetter("_role_fetcher")(
                session.get_component("credential_provider").get_provider("iam-role")
            )
            ask, exceeded = attrgetter("_get_request", "_RETRIES_EXCEEDED_ERROR_CLS")(fetcher)
        except Exception:  # noqa: BLE001 - botocore's members, or a chain without this provider
            return watch

        async def watched(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - botocore's
            watch.status = None
            if callable(is_retried := options.get("retry_func")):
                options["retry_func"] = watch._noting(is_retried)
            try:
                return await ask(*arguments, **options)
            except exceeded:
                watch.has_failed = True
                raise

        vars(fetcher)["_get_request"] = watched
        return watch

    def _noting(self, is_retried: Callable[[Any], Any]) -> Callable[[Any], Awaitable[Any]]:
        async def noted(response: Any) -> Any:  # noqa: ANN401 - botocore's
            self.status = response.status_code
            found = is_retried(response)
            return await found if inspect.isawaitable(found) else found

        return noted

    @property
    def hint(self) -> str:
        """What to do about it; empty if it answered with credentials or was not asked."""
        if not self.has_failed:
            return ""
        if self.status is None:
            return _SILENCE
        return f"{_SERVICE} answered HTTP {self.status}: {_REFUSALS.get(self.status, 'check the role of the instance')}"
