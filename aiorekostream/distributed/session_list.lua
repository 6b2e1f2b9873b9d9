-- List the slots that are taken; see session_slots.lua for the keys.
--
-- KEYS: the slots, the holders, the state.
-- ARGV: 1 version, 2 host, 3 seconds for which no other host polls for ended sessions, or 0 to list in any case.
-- Reply: {1, epoch, six for each slot: processor, token, state, id of the session, seconds since it began, seconds that
--         are left (-1: no end)}
--    or: {0, version} if the slots belong to another version, or {2} if another host polls.

local VERSION, host, sweep = ARGV[1], ARGV[2], tonumber(ARGV[3])

local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6

local version, epoch, sweeper, swept_until =
  unpack(redis.call('HMGET', KEYS[3], 'version', 'epoch', 'sweeper', 'swept_until'))
if version and version ~= VERSION then return {0, version} end
if sweep > 0 then
  -- A moment that is further away is from before the clock was set back.
  local left = tonumber(swept_until or '0') - now
  if sweeper and sweeper ~= host and left > 0 and left <= sweep then return {2} end
  if version then redis.call('HSET', KEYS[3], 'sweeper', host, 'swept_until', string.format('%.6f', now + sweep)) end
end

local reply = {1, epoch or ''}
local stored = redis.call('HGETALL', KEYS[2])
for i = 1, #stored, 2 do
  local score, record = redis.call('ZSCORE', KEYS[1], stored[i]), cjson.decode(stored[i + 1])
  local left = score == 'inf' and math.huge or score and tonumber(score) - now or 0
  if left > 0 then
    for _, value in ipairs({
      stored[i], record.token, record.state, record.session, string.format('%.6f', now - record.since),
      left == math.huge and '-1' or string.format('%.6f', left),
    }) do reply[#reply + 1] = value end
  end
end
return reply
