"""Keep secrets out of errors and logs, and text of the service from forging lines in them. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

import attrs

from aiorekostream.service_text import has_control, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Keys", "Secrets", "without_userinfo"]

_READ = 3000  # characters of a text of the service or of another library; it is cut at a tenth when it is shown
_CHAINED = 2000  # characters of the text of a chained exception
_SHORTEST = 4  # characters; shorter values are words of any text
# Characters. AWS's keys have 16 or more; shorter ones are made up for an emulator, such as "test". Replacing them
# within words would make messages illegible.
_SHORTEST_KEY = 8
_USERINFO = re.compile(r"(?<=//)[^/\s?#'\"]*@")
_LEAST_IN_VALUES = 16  # characters; AWS has no shorter keys, and those of emulators ("test") are words of names, too
_REDACTED = "[redacted]"


class Keys(Protocol):
    """The credentials of a moment."""

    @property
    def access_key(self) -> str:
        """The access key."""
        ...

    @property
    def secret_key(self) -> str:
        """The secret key."""
        ...

    @property
    def token(self) -> str | None:
        """The session token; ``None`` for lasting credentials."""
        ...


def without_userinfo(text: str) -> str:
    """Return a text without the user names and passwords of the URLs in it."""
    return _USERINFO.sub("", text)


@attrs.define(eq=False, repr=False)  # a repr would show the values
class Secrets:
    """The values that must not be shown: those of the credentials, and the user names and passwords of URLs."""

    _values: set[str] = attrs.field(factory=set[str])

    def add(self, keys: Keys) -> None:
        """Add the values of credentials, except those that are too short to be a secret of AWS."""
        values = (keys.access_key, keys.secret_key, keys.token)
        self._values.update(value for value in values if value and len(value) >= _SHORTEST_KEY)

    def add_url(self, url: str) -> None:
        """Add the user name and the password of a URL, as they are and decoded."""
        userinfo = urlsplit(url).netloc.rpartition("@")[0]
        password = userinfo.partition(":")[2]
        self.add_text(userinfo)
        self.add_text(password)

    def add_text(self, value: str) -> None:
        """Add a value, as it is and decoded from a URL."""
        self._values.update(text for text in (value, unquote(value)) if len(text) >= _SHORTEST)

    def clean(self, text: str) -> str:
        """Return a text as it may be shown: without secrets, on one line, at most 300 characters."""
        return one_line(self.redacted(without_userinfo(text[:_READ])))

    def redacted(self, text: str, *, least: int = 1) -> str:
        """Return a text of any length without those secrets that have at least so many characters."""
        found = [value for value in self._values if len(value) >= least and value in text]
        # The longest first: one value may contain another.
        for value in sorted(found, key=len, reverse=True):
            text = text.replace(value, _REDACTED)
        return text

    def redacted_response(self, text: str) -> str:
        """Return the text of a successful response without those secrets that are no words of its values."""
        return self.redacted(text, least=_LEAST_IN_VALUES)

    def may_be_chained(self, error: BaseException) -> bool:
        """Whether a traceback may show an exception of another library and those that it is chained to."""
        # Some exceptions keep the request with its signed headers, which debuggers and error reporters show.
        return all(
            self._may_be_printed(str(each)) and self.redacted(facts := repr(vars(each))) == facts
            for each in _chain(error)
        )

    def _may_be_printed(self, text: str) -> bool:
        return len(text) <= _CHAINED and not has_control(text) and self.redacted(without_userinfo(text)) == text


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
