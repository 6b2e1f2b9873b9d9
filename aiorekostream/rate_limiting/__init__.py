"""Limit the rate of calls to the quotas of an account, and learn the real quotas from throttles.

- ``port``: the protocols that a rate limiter implements, and the values that pass through them.
- ``token_bucket``: the arithmetic of one quota; it reads no clock and waits for nothing.
- ``permit_queue``: the requests that wait in one event loop for the tokens of one quota.
- ``limiter``: the default rate limiter, which every client of a process shares.
"""

from aiorekostream.rate_limiting.limiter import LocalRateLimiter
from aiorekostream.rate_limiting.port import Permit, PermitRequest, Priority, RateLimiter, RateStatus

__all__ = ["LocalRateLimiter", "Permit", "PermitRequest", "Priority", "RateLimiter", "RateStatus"]
