"""Share quotas and session limits among many hosts, through Redis or Valkey. Requires the extra ``redis``.

- ``connection``: runs scripts on the server, and maps their errors.
- ``exchange``: the messages between a host and the script ``rate_limit.lua``, which holds the common token bucket.
- ``lease_book``: decides when a host asks for permits, and which it may use; pure.
- ``shared_quota``: carries out the decisions for one quota.
- ``outages``: logs when the server is lost and found.
- ``slot_exchange``, ``held_slot``, ``slot_book``, ``slot_leases``, ``session_slots``: the same for session slots, with
  the scripts ``session_slots.lua`` and ``session_list.lua``.
- ``options``: the arguments and their rules.
- ``limiter``: the rate limiter.
"""

try:
    from aiorekostream.distributed.limiter import RedisRateLimiter
    from aiorekostream.distributed.session_slots import RedisSessionSlots
except ModuleNotFoundError as _error:
    if (_error.name or "").partition(".")[0] != "redis":
        raise
    raise ImportError(
        "aiorekostream.distributed requires the extra `redis`: pip install 'aiorekostream[redis]'"
    ) from _error

__all__ = ["RedisRateLimiter", "RedisSessionSlots"]
