"""Keep secrets out of errors and logs, and text of the service from forging lines in them. Pure."""

from __future__ import annotations

import base64
import functools
import re
from collections import deque
from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

import attrs

from aiorekostream.service_text import has_control, one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Keys", "Secrets", "without_userinfo", "without_userinfo_of"]

_READ = 50_000  # characters of a text of the service or of another library, of which 300 are shown
_CHAINED = 2000  # characters of the text of a chained exception
_SHORTEST = 4  # characters; shorter values are words of any text
# Characters. AWS's keys have 16 or more; shorter ones are made up for an emulator, such as "test". Replacing them
# within words would make messages illegible.
_SHORTEST_KEY = 8
_KEPT = 3  # sets of credentials: the present one, and earlier ones by which calls in flight were signed
_PART = 16  # characters; a longer beginning of a value is redacted, too, since texts are cut
_REST = r"(?:[^\s'\"<>\\]|\\(?!['\"]))*"  # without the backslash of an escaped quote: the rest must stay JSON
_SPELLED = 64  # characters; only session tokens and passwords are longer
_BASE64_PART = 20  # characters, which encode the first 15 bytes
_BASE64 = r"[A-Za-z0-9+/_-]*=*"
# Of a URL, and of an endpoint that botocore shows because it is none.
_USERINFO = re.compile(r"(?<=//)[^/\s?#'\"]*@|(?<=Invalid endpoint: ).*@")
_RUN = re.compile(r"[A-Za-z0-9]+")
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


def without_userinfo_of(url: str) -> str:
    """Return a URL without user name and password, even if a password has characters that end an authority."""
    before, found, after = url.rpartition("@")
    scheme, separator, _ = before.partition("://")
    return f"{scheme}{separator}{after}" if found and separator else after


@attrs.frozen(eq=False, repr=False)
class _Secret:
    """A value that must not be shown, whatever it is escaped for."""

    value: str
    # Every spelling but Base64 keeps this, so most texts are passed over without the pattern.
    _run: str
    _base64: frozenset[str]

    @classmethod
    def of(cls, value: str) -> _Secret:
        run = max(_RUN.findall(value[:_PART]), key=len, default="")
        data = value.encode("utf-8", "surrogatepass")
        encoded = (base64.b64encode(data), base64.urlsafe_b64encode(data))
        return cls(value, run, frozenset(text.decode().rstrip("=")[:_BASE64_PART] for text in encoded))

    def redacted(self, text: str) -> str:
        for encoded in self._base64:
            if encoded in text:
                text = re.sub(re.escape(encoded) + _BASE64, _REDACTED, text)
        return self.without_spellings(text)

    def without_spellings(self, text: str) -> str:
        """Return a text without the value in any spelling but Base64."""
        return _spellings(self.value).sub(_REDACTED, text) if self._run in text else text


@functools.lru_cache(maxsize=32)
def _spellings(value: str) -> re.Pattern[str]:
    """Return the pattern of a value as it is, and as it is escaped in URLs, JSON, HTML and the ``repr`` of a text.

    A beginning of a value matches, too, with what follows it: a text may have been cut within the value. The pattern of
    a session token has only its beginning, since the whole would take a tenth of a second to compile.
    """
    spelled = [character if _RUN.fullmatch(character) else _escapes(character) for character in value[:_SPELLED]]
    beginning = f"{''.join(spelled[:_PART])}{_REST}"
    if len(value) > _SPELLED:
        return re.compile(beginning)
    return re.compile("".join(spelled) if len(value) <= _PART else f"{''.join(spelled)}|{beginning}")


def _escapes(character: str) -> str:
    code = ord(character)
    data = character.encode("utf-8", "surrogatepass")
    percent = "".join(f"%(?:25)*{byte:02x}" for byte in data)
    return (
        rf"(?i:\\*{re.escape(character)}|{percent}|\\+u{code:04x}|\\+x{code:02x}|&#0*{code};|&#x0*{code:x};|&[a-z]+;)"
    )


@attrs.define(eq=False, repr=False)  # a repr would show the values
class Secrets:
    """The values that must not be shown: those of the credentials, and the user names and passwords of URLs."""

    _keys: deque[tuple[_Secret, ...]] = attrs.field(factory=lambda: deque[tuple[_Secret, ...]](maxlen=_KEPT))
    _texts: dict[str, _Secret] = attrs.field(factory=dict[str, _Secret])
    # The longest first: one value may contain another.
    _all: tuple[_Secret, ...] = ()

    def add(self, keys: Keys) -> None:
        """Add the values of credentials, except those that are too short to be a secret of AWS."""
        values = (keys.access_key, keys.secret_key, keys.token)
        self._keys.append(tuple(_Secret.of(value) for value in values if value and len(value) >= _SHORTEST_KEY))
        self._sort()

    def add_url(self, url: str) -> None:
        """Add the user name and the password of a URL, as they are and decoded."""
        userinfo = url.rpartition("@")[0].rpartition("//")[2]
        password = userinfo.partition(":")[2]
        self.add_text(userinfo)
        self.add_text(password)

    def add_text(self, value: str) -> None:
        """Add a value, as it is and decoded from a URL."""
        self._texts.update({text: _Secret.of(text) for text in (value, unquote(value)) if len(text) >= _SHORTEST})
        self._sort()

    def _sort(self) -> None:
        secrets = (*self._texts.values(), *(secret for keys in self._keys for secret in keys))
        self._all = tuple(sorted(secrets, key=lambda secret: len(secret.value), reverse=True))

    def clean(self, text: str) -> str:
        """Return a text as it may be shown: without secrets, on one line, at most 300 characters."""
        return one_line(self.redacted(without_userinfo(text[:_READ])))

    def redacted(self, text: str) -> str:
        """Return a text of any length without the secrets."""
        for secret in self._all:
            text = secret.redacted(text)
        return text

    def redacted_response(self, text: str) -> str:
        """Return the text of a successful response without those secrets that are no words of its values.

        Base64 is left alone: it is the data of the caller's own records, of which a response may have 10 MB.
        """
        for secret in self._all:
            if len(secret.value) >= _LEAST_IN_VALUES:
                text = secret.without_spellings(text)
        return text

    def may_be_chained(self, error: BaseException) -> bool:
        """Return whether a traceback may show an exception of another library and those that it is chained to."""
        # Some exceptions keep the request with its signed headers, which debuggers and error reporters show.
        return all(
            self._may_be_printed(str(each)) and self.redacted(facts := f"{vars(each)!r} {each.args!r}") == facts
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
