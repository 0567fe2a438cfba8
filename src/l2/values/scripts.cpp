#include "l2/values/scripts.hpp"

#include <string>
#include <vector>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

// TIME in a script: 53 bits hold its microseconds until the year 2255, so Lua's doubles are exact; %.0f prints them.

const Script kReplaceIf{"56d863a6f2c2bc1485c2e7b601b63f1e2239b84a",
                        R"(local function head_of(key)
  local head = redis.pcall('GETRANGE', key, 0, 35)
  if type(head) == 'table' then head = redis.call('GET', key) or '' end
  return head
end
local head = head_of(KEYS[1])
local owned, lease, count = false, false, 0
if ARGV[1] ~= '' and string.sub(head, 1, 3) == '\193\255\213' and string.sub(head, 17, 32) == ARGV[1] then
  lease = string.byte(head, 5) == 2
  if string.byte(head, 4) == 2 then
    local a, b, c, d = string.byte(head, 33, 36)
    count = a + 256 * b + 65536 * c + 16777216 * d
    owned = true
  elseif lease then
    owned = true
  end
end
if not owned and ARGV[3] ~= '' then
  local seen, size = string.sub(ARGV[3], 2), #ARGV[3] - 1
  if string.sub(ARGV[3], 1, 1) == '=' then
    owned = redis.call('GET', KEYS[1]) == seen
  else
    local tail = redis.pcall('GETRANGE', KEYS[1], -size, -1)
    if type(tail) == 'table' then tail = string.sub(redis.call('GET', KEYS[1]) or '', -size) end
    owned = tail == seen
  end
end
if not owned then return 0 end
local function hold(holders)
  local all = redis.call('GET', KEYS[1])
  local number = string.char(holders % 256, math.floor(holders / 256) % 256, 0, 0)
  redis.call('SET', KEYS[1], string.sub(all, 1, 32) .. number .. string.sub(all, 37), 'PX', ARGV[5])
end
local action = ARGV[4]
if action == 'keep' then
  local left = redis.call('PTTL', KEYS[1])
  if lease or (left >= 0 and left < tonumber(ARGV[5])) then redis.call('PEXPIRE', KEYS[1], ARGV[5]) end
elseif action == 'join' then
  if not lease or string.byte(head, 4) ~= 2 then return 0 end
  hold(count + 1)
elseif action == 'remove' and ARGV[6] ~= '' and (not lease or count > 1) then
  if not lease and count > tonumber(ARGV[2]) then return 2 end
  redis.call('SET', KEYS[1], ARGV[6], 'PX', ARGV[5])
elseif lease and action ~= 'set' then
  if count > 1 then hold(count - 1) else redis.call('UNLINK', KEYS[1]) end
elseif action ~= 'leave' then
  if not lease and count > tonumber(ARGV[2]) then return 2 end
  if action == 'remove' then
    redis.call('UNLINK', KEYS[1])
  elseif ARGV[5] == '0' then
    redis.call('SET', KEYS[1], ARGV[6])
  else
    redis.call('SET', KEYS[1], ARGV[6], 'PX', ARGV[5])
  end
end
return 1)"};

const Script kRawLease{"b92c588c99e9a56f40e7d95e35a9c36d91b77b60",
                       R"(local action, mine, order, life, bytes = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local function print()
  local held = redis.call('GET', KEYS[1])
  return held and redis.sha1hex(held) or '-'
end
local function now()
  local time = redis.pcall('TIME')
  return time.err and 0 or time[1] * 1000 + math.floor(time[2] / 1000)
end
local function ends()
  local left, time = redis.pcall('PTTL', KEYS[1]), now()
  return type(left) == 'number' and left > 0 and time > 0 and string.format('%.0f', time + left) or '0'
end
local function write(holders, done, seen, ends)
  redis.call('SET', KEYS[2], mine .. ' ' .. holders .. ' ' .. done .. ' ' .. seen .. ' ' .. ends, 'PX', life)
end
local function as_read()
  if bytes == '' then return true end
  local held = redis.call('GET', KEYS[1])
  if bytes == 'absent' then return not held end
  local mark = string.sub(bytes, 2)
  if string.sub(bytes, 1, 1) == '=' then return held == mark end
  return held and string.sub(held, -#mark) == mark
end
local token, holders, done, seen, past = string.match(redis.call('GET', KEYS[2]) or '', '^(%x+) (%d+) (%d+) (%S+) ?(%d*)$')
if action == 'take' or action == 'join' then
  if KEYS[3] and not redis.call('GET', KEYS[3]) then redis.call('SET', KEYS[3], '1', 'PX', ARGV[6]) end
  if (action == 'join' or not token) and not as_read() then
    return string.rep('0', 32)
  elseif token and action == 'join' and print() == seen then
    mine = token
    write(holders + 1, done, seen, past)
  elseif token and action == 'join' then
    write(1, 0, print(), ends())
    token = mine
  elseif not token then
    write(1, 0, print(), ends())
    token = mine
  end
  return token
end
if token ~= mine then return 0 end
if action == 'keep' then
  redis.call('PEXPIRE', KEYS[2], life)
  return 1
end
local overtaken = tonumber(done) > order
if action ~= 'leave' then
  local there = print()
  local expired = not ARGV[7] and there == '-' and tonumber(past) and tonumber(past) > 0 and now() >= tonumber(past)
  if there ~= seen and not expired then
    redis.call('UNLINK', KEYS[2])
    return 0
  end
  if not overtaken then
    if action == 'remove' then
      redis.call('UNLINK', KEYS[1])
    elseif life == '0' then
      redis.call('SET', KEYS[1], bytes)
    else
      redis.call('SET', KEYS[1], bytes, 'PX', life)
    end
    if tonumber(holders) > 1 then done, seen, past = math.max(order, 1), print(), ends() end
  end
end
if tonumber(holders) > 1 then
  life = ARGV[6]
  write(holders - 1, done, seen, past)
else
  redis.call('UNLINK', KEYS[2])
end
if overtaken and action ~= 'leave' then return 2 end
return 1)"};

const Script kRaiseVersion{"94136566cfdc400820e451437ada98394d9ab7a9",
                           R"(local function version_in(key)
  if not key then return nil end
  return string.match(redis.call('GET', key) or '', '^(%d+) (%d+)$')
end
local time = redis.pcall('TIME')
local now = time.err and tonumber(ARGV[3]) or time[1] * 1000000 + time[2]
local removed, expired = version_in(KEYS[1])
local there = expired
if not there then removed, expired = version_in(KEYS[3]) end
local clock_text = redis.call('GET', KEYS[2]) or ''
local clock = tonumber(string.match(clock_text, '^%d+') or 0)
local version = math.max(tonumber(expired or 0) + 1, clock + 1, now)
if ARGV[1] == 'remove' or not removed then removed = version end
local text = string.format('%.0f %.0f', tonumber(removed), version)
local history = {string.format('%.0f', version), string.format('%.0f-%s', version, ARGV[4])}
for raise in string.gmatch(clock_text, '%d+%-%x+') do
  if #history < 33 then history[#history + 1] = raise end
end
redis.call('SET', KEYS[2], table.concat(history, ' '))
if KEYS[3] then
  redis.call('SET', KEYS[1], text)
  redis.call('SET', KEYS[3], text)
elseif there then
  redis.call('SET', KEYS[1], text, 'KEEPTTL')
else
  redis.call('SET', KEYS[1], text, 'PX', ARGV[2])
end
return 1)"};

const Script kNeedVersion{"3bf7312f41e1b7757f91e31026c51bceb0cb8163",
                          R"(local function version_in(key)
  if not key then return nil end
  return string.match(redis.call('GET', key) or '', '^%d+ %d+$')
end
local held = version_in(KEYS[1])
local made = not held
if made then held = version_in(KEYS[3]) end
if not held then
  local clock = string.match(redis.call('GET', KEYS[2]) or '', '^%d+')
  if not clock then
    local time = redis.pcall('TIME')
    clock = string.format('%.0f', time.err and tonumber(ARGV[2]) or time[1] * 1000000 + time[2])
    redis.call('SET', KEYS[2], clock .. ' ' .. clock .. '-0')
  end
  held = clock .. ' ' .. clock
end
if made then
  if ARGV[1] == '0' then redis.call('SET', KEYS[1], held) else redis.call('SET', KEYS[1], held, 'PX', 1000) end
end
if KEYS[3] and (made or not redis.call('GET', KEYS[3])) then redis.call('SET', KEYS[3], held) end
local left = redis.call('PTTL', KEYS[1])
if ARGV[1] == '0' then
  if left >= 0 then redis.call('PERSIST', KEYS[1]) end
elseif left >= 0 and left < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], 2 * ARGV[1])
end
return held)"};

const Script kRemoveOld{"8c99b68e2adfa889c9a0729fffbbe0a9f06ce0e3",
                        R"(if redis.call('TYPE', KEYS[1]).ok == 'string' then
  local head = redis.pcall('GETRANGE', KEYS[1], 0, 107)
  if type(head) == 'table' then head = redis.call('GET', KEYS[1]) end
  if string.sub(head, 1, 3) == '\193\255\213' then
    if string.byte(head, 5) == 2 then return 0 end
    local at = string.byte(head, 4) == 1 and 79 or 99
    if string.byte(head, 5) == 1 and string.sub(head, at, at) == '\1' and string.sub(head, at + 2, at + 9) == ARGV[1] then
      return 0
    end
  end
end
return redis.call('UNLINK', KEYS[1]))"};

const Script kHeads{"b33fc52cb174769e25acad5c5717b7dae5e3df83",
                    R"(local heads = {}
for i, key in ipairs(KEYS) do
  local head = redis.pcall('GETRANGE', key, 0, ARGV[1])
  if type(head) == 'table' then
    head = 0
  elseif head == '' and redis.pcall('TYPE', key).ok == 'none' then
    head = false
  end
  heads[i] = head
end
return heads)"};

void add_call(Request& request, const Script& script, bool whole, std::span<const std::string_view> keys,
              std::span<const std::string_view> arguments) {
  const std::string count = std::to_string(keys.size());
  std::vector<std::string_view> words{whole ? "EVAL" : "EVALSHA", whole ? script.text : script.sha1, count};
  words.insert(words.end(), keys.begin(), keys.end());
  words.insert(words.end(), arguments.begin(), arguments.end());
  request.add(words);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
