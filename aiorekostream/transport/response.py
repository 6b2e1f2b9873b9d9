"""Judge a response: success, refusal, or neither."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from aiorekostream.transport.attempts import Answer
from aiorekostream.transport.error_mapping import malformed_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiorekostream.transport.attempts import Attempt
    from aiorekostream.transport.secrets import Secrets

__all__ = ["note_response"]

# AWS answers every call of these operations with this status: botocore's model names no other.
_SUCCESS = 200
_FIRST_ERROR = 400
_FREE_TEXT = "StatusMessage"  # the one member that is a text for people


def note_response(attempt: Attempt, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Note the answer of an attempt, and the members of a successful response.

    botocore reads a body that is not JSON as an empty success, and any status below 301 as a success.

    Args:
        attempt: the attempt that was answered.
        status: the HTTP status.
        headers: the headers; names are found in lower case.
        body: the whole body.

    Raises:
        MalformedResponseError: the response is neither a success of this protocol nor an error.
    """
    attempt.answer = Answer.read(status, headers, is_local=attempt.is_local)
    if status >= _FIRST_ERROR:
        return
    if status != _SUCCESS:
        raise malformed_response(attempt, f"HTTP {status}", f"HTTP {_SUCCESS} or an error")
    attempt.members = _members(body, attempt.secrets)
    if attempt.members is None:
        raise malformed_response(attempt, body.decode("utf-8", "replace"), "a JSON object that is no error")


def _members(body: bytes, secrets: Secrets) -> dict[str, object] | None:
    """Return the members of a JSON object that is no error; none for an empty body, which AWS also sends.

    They may be shown, in the error of a member that cannot be read among others, so they are free of secrets.
    """
    if not body.strip():
        return {}
    try:
        # As text: from bytes, json.loads also takes a byte order mark and other encodings, which botocore does not.
        members: object = json.loads(secrets.redacted_response(body.decode()))
    except (ValueError, RecursionError):
        return None
    if not isinstance(members, dict) or "__type" in members:
        return None
    found = cast("dict[str, object]", members)
    if isinstance(message := found.get(_FREE_TEXT), str):
        found[_FREE_TEXT] = secrets.redacted(message)
    return found
