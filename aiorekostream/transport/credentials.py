"""Check the credentials that sign a call, and say why there are none, without showing them."""

from __future__ import annotations

import re
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Self

import attrs

from aiorekostream.errors import ConfigurationError

if TYPE_CHECKING:
    from aiobotocore.session import AioSession

    from aiorekostream.transport.secrets import Keys

__all__ = ["MetadataWatch", "check_credentials"]

_SILENCE = (
    "The instance metadata service (IMDS, 169.254.169.254) did not answer: where a role of an instance is expected, let"
    " the container reach it, with a hop limit (HttpPutResponseHopLimit) of at least 2"
)

# A header with one of these is not sent, and no key of AWS's has any.
_INVALID = re.compile(r"[\x00-\x1f\x7f]|^\s|\s$")


def check_credentials(keys: Keys) -> None:
    """Check that the values can be sent.

    Raises:
        ConfigurationError: a value has control characters, or blanks at one of its ends. The message says which.
    """
    values = {"access key": keys.access_key, "secret key": keys.secret_key, "session token": keys.token or ""}
    wrong = [name for name, value in values.items() if _INVALID.search(value)]
    if wrong:
        raise ConfigurationError(
            f"the AWS credentials cannot be used: the {' and the '.join(wrong)} contains control characters, such as a"
            " newline at the end, or begins or ends with a blank"
        )


@attrs.define
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
