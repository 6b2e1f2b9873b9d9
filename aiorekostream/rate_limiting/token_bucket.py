"""Compute when the next request under a quota may be sent, and learn the quota from the service's answers.

The bucket starts with the quota that the client believes in: it holds ``burst`` tokens and gains ``rate`` tokens a
second. While the service accepts requests, they are sent at just that speed. A throttle means that the service's bucket
was empty at that moment, so the number of requests accepted since the window of measurement began, divided by its
length, is the service's rate. The bucket goes on a little below the measured rate and then raises it again, slowly at
first and then faster, until the next throttle or up to the believed rate.

A throttle in a window that began with a full bucket is weak evidence unless most of the believed capacity was
asked for in that window: a low count of accepted requests may mean a low quota or merely low demand. It causes a *dip*,
a bounded decrease that recovers within seconds. The window goes on: further throttles in it deepen the dip, and after a
few of them the measurement is trusted, if they are a considerable share of the requests.

A throttle while the rate is still below the last measured one, and nearly all requests are accepted, is a stray: a
quota of that size would not have refused it. It changes nothing, and neither do further throttles until the next
measurement, as long as they are a small share of the requests: they do not depend on the rate. So the rate recovers.

A permit may be granted before it is due, to a queue or a host that waits for the moment itself. Such a permit is
*pending*: it counts as sent after a throttle that arrives meanwhile, and is paid from the tokens that the throttle
leaves. It was granted at the previous rate: if the throttle measured the rate, a throttle of this permit adds nothing.

``distributed/rate_limit.lua`` has the same arithmetic for the bucket that many hosts share. A test feeds the same
events to both, so a change here needs the same change there.

The time is an argument, and nothing here waits. Event loops of several threads share a bucket, so it has a lock.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import deque

import attrs

__all__ = ["DUE_WITHIN", "AdaptiveTokenBucket", "Grant"]

_log = logging.getLogger("aiorekostream")

# Seconds. A permit that is due within this time is due: uvloop's clock has a resolution of 1 ms and stands still within
# an iteration of the loop, and asyncio's epoll rounds timeouts up to 1 ms, so a waiter cannot be woken more precisely.
# What is granted early is owed: the tokens become negative, and the average never exceeds the rate.
DUE_WITHIN = 0.001

# Requests may overtake each other on the way, so that the service sees two of them closer together than they were sent.
# The effect is largest at first, when requests wait for connections to open. One token and a tenth of the burst are
# left unused to absorb that (shares of the burst and the rate; measured with connection times up to 0.3 s). A burst of
# fewer than two requests has no such room, so the rate is lowered by 2.5 % instead.
BURST_SHARE = 0.9
SINGLE_REQUEST_RATE_SHARE = 0.975
MIN_BURST_WITH_ROOM = 2

# A multiple of the rate. A burst is sent at this speed and not at once, so that a throttle stops the rest of it.
BURST_SPEED = 3.0

# Share of the believed rate. If at least this share was measured, the believed rate is confirmed and the throttled
# request was merely early.
CONFIRMED_SHARE = 0.9
# Tokens left after a confirmed throttle of a single-request burst: the request need not wait for a whole token.
CONFIRMED_TOKENS = 0.9

# After a throttle the rate continues at this share of the measured rate, ...
DECREASE_SHARE = 0.97
# ... then gains this share of the measured rate each second, ...
LINEAR_RECOVERY = 0.01
# ... plus this share of the believed rate times the square of the seconds. A quota that another client has left is
# found again within 30 s: 0.001 * 30 ** 2 is nine tenths.
QUADRATIC_RECOVERY = 0.001

# A throttle that is weak evidence decreases the rate by the share of throttles in the window, but not below this share
# of it, ...
DIP_SHARE = 0.75
# ... of which a quarter of the full rate is regained linearly in this many seconds, ...
DIP_SECONDS = 2.0
# ... and leaves this share of the tokens: none would delay a burst by a second after a stray throttle, and all would be
# sent into a bucket that is empty if the throttle was none.
DIP_TOKENS = 0.25
# This many throttles of one window are weak evidence; the next one is trusted, however few requests were accepted.
# Chosen by simulation: with 20 calls/s believed, 60 starts take 1.42 of their time after one stray throttle and 1.8
# with three, and 200 starts at a real 7 calls/s have 7 % throttled. Without dips 60 starts take 8 times as long.
MAX_DIPS = 3

# Of the requests in a window, the share of throttles from which weak evidence is trusted: a service may throttle a few
# requests of a hundred for other reasons, and a quota that is half of the believed one throttles half of them.
TRUSTED_SHARE = 0.25
# Below this share, or below this number of throttles, those of a window may be strays. With more, 1,000 starts beside
# another client that takes half of the quota have more than 5 % throttled; with less, the rate does not survive strays.
STRAY_SHARE = 0.06
MIN_THROTTLES = 2

# Tokens. A window in which this much capacity went unused does not measure the quota, so the next one begins.
MAX_UNUSED_CAPACITY = 1.0

# Requests. The weight of the previous rate against a new measurement.
PRIOR_WEIGHT = 3.0
# Share of the believed rate below which a measurement never lowers the rate.
MIN_RATE_SHARE = 0.01

# Requests. The last accepted ones are remembered by number, to count those that overtook a throttled one, and the last
# cancelled ones, since those that were granted after a throttled one are not among the requests before it.
REMEMBERED_REQUESTS = 100

# Share of the rate that was logged last. A client that uses its whole quota is throttled every few seconds and lowers
# its rate by a few percent each time, which is no news.
LOGGED_DECREASE = 0.9

# Tokens. A shortfall of this size is a rounding error of sums of floats.
_ROUNDING = 1e-6
# Seconds. The shortest window that is measured, against division by zero.
_MIN_WINDOW = 1e-6


@attrs.frozen(eq=False, repr=False)
class Grant:
    """One token taken from the bucket.

    Attributes:
        number: counts from 1.
        at: the moment at which it may be used.
    """

    number: int
    at: float


@attrs.define(eq=False, repr=False)
class AdaptiveTokenBucket:
    """Hold the tokens of one operation, in one Region of one account.

    ``try_acquire``, ``delay``, ``set_quota`` and the reports (``allowed``, ``throttled``, ``cancel``) may be called
    from several threads. A decrease and a full recovery of the rate are logged at INFO to ``aiorekostream``.

    Attributes:
        rate: calls a second that the quota is believed to allow; more than 0.
        burst: calls at once, after a rest, that it is believed to allow; less than 1 counts as 1.
        operation: AWS's name of the operation, for the log.
        slack: the share of ``rate`` that is used where ``burst`` is less than 2; more than 0, at most 1.
        max_rate: the rate without any throttle, in calls a second.
    """

    rate: float
    burst: float
    operation: str = ""
    slack: float = SINGLE_REQUEST_RATE_SHARE
    max_rate: float = attrs.field(init=False)
    # Seconds between the requests of a burst.
    _distance: float = attrs.field(init=False)
    # The rate that the last throttle measured; it limits nothing before the first and after a confirmed one.
    _measured_rate: float = attrs.field(default=float("inf"), init=False)
    _measured_at: float = attrs.field(default=0.0, init=False)
    _dip_share: float = attrs.field(default=1.0, init=False)
    _dipped_at: float = attrs.field(default=0.0, init=False)
    _tokens: float = attrs.field(default=0.0, init=False)
    _refilled_at: float = attrs.field(default=float("-inf"), init=False)
    # When the last request should have been sent at BURST_SPEED, if it was sent early, or was sent.
    _last_due_at: float = attrs.field(default=float("-inf"), init=False)
    _last_number: int = attrs.field(default=0, init=False)
    # Requests up to this number were sent before the last throttle was heard.
    _heard_number: int = attrs.field(default=0, init=False)
    # The window of measurement: requests after this number, since that moment.
    _window_number: int = attrs.field(default=0, init=False)
    _window_start: float = attrs.field(default=0.0, init=False)
    _window_began_full: bool = attrs.field(default=True, init=False)
    _window_dips: int = attrs.field(default=0, init=False)
    _window_not_accepted: int = attrs.field(default=0, init=False)
    _window_throttled: int = attrs.field(default=0, init=False)
    _window_has_strays: bool = attrs.field(default=False, init=False)
    _unused_capacity: float = attrs.field(default=MAX_UNUSED_CAPACITY, init=False)
    _accepted: deque[int] = attrs.field(factory=lambda: deque[int](maxlen=REMEMBERED_REQUESTS), init=False)
    _cancelled: deque[int] = attrs.field(factory=lambda: deque[int](maxlen=REMEMBERED_REQUESTS), init=False)
    _logged_rate: float | None = attrs.field(default=None, init=False)
    # A call that the garbage collector ends while a method runs returns its token from within that method.
    _lock: threading.RLock = attrs.field(factory=threading.RLock, init=False)

    def __attrs_post_init__(self) -> None:
        self.set_quota(self.rate, self.burst)

    def set_quota(self, rate: float, burst: float) -> None:
        """Go on with another believed quota; what was used and what was learned stays."""
        with self._lock:
            self.rate, self.burst = rate, burst
            self.max_rate = rate if burst >= MIN_BURST_WITH_ROOM else rate * self.slack
            self._distance = 1 / (BURST_SPEED * rate)

    def rate_at(self, now: float) -> float:
        """Return the calls a second that are granted at that moment."""
        passed = max(0.0, now - self._measured_at)
        linear = self._measured_rate * (DECREASE_SHARE + LINEAR_RECOVERY * passed)
        rate = min(self.max_rate, linear + self.rate * QUADRATIC_RECOVERY * passed * passed)
        return rate if self._dip_share >= 1 else rate * self._dip_at(now)

    def ready_at(self, now: float, *, spread: bool = True) -> float:
        """Return the earliest moment at which the next request may be sent; not before ``now``.

        Args:
            now: the time.
            spread: whether a burst is sent at ``BURST_SPEED`` instead of at once.
        """
        rate = self._refill(now)
        missing = 1 - self._tokens
        ready = now + missing / rate if missing > _ROUNDING else now
        return max(ready, self._last_due_at + self._distance) if spread else ready

    def acquire(self, now: float, *, due_at: float | None = None) -> Grant:
        """Take a token; the tokens are those of the last call of ``ready_at``.

        Args:
            now: the time.
            due_at: the result of ``ready_at``; ``now`` if the caller has waited for it.
        """
        due_at = now if due_at is None else due_at
        if self._unused_capacity >= MAX_UNUSED_CAPACITY:
            # Less was asked for than the quota allows, so the number of accepted requests does not measure the quota.
            self._start_window(now, began_full=True)
        self._tokens -= 1
        # A request of a burst that goes early owes the rest of its distance to the next one.
        self._last_due_at = min(max(now, self._last_due_at + self._distance), max(now + DUE_WITHIN, due_at))
        self._last_number += 1
        return Grant(self._last_number, due_at if due_at > now + DUE_WITHIN else now)

    def try_acquire(self, now: float, *, spread: bool = True, horizon: float = DUE_WITHIN) -> Grant | float:
        """Take a token if one is due within ``horizon`` seconds, or return the moment at which it is due."""
        with self._lock:
            ready = self.ready_at(now, spread=spread)
            result = self.acquire(now, due_at=ready) if ready <= now + horizon else ready
            before = self._logged_rate
            if before is None or self.rate_at(now) < self.max_rate:
                return result
            self._logged_rate = None
        self._log_change("%s: rate recovered from %.3g to %.3g calls/s", before, self.max_rate)
        return result

    def delay(self, now: float, *, queue_length: int) -> float:
        """Return the expected wait in seconds of a request behind so many others; bursts are not spread."""
        with self._lock:
            return self.ready_at(now, spread=False) - now + queue_length / self.rate_at(now)

    def allowed(self, grant: Grant) -> None:
        """Learn that the service accepted the request."""
        with self._lock:
            self._accepted.append(grant.number)

    def throttled(self, grant: Grant, now: float) -> None:
        """Learn that the service rejected the request as too fast."""
        with self._lock:
            before = self._refill(now)
            if grant.number > self._window_number:
                self._window_not_accepted += 1
                self._window_throttled += 1
            if grant.number <= self._heard_number:
                return  # sent before the last throttle was heard: the same news
            self._heard_number = self._last_number - self._count_pending(now)
            self._learn(grant, now, before)
            after = self.rate_at(now)
            if after >= min(before, LOGGED_DECREASE * (self._logged_rate or before)):
                return
            self._logged_rate = after
        self._log_change("%s: rate decreased from %.3g to %.3g calls/s after a throttle", before, after)

    def cancel(self, grant: Grant) -> None:
        """Return a token: the request was not sent."""
        with self._lock:
            self._tokens += 1
            if grant.number == self._last_number:
                self._last_due_at -= self._distance  # the next request takes the place of this one
            if grant.number > self._window_number:
                self._window_not_accepted += 1
                self._cancelled.append(grant.number)

    def delayed(self, seconds: float) -> None:
        """Learn that a request reached the service so many seconds after its permit.

        A bucket of one token gains nothing while it is full, so the service lost that time, and the next request would
        come too early by as much. Larger bursts have room for it. Hosts that share a bucket report such delays.
        """
        with self._lock:
            if self.burst < MIN_BURST_WITH_ROOM:
                room = (1 / self.slack - 1) / self.rate
                self._tokens -= min(1.0, max(0.0, seconds - room) * self.rate)

    def _count_pending(self, now: float) -> int:
        """Count the granted requests that are not due yet; the tokens are those of ``now``."""
        by_tokens = -self._tokens - self.rate * DUE_WITHIN
        by_distance = (self._last_due_at - now - DUE_WITHIN) / self._distance
        return max(0, math.ceil(max(by_tokens, by_distance, 0.0)))

    def _refill(self, now: float) -> float:
        """Add the tokens that were gained until now; returns the present rate."""
        rate = self.rate_at(now)
        capacity = max(1.0, BURST_SHARE * self.burst * rate / self.rate - 1)
        level = self._tokens + max(0.0, now - self._refilled_at) * rate
        self._unused_capacity += max(0.0, level - capacity)
        self._tokens = min(level, capacity)
        self._refilled_at = max(now, self._refilled_at)
        return rate

    def _learn(self, grant: Grant, now: float, current: float) -> None:
        """Lower the rate, and take the tokens that the service turned out not to have."""
        overtaking = sum(number > grant.number for number in self._accepted)
        not_accepted = self._window_not_accepted - sum(number > grant.number for number in self._cancelled)
        accepted = max(0, grant.number - self._window_number - not_accepted) + overtaking
        measured = self._measure(accepted, max(grant.at - self._window_start, _MIN_WINDOW), current)
        share = self._throttled_share(now)
        if self._is_stray(current, share):
            return
        if self._window_began_full and not self._is_trusted(share) and measured < current * DIP_SHARE:
            self._dip_share, self._dipped_at = self._dip_at(now) * max(DIP_SHARE, 1 - share), now
            self._window_dips += 1
            pending = self._count_pending(now)
            self._tokens = min(self._tokens, (self._tokens + pending) * DIP_TOKENS - pending)
            return
        is_confirmed = accepted > 0 and measured >= self.rate * CONFIRMED_SHARE
        is_believed = is_confirmed and self._window_began_full
        self._measured_rate = float("inf") if is_believed else min(self.rate, max(measured, self.rate * MIN_RATE_SHARE))
        self._measured_at, self._dip_share = now, 1.0
        self._start_window(now, began_full=False)
        self._heard_number = self._last_number  # pending permits were granted at the previous rate
        is_early = is_confirmed and self.burst < MIN_BURST_WITH_ROOM
        pending = self._count_pending(now)
        self._tokens = CONFIRMED_TOKENS - pending if is_early else min(self._tokens, -pending)

    def _throttled_share(self, now: float) -> float:
        not_sent = self._window_not_accepted - self._window_throttled + self._count_pending(now)
        return self._window_throttled / max(1, self._last_number - self._window_number - not_sent)

    def _is_trusted(self, share: float) -> bool:
        return self._window_dips >= MAX_DIPS and share >= TRUSTED_SHARE

    def _is_stray(self, current: float, share: float) -> bool:
        """Return whether a throttle is a stray: it, or one before it, came below the last measured rate."""
        if self._window_began_full or self._measured_rate == float("inf"):
            return False
        is_weak = self._window_throttled < MIN_THROTTLES or share < STRAY_SHARE
        self._window_has_strays |= is_weak and current < self._measured_rate
        return is_weak and self._window_has_strays

    def _measure(self, accepted: int, elapsed: float, current: float) -> float:
        if self._window_began_full:
            # The service's bucket was full at the start. Its size is taken to be in proportion to its rate.
            return (accepted + 1) / (max(1.0, self.burst) / self.rate + elapsed)
        prior = PRIOR_WEIGHT / (self._measured_rate if current < self.max_rate else self.rate)
        return (accepted + PRIOR_WEIGHT) / (elapsed + prior)

    def _dip_at(self, now: float) -> float:
        regained = (1 - DIP_SHARE) * max(0.0, now - self._dipped_at) / DIP_SECONDS
        return min(1.0, self._dip_share + regained)

    def _start_window(self, now: float, *, began_full: bool) -> None:
        self._window_start, self._window_began_full = now, began_full
        self._window_number = self._last_number - self._count_pending(now)
        self._window_dips = self._window_not_accepted = self._window_throttled = 0
        self._unused_capacity, self._window_has_strays = 0.0, False
        self._accepted.clear()
        self._cancelled.clear()

    def _log_change(self, message: str, before: float, after: float) -> None:
        fields = {"operation": self.operation, "rate_before": before, "rate_after": after}
        _log.info(message, self.operation, before, after, extra=fields)
