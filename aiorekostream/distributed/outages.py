"""Log once when the server is lost, and once when it is found again."""

from __future__ import annotations

import logging

__all__ = ["OutageLog"]

_log = logging.getLogger("aiorekostream")


class OutageLog:
    """Log changes, for all keys on one server.

    Args:
        server: the address, without a password.
        shared: what the hosts share, in the plural.
    """

    def __init__(self, server: str, shared: str = "quotas") -> None:
        self._server, self._shared = server, shared
        self._reasons: dict[str, str] = {}

    def lost(self, key: str, reason: str, *, effect: str) -> None:
        """Log a WARNING when the first key is lost, or one for another reason.

        Args:
            key: what cannot be used.
            reason: why.
            effect: what this host does meanwhile.
        """
        is_news = reason not in self._reasons.values() and key not in self._reasons
        self._reasons.setdefault(key, reason)
        if is_news:
            _log.warning("the shared %s at %s are out of reach (%s); %s", self._shared, self._server, reason, effect)

    def found(self, key: str) -> None:
        """Log at INFO when the last lost key is found."""
        if self._reasons.pop(key, None) is not None and not self._reasons:
            _log.info("the shared %s at %s are within reach again", self._shared, self._server)
