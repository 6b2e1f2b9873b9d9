"""Tell the operator once when the server is lost, and once when it is found again."""

from __future__ import annotations

import logging

__all__ = ["OutageLog"]

_log = logging.getLogger("aiorekostream")


class OutageLog:
    """Log changes, for all keys on one server.

    Args:
        server: the address, without a password.
    """

    def __init__(self, server: str) -> None:
        self._server = server
        self._reasons: dict[str, str] = {}

    def lost(self, key: str, reason: str, *, operation: str, share: float) -> None:
        """Log a WARNING when the first key is lost, or one for another reason.

        Args:
            key: what cannot be used.
            reason: why.
            operation: AWS's name of the operation.
            share: the rate in calls a second at which this host continues.
        """
        is_news = reason not in self._reasons.values() and key not in self._reasons
        self._reasons.setdefault(key, reason)
        if is_news:
            message = (
                "the shared quotas at %s are out of reach (%s); this host continues with its share (%s: %.3g calls/s)"
            )
            _log.warning(message, self._server, reason, operation, share)

    def found(self, key: str) -> None:
        """Log at INFO when the last lost key is found."""
        if self._reasons.pop(key, None) is not None and not self._reasons:
            _log.info("the shared quotas at %s are within reach again", self._server)
