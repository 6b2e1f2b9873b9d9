-- The session slots of one kind that many hosts share: report sessions, reserve slots for starts, and lease free ones.
--
-- A slot is a member of a sorted set, with the moment at which it is free again at the latest: the name of a processor,
-- or ':host:number' for a slot that a host has leased and not reserved yet. Only the clock of this server counts, and
-- only durations leave it. The commands are those of Redis 6.
--
-- KEYS: the slots (a sorted set), the holders (a hash: processor -> record), the state (a hash). All have one hash tag.
-- ARGV: 1 version, 2 host, 3 limit, 4 channel, 5 want (leases), 6 epoch whose sessions were listed, or '',
--       7 this server's time in the last reply, or 0, 8 seconds since that reply,
--       9 seconds for which the host waits for this one,
--      10... reports and reservations, seven each: verb, processor, token, seconds (-1: no end), seconds until the
--            session may begin, id of the session, detail:
--            'free' (detail: status), 'ended' (by the id of the session alone), 'reserve',
--            'keep' (detail: 'reserved', 'session' or 'external'), 'stopping'
-- Reply: {1, now, epoch, leases, retry (us, -1: unknown), is synced (0, 1), answer...}
--        An answer is that of 'reserve': 1 reserved, 0 busy, -1 full; of 'keep': the token of the holder; else 0.
--    or: {0, version} if the slots belong to another version.
--    or: {2, now} if the host no longer waits: nothing was done.

local VERSION, host, limit, channel = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local want, synced_epoch = tonumber(ARGV[5]), ARGV[6]
local seen, known_for, patience = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])

-- Seconds. A lease that is not renewed was that of a host that has died.
local LEASE = 15
-- Seconds. When this server has lost everything, hosts report what they hold within this time; they ask again once a
-- second. Nothing is leased before.
local SETTLE = 2
-- Seconds until it is worth asking again whether another host has listed the sessions.
local RETRY = 1
-- Seconds. What was not used for so long is dropped; the sessions are listed again then.
local TTL = 86400

local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local now_text = time[1] .. '.' .. string.format('%06d', time[2])

-- A server that hung carries out everything that was sent meanwhile, although the hosts have given up.
if seen > 0 and now > seen + known_for + patience then return {2, now_text} end

local version, epoch, is_synced = unpack(redis.call('HMGET', KEYS[3], 'version', 'epoch', 'synced'))
if version and version ~= VERSION then return {0, version} end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_text)) do
  redis.call('ZREM', KEYS[1], member)
  redis.call('HDEL', KEYS[2], member)
end
if not version then
  epoch = now_text
  redis.call('HSET', KEYS[3], 'version', VERSION, 'epoch', epoch)
end
local was_full, has_freed = redis.call('ZCARD', KEYS[1]) >= limit, false
if synced_epoch == epoch and not is_synced then
  is_synced, was_full, has_freed = '1', true, true
  redis.call('HSET', KEYS[3], 'synced', is_synced)
end
local settles_in = math.max(0, tonumber(epoch) + SETTLE - now)
local is_open = is_synced and settles_in == 0

local function number(score) return score == 'inf' and math.huge or tonumber(score) end

local function moment_in(seconds)
  return seconds < 0 and '+inf' or string.format('%.6f', now + seconds)
end

local function read(name)
  local stored = redis.call('HGET', KEYS[2], name)
  return stored and cjson.decode(stored)
end

local function write(name, moment, record)
  redis.call('ZADD', KEYS[1], moment, name)
  redis.call('HSET', KEYS[2], name, cjson.encode(record))
end

-- Tell the other hosts. Without the permission to publish, they notice within a few seconds.
local function publish(message) redis.pcall('PUBLISH', channel, message) end

local function remove(name, record, status)
  redis.call('ZREM', KEYS[1], name)
  redis.call('HDEL', KEYS[2], name)
  has_freed = true
  publish(cjson.encode({name = name, token = record.token, status = status, host = host}))
end

-- The session that the processor had when its start was reserved, if it can still go on.
local function restore(name, record)
  local before = record.before
  if not before then return nil end
  if number(record.before_until) <= now then return nil end
  write(name, record.before_until, before)
  return before
end

local function lease(number) return ':' .. host .. ':' .. number end

local leases = 0
while redis.call('ZSCORE', KEYS[1], lease(leases + 1)) do leases = leases + 1 end

local function use_lease()
  if leases == 0 then return false end
  redis.call('ZREM', KEYS[1], lease(leases))
  leases = leases - 1
  return true
end

local verbs = {}

function verbs.reserve(name, token, seconds, begins_in)
  local record, score = read(name), redis.call('ZSCORE', KEYS[1], name)
  if record and record.token == token then return 1 end -- the reply to the first attempt was lost
  if record and record.state == 'reserved' then return 0 end
  if not use_lease() and not record and (not is_open or redis.call('ZCARD', KEYS[1]) >= limit) then return -1 end
  local moment = moment_in(seconds)
  if record and seconds >= 0 and number(score) > now + seconds then moment = score end
  write(name, moment, {
    token = token, host = host, state = 'reserved', session = '', since = now + begins_in, before = record or nil,
    before_until = score or nil,
  })
  return 1
end

function verbs.keep(name, token, seconds, begins_in, session, state)
  local record = read(name)
  if record and record.token ~= token then return record.token end
  if record and state == 'external' then
    local before = record.state == 'session' and record or restore(name, record)
    if before then return before.token end
  end
  local since = now + begins_in
  if record and record.state == 'session' and begins_in == 0 then since = record.since end
  if session == '' and record then session = record.session end
  if state == 'external' then state = 'session' end
  local before, before_until
  if state == 'reserved' and record then before, before_until = record.before, record.before_until end
  write(name, moment_in(seconds), {
    token = token, host = host, state = state, session = session, since = since, before = before,
    before_until = before_until,
  })
  return token
end

function verbs.free(name, token, _, _, _, status)
  local record = read(name)
  if not record or record.token ~= token then return 0 end
  if record.state == 'reserved' then
    if record.host ~= host then return 0 end -- the host that starts it knows better
    if restore(name, record) then return 0 end
  end
  remove(name, record, status)
  return 0
end

function verbs.ended(name, _, _, _, session)
  local record = read(name)
  if record and record.session == session then remove(name, record, '') end
  return 0
end

function verbs.stopping(name, _, seconds)
  local record, score = read(name), redis.call('ZSCORE', KEYS[1], name)
  if record and record.state == 'session' and number(score) > now + seconds then
    redis.call('ZADD', KEYS[1], moment_in(seconds), name)
  end
  return 0
end

local reply = {1, now_text, epoch, 0, -1, is_synced and 1 or 0}
for i = 10, #ARGV, 7 do
  reply[#reply + 1] = verbs[ARGV[i]](
    ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4]), ARGV[i + 5], ARGV[i + 6]
  )
end

while leases > want do
  use_lease()
  has_freed = true
end
if is_open then
  local taken = redis.call('ZCARD', KEYS[1])
  while leases < want and taken < limit do
    leases, taken = leases + 1, taken + 1
    redis.call('ZADD', KEYS[1], now, lease(leases))
  end
end
for number = 1, leases do redis.call('ZADD', KEYS[1], moment_in(LEASE), lease(number)) end
if leases < want then
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
  if not is_open then
    reply[5] = math.ceil(math.max(settles_in, is_synced and 0 or RETRY) * 1e6)
  elseif first and first ~= 'inf' then
    reply[5] = math.ceil((tonumber(first) - now) * 1e6)
  end
end
reply[4] = leases
if has_freed and was_full then publish('') end -- hosts wait only while there is no slot
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, TTL) end
return reply
