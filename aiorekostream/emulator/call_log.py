"""Record each request, whether its operation was executed, and the response. Tests compare outcomes with this log.

The logger ``aiorekostream.emulator.calls`` writes the same in one line for each call, at level INFO.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from typing import TYPE_CHECKING, final

import attrs

from aiorekostream.emulator.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Sequence


__all__ = ["CallLog", "RecordedCall"]

_LOGGER = logging.getLogger("aiorekostream.emulator.calls")
_PLAIN = re.compile(r"[A-Za-z0-9_.\-]*")

# Calls; bounds the memory of an emulator that runs for days. A call takes up to 0.5 KB.
_MAX_CALLS = 100_000
# Characters. The longest name that the API has is 128; a longer one is in a request that was refused.
_MAX_NAME_LENGTH = 128


@final
@attrs.frozen(kw_only=True)
class RecordedCall:
    """One request that the emulator received.

    Attributes:
        operation: AWS's name of the operation; empty if the request could not be parsed.
        name: the name of the stream processor, cut after 128 characters; empty if the request has none.
        account: the caller's account, twelve digits; empty if the caller is unknown.
        region: the Region; empty if the caller is unknown.
        at: the time of arrival, in epoch seconds of the emulator's clock.
        request_id: the request id, also for a request without a response.
        status: the HTTP status of the response; None if no response was sent.
        code: AWS's error code in the response; None for a success, without a response, and for a response that is
            not in AWS's format.
        done: whether the operation was executed, whatever the response was.
        session_id: the session that this call started.
        faults: the injected faults that applied to it.
    """

    operation: str = ""
    name: str = ""
    account: str = ""
    region: str = ""
    at: float
    request_id: str
    status: int | None = None
    code: str | None = None
    done: bool = False
    session_id: str | None = None
    faults: tuple[Fault, ...] = ()


@attrs.define
class CallLog:
    """Keep the latest 100,000 calls.

    Attributes:
        enabled: whether calls are recorded.
    """

    enabled: bool = True
    _calls: deque[RecordedCall] = attrs.field(factory=lambda: deque(maxlen=_MAX_CALLS), init=False)

    @property
    def calls(self) -> Sequence[RecordedCall]:
        """The recorded calls, in the order in which their responses were decided."""
        return tuple(self._calls)

    def add(self, call: RecordedCall) -> None:
        """Record a call."""
        if len(call.name) > _MAX_NAME_LENGTH:
            call = attrs.evolve(call, name=call.name[:_MAX_NAME_LENGTH])
        if self.enabled:
            self._calls.append(call)
        if _LOGGER.isEnabledFor(logging.INFO):
            _LOGGER.info("%s", _line(call))

    def clear(self) -> None:
        """Remove all recorded calls."""
        self._calls.clear()


def _line(call: RecordedCall) -> str:
    """Describe a call in one line, such as ``StopStreamProcessor door: 400 ResourceInUseException``."""
    subject = " ".join(_printable(text) for text in (call.operation, call.name) if text) or "invalid request"
    outcome = [str(call.status) if call.status else "no response"]
    if call.code is not None:
        outcome[0] += f" {_printable(call.code)}"
    if call.done and call.status != 200:  # noqa: PLR2004
        outcome.append("executed")
    if call.session_id is not None:
        outcome.append(f"session {call.session_id}")
    outcome += [f"injected {type(fault).__name__}" for fault in call.faults]
    return f"{subject}: {', '.join(outcome)}"


def _printable(text: str) -> str:
    """Return text that cannot begin a new line or hide the rest of one."""
    return text if _PLAIN.fullmatch(text) else ascii(text)
