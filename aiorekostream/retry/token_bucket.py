"""How many retries a client may still make: a purse that failures empty and successes fill.

When a service is down, every call fails, and retrying all of them only adds to the load. Each retry after a failure
has a price; the success of the retry gives it back, and every call that succeeds at once adds a little. Calls that a
pacer lets through cost nothing: retries make them no more frequent. Nor do refusals of too fast calls, and those that
found no connection. The numbers are botocore's.
"""

import attrs

__all__ = ["RetryTokenBucket"]

_FULL = 500
_PRICE = 5
_REWARD = 1


@attrs.define
class RetryTokenBucket:
    """The purse; one for all calls of a client.

    Attributes:
        left: what is in it.
    """

    left: int = _FULL

    @property
    def has_tokens(self) -> bool:
        """Whether there is enough for one retry."""
        return self.left >= _PRICE

    def acquire(self) -> bool:
        """Pay for one retry, if there is enough."""
        if not self.has_tokens:
            return False
        self.left -= _PRICE
        return True

    def succeeded(self, paid: int) -> None:
        """A call succeeded, after so many retries were paid for."""
        self.left = min(_FULL, self.left + (paid * _PRICE or _REWARD))
