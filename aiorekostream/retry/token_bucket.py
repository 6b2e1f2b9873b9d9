"""Count the retries that a client may still make without a rate limiter: a token bucket that failures empty.

When a service is down, every call fails, and retrying all of them only adds to the load. Each retry after a failure
takes tokens; the success of the retry returns them, and every call that succeeds at once adds a little. Retries of rate
limited calls take none, since the rate limiter keeps them from becoming more frequent. Nor do throttled calls and those
that found no connection. The numbers are those of botocore's standard retry mode.
"""

import attrs

__all__ = ["RetryTokenBucket"]

_RETRY_COST = 5  # tokens
_SUCCESS_REWARD = 1  # tokens


@attrs.define(eq=False, repr=False)
class RetryTokenBucket:
    """One bucket for all calls of a client.

    Attributes:
        capacity: the most tokens that it holds.
        tokens: the tokens in it.
    """

    capacity: int = 500
    tokens: int = attrs.field(default=attrs.Factory(lambda self: self.capacity, takes_self=True))

    @property
    def has_tokens(self) -> bool:
        """Whether there are enough for one retry."""
        return self.tokens >= _RETRY_COST

    def acquire(self) -> bool:
        """Take the tokens of one retry, if there are enough."""
        if not self.has_tokens:
            return False
        self.tokens -= _RETRY_COST
        return True

    def succeeded(self, retries_paid: int) -> None:
        """Return the tokens of a call that succeeded after so many retries, or add the reward for one without."""
        self.tokens = min(self.capacity, self.tokens + (retries_paid * _RETRY_COST or _SUCCESS_REWARD))
