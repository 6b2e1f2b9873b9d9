-- One quota that many hosts share: report what the service answered, and take permits.
--
-- The arithmetic is that of rate_limiting/token_bucket.py; the comments there give the reasons, and a test feeds the
-- same events to both. Only the clock of this server counts, and only waits leave it. The commands are those of Redis 6.
--
-- KEYS: the bucket (a hash), the hosts (a sorted set: name -> when it asked last). Both have one hash tag.
-- ARGV: 1 version, 2 host, 3 rate, 4 burst, 5 slack, 6 want (permits), 7 horizon (s),
--       8 number of the last permit that the host knows of, 9 this server's time in the last reply, or 0,
--      10 seconds since that reply, 11 seconds for which the host waits for this one,
--      12 seconds since the host sent a request, or -1, 13 the learned rate that it knows of, or 0,
--      14 permits that it granted itself since the last reply, 15 among how many hosts it divided the rate then, or
--         would have,
--      16... reports, four each: 'throttled', number, seconds since its permit was due, later ones that were accepted
--                                'cancelled', number, 0, 0
--                                'delayed', 0, seconds, 0
-- Reply: {1, now, number of the first permit, rate, hosts, rank of this one among them, retry (us), wait (us)...}
--    or: {0, version, hosts} if the bucket belongs to another version: only the host is counted.
--    or: {2, now} if the host no longer waits, or this server's clock has jumped: nothing was done.

local VERSION, host, rate, burst, slack = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local want, horizon = tonumber(ARGV[6]), tonumber(ARGV[7])
local known_number, seen, known_for, patience = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local rested, known_rate, alone, sharers = tonumber(ARGV[12]), tonumber(ARGV[13]), tonumber(ARGV[14]), tonumber(ARGV[15])

-- Constants of token_bucket.py.
local DUE_WITHIN, BURST_SHARE, MIN_BURST_WITH_ROOM, BURST_SPEED = 0.001, 0.9, 2, 3
local CONFIRMED_SHARE, CONFIRMED_TOKENS, DECREASE_SHARE = 0.9, 0.9, 0.97
local LINEAR_RECOVERY, QUADRATIC_RECOVERY = 0.01, 0.001
local DIP_SHARE, DIP_SECONDS, DIP_TOKENS, MAX_DIPS = 0.75, 2, 0.25, 3
local TRUSTED_SHARE, STRAY_SHARE, MIN_THROTTLES = 0.25, 0.06, 2
local REMEMBERED_REQUESTS = 100
local MAX_UNUSED_CAPACITY, PRIOR_WEIGHT, MIN_RATE_SHARE, ROUNDING, MIN_WINDOW = 1, 3, 0.01, 1e-6, 1e-6
-- Seconds. A host that asked within this time takes part.
local HOST_TTL = 10
-- Seconds. A bucket that rests for this long is full and has recovered; so it is dropped.
local BUCKET_TTL = 3600
-- Seconds. Hosts that lost this server ask again once in this time, so the last one returns so long after the first.
local RETRY = 1
-- Seconds. A step of this server's clock that is larger comes from a fail-over or from a clock that was set.
local MAX_STEP = 1
-- The tokens that a new bucket is said to have spilled: more than MAX_UNUSED_CAPACITY, so that a window begins.
local SPILLED = 1e9

local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local now_text = time[1] .. '.' .. string.format('%06d', time[2])

-- A server that hung carries out everything that was sent meanwhile, although the hosts have given up.
if seen > 0 and now > seen + known_for + patience then return {2, now_text} end

local function count_hosts()
  if want > 0 then
    redis.call('ZADD', KEYS[2], string.format('%.6f', now), host)
    redis.call('EXPIRE', KEYS[2], HOST_TTL)
  end
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - HOST_TTL)
  redis.call('ZREMRANGEBYSCORE', KEYS[2], now + HOST_TTL, '+inf') -- from before the clock was set back
  return math.max(1, redis.call('ZCARD', KEYS[2]))
end

local function rank()
  local before = 0
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '+inf')) do
    if other < host then before = before + 1 end
  end
  return before
end

-- ------------------------------------------------------------------------------------------------------------- state

local FIELDS = {
  'tokens', 'refilled_at', 'last_due_at', 'last_number', 'heard_number', 'measured_rate', 'measured_at', 'dip_share',
  'dipped_at', 'window_number', 'window_start', 'window_began_full', 'window_dips', 'window_not_accepted',
  'window_throttled', 'window_has_strays', 'unused_capacity', 'returned_at',
}
local stored = redis.call('HMGET', KEYS[1], 'version', unpack(FIELDS))
local is_new = redis.call('EXISTS', KEYS[1]) == 0
if not is_new and stored[1] ~= VERSION then
  return {0, stored[1] or '', count_hosts()}
end
local s = {}
local lists = redis.call('HMGET', KEYS[1], 'returned', 'cancelled')
local returned, cancelled = lists[1] or '', {}
for number in string.gmatch(lists[2] or '', '%d+') do cancelled[#cancelled + 1] = tonumber(number) end
for i, field in ipairs(FIELDS) do s[field] = tonumber(stored[i + 1] or '') end
s.measured_rate = s.measured_rate or math.huge

local max_rate = burst >= MIN_BURST_WITH_ROOM and rate or rate * slack
local distance = 1 / (BURST_SPEED * rate)

local function dip_at()
  return math.min(1, s.dip_share + (1 - DIP_SHARE) * math.max(0, now - s.dipped_at) / DIP_SECONDS)
end

local function rate_at()
  local passed = math.max(0, now - s.measured_at)
  local linear = s.measured_rate * (DECREASE_SHARE + LINEAR_RECOVERY * passed)
  local found = math.min(max_rate, linear + rate * QUADRATIC_RECOVERY * passed * passed)
  return s.dip_share >= 1 and found or found * dip_at()
end

local function capacity()
  return math.max(1, BURST_SHARE * burst * rate_at() / rate - 1)
end

local function count_pending()
  local by_tokens = -s.tokens - rate * DUE_WITHIN
  local by_distance = (s.last_due_at - now - DUE_WITHIN) / distance
  return math.max(0, math.ceil(math.max(by_tokens, by_distance, 0)))
end

local function start_window(began_full)
  s.window_start, s.window_began_full = now, began_full
  s.window_number = s.last_number - count_pending()
  s.window_dips, s.window_not_accepted, s.window_throttled = 0, 0, 0
  s.window_has_strays, s.unused_capacity = 0, 0
  cancelled = {}
end

local function refill()
  local level = s.tokens + math.max(0, now - s.refilled_at) * rate_at()
  s.unused_capacity = s.unused_capacity + math.max(0, level - capacity())
  s.tokens = math.min(level, capacity())
  s.refilled_at = math.max(now, s.refilled_at)
end

-- ------------------------------------------------------------------------------------------------------------ events

local function throttled_share()
  local not_sent = s.window_not_accepted - s.window_throttled + count_pending()
  return s.window_throttled / math.max(1, s.last_number - s.window_number - not_sent)
end

local function is_stray(current, share)
  if s.window_began_full == 1 or s.measured_rate == math.huge then return false end
  local is_weak = s.window_throttled < MIN_THROTTLES or share < STRAY_SHARE
  if is_weak and current < s.measured_rate then s.window_has_strays = 1 end
  return is_weak and s.window_has_strays == 1
end

local function learn(at, number, overtaking)
  local current = rate_at()
  local not_accepted = s.window_not_accepted
  for _, other in ipairs(cancelled) do
    if other > number then not_accepted = not_accepted - 1 end
  end
  local accepted = math.max(0, number - s.window_number - not_accepted) + overtaking
  local elapsed = math.max(at - s.window_start, MIN_WINDOW)
  local measured
  if s.window_began_full == 1 then
    measured = (accepted + 1) / (math.max(1, burst) / rate + elapsed)
  else
    measured = (accepted + PRIOR_WEIGHT) / (elapsed + PRIOR_WEIGHT / (current < max_rate and s.measured_rate or rate))
  end
  local share = throttled_share()
  if is_stray(current, share) then return end
  local is_trusted = s.window_dips >= MAX_DIPS and share >= TRUSTED_SHARE
  if s.window_began_full == 1 and not is_trusted and measured < current * DIP_SHARE then
    s.dip_share, s.dipped_at = dip_at() * math.max(DIP_SHARE, 1 - share), now
    s.window_dips = s.window_dips + 1
    local pending = count_pending()
    s.tokens = math.min(s.tokens, (s.tokens + pending) * DIP_TOKENS - pending)
    return
  end
  local is_confirmed = accepted > 0 and measured >= rate * CONFIRMED_SHARE
  if is_confirmed and s.window_began_full == 1 then
    s.measured_rate = math.huge
  else
    s.measured_rate = math.min(rate, math.max(measured, rate * MIN_RATE_SHARE))
  end
  s.measured_at, s.dip_share = now, 1
  start_window(0)
  s.heard_number = s.last_number
  if is_confirmed and burst < MIN_BURST_WITH_ROOM then
    s.tokens = CONFIRMED_TOKENS - count_pending()
  else
    s.tokens = math.min(s.tokens, -count_pending())
  end
end

local events = {}

function events.throttled(number, ago, overtaking)
  if number > s.window_number then
    s.window_not_accepted, s.window_throttled = s.window_not_accepted + 1, s.window_throttled + 1
  end
  -- A number that was not given out comes from a bucket that this server has lost.
  if number <= s.heard_number or number > s.last_number then return end
  s.heard_number = s.last_number - count_pending()
  learn(now - ago, number, overtaking)
end

function events.cancelled(number)
  s.tokens = s.tokens + 1
  if number == s.last_number then s.last_due_at = s.last_due_at - distance end
  if number > s.window_number then
    s.window_not_accepted = s.window_not_accepted + 1
    cancelled[#cancelled + 1] = number
    if #cancelled > REMEMBERED_REQUESTS then table.remove(cancelled, 1) end
  end
end

function events.delayed(_, seconds)
  if burst < MIN_BURST_WITH_ROOM then
    s.tokens = s.tokens - math.min(1, math.max(0, seconds - (1 / slack - 1) / rate) * rate)
  end
end

-- Take one permit if it is due within the horizon; returns the seconds until it is due, and whether it was taken.
local function take()
  local missing = 1 - s.tokens
  local ready = missing > ROUNDING and now + missing / rate_at() or now
  ready = math.max(ready, s.last_due_at + distance)
  if ready > now + horizon then return ready - now, false end
  if s.unused_capacity >= MAX_UNUSED_CAPACITY then start_window(1) end
  s.tokens = s.tokens - 1
  s.last_due_at = math.min(math.max(now, s.last_due_at + distance), math.max(now + DUE_WITHIN, ready))
  s.last_number = s.last_number + 1
  return ready - now, true
end

-- ------------------------------------------------------------------------------- what this server lost or cannot know

local function begin()
  s.refilled_at, s.last_due_at, s.measured_at, s.dip_share, s.dipped_at = now, now - distance, now, 1, now
  s.returned_at = -RETRY
  s.window_start, s.window_began_full, s.window_dips, s.window_not_accepted = now, 1, 0, 0
  s.window_throttled, s.window_has_strays = 0, 0
  s.unused_capacity, s.tokens = SPILLED, 0
  -- The hosts remember what an emptied server forgot: a rate that was learned, and a burst that was used.
  if known_rate > 0 and known_rate < max_rate then s.measured_rate = known_rate / DECREASE_SHARE end
  s.tokens = rested < 0 and capacity() or math.min(capacity(), rested * rate_at())
  s.last_number, s.window_number, s.heard_number = known_number, known_number, known_number
end

local function shift(seconds)
  for _, field in ipairs({'refilled_at', 'last_due_at', 'measured_at', 'dipped_at', 'window_start'}) do
    s[field] = s[field] + seconds
  end
end

local function reconcile()
  -- At most `known_for` seconds have passed since the last change: the host knows of it, or it is younger.
  if now < s.refilled_at then
    shift(now - s.refilled_at)
  elseif seen > 0 and now - s.refilled_at > known_for + MAX_STEP then
    shift(now - s.refilled_at - known_for)
  end
end

-- A replica that took over may have missed the last permits.
local function find_missed()
  if known_number > s.last_number then
    s.tokens, s.last_number = math.min(s.tokens, 0), known_number
  end
end

-- A host that could not reach this server granted permits itself, at its share of the rate.
local function settle(is_only_host)
  local share = rate_at() / sharers
  s.last_number = s.last_number + alone
  if is_only_host then
    -- The others had this server meanwhile.
    s.tokens = math.max(s.tokens - alone, math.min(s.tokens, 0))
  elseif now - s.returned_at >= RETRY then
    -- The first of all: the others go on alone for a little while, and what they will send is set aside.
    s.returned_at, returned = now, ''
    s.tokens = math.min(s.tokens, 0) - share * (sharers - 1) * RETRY
  elseif not string.find(returned, host, 1, true) then
    s.tokens = s.tokens + share * (RETRY - (now - s.returned_at))
  end
  returned = returned .. host .. ' '
end

-- -------------------------------------------------------------------------------------------------------------- main

local is_abandoned = is_new or now - s.refilled_at >= RETRY or now - s.returned_at < RETRY
if is_new then begin() else reconcile() end
refill()
find_missed()
-- A host that knows of a bucket that is gone may have rested while others granted permits themselves.
local is_lost = is_new and seen > 0 and known_for < BUCKET_TTL
if alone > 0 or is_lost then settle(not is_abandoned) end
for i = 16, #ARGV, 4 do
  events[ARGV[i]](tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]))
  refill()
end
local reply = {1, now_text, s.last_number + 1, string.format('%.17g', rate_at()), count_hosts(), rank(), 0}
for _ = 1, want do
  local wait, is_taken = take()
  if not is_taken then
    reply[7] = math.ceil((wait - horizon) * 1e6)
    break
  end
  reply[#reply + 1] = math.ceil(wait * 1e6)
end

local changes = {'version', VERSION, 'returned', returned, 'cancelled', table.concat(cancelled, ' ')}
for _, field in ipairs(FIELDS) do
  changes[#changes + 1] = field
  changes[#changes + 1] = s[field] == math.huge and '' or string.format('%.17g', s[field])
end
redis.call('HSET', KEYS[1], unpack(changes))
redis.call('EXPIRE', KEYS[1], BUCKET_TTL)
return reply
