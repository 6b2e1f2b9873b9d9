"""Check the credentials that sign a call, and say why there are none, without showing them."""

from __future__ import annotations

import logging
import re
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Self

import attrs

from aiorekostream.errors import ConfigurationError
from aiorekostream.transport.secrets import Keys, Secrets

if TYPE_CHECKING:
    from aiobotocore.client import AioBaseClient
    from aiobotocore.credentials import AioCredentials
    from aiobotocore.session import AioSession
    from botocore.credentials import ReadOnlyCredentials


__all__ = ["CredentialWatch", "MetadataWatch"]

_logger = logging.getLogger(__name__)

_SILENCE = (
    "The instance metadata service (IMDS, 169.254.169.254) did not answer: where a role of an instance is expected, let"
    " the container reach it, with a hop limit (HttpPutResponseHopLimit) of at least 2"
)

# A header with one of these is not sent, and no key of AWS's has any.
_INVALID = re.compile(r"[\x00-\x1f\x7f]|^\s|\s$")


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
            ConfigurationError: a value has control characters, or blanks at one of its ends. The message says which.
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
    wrong = [name for name, value in values.items() if _INVALID.search(value)]
    if wrong:
        raise ConfigurationError(
            f"the AWS credentials cannot be used: the {' and the '.join(wrong)} contains control characters, such as a"
            " newline at the end, or begins or ends with a blank"
        )


@attrs.define(eq=False, repr=False)
class MetadataWatch:
    """Notes whether the metadata service of an EC2 instance was asked and did not answer.

    botocore tells this to its debug log only, and reports that no credentials were found.
    """

    is_silent: bool = False

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
            try:
                return await ask(*arguments, **options)
            except exceeded:
                watch.is_silent = True
                raise

        vars(fetcher)["_get_request"] = watched
        return watch

    @property
    def hint(self) -> str:
        """What to do about it; empty if it answered or was not asked."""
        return _SILENCE if self.is_silent else ""
