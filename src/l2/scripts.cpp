#include "scripts.hpp"

#include <vector>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

// TIME in a script: 53 bits hold its microseconds until the year 2255, so Lua's doubles are exact; %.0f prints them.

const Script kReplaceIf{"e57c26258c38c0ecb85d1891f1132296bb5eb659", R"(local want = ARGV[1]
if #want == 16 then
  local head = redis.call('GETRANGE', KEYS[1], 0, 31)
  if string.sub(head, 1, 5) ~= '\193\255\213\1\2' or string.sub(head, 17, 32) ~= want then return 0 end
elseif redis.call('GETRANGE', KEYS[1], -8, -1) ~= want then
  return 0
end
if ARGV[2] == 'drop' then
  redis.call('UNLINK', KEYS[1])
elseif ARGV[2] == 'keep' then
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
elseif ARGV[3] == '0' then
  redis.call('SET', KEYS[1], ARGV[4])
else
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[3])
end
return 1)"};

const Script kRaiseVersion{"4423dfcf3148f689a13be303cad744bc5b0ad7a5", R"(local held = redis.call('GET', KEYS[1])
local removed, expired = string.match(held or '', '^(%d+) (%d+)$')
local time = redis.call('TIME')
local version = math.max(tonumber(expired or 0) + 1, time[1] * 1000000 + time[2])
if ARGV[1] == 'remove' or not removed then removed = version end
local text = string.format('%.0f %.0f', tonumber(removed), version)
if expired then
  redis.call('SET', KEYS[1], text, 'KEEPTTL')
else
  redis.call('SET', KEYS[1], text, 'PX', ARGV[2])
end
return 1)"};

const Script kNeedVersion{"d7cf85619ff13aefde26805efa4566402c686e2c", R"(local held = redis.call('GET', KEYS[1])
if not string.match(held or '', '^%d+ %d+$') then
  local version = ARGV[2]
  if version == '0' then
    local time = redis.call('TIME')
    version = string.format('%.0f', time[1] * 1000000 + time[2])
  end
  held = version .. ' ' .. version
  redis.call('SET', KEYS[1], held, 'PX', 1000)
end
local left = redis.call('PTTL', KEYS[1])
if ARGV[1] == '0' then
  if left >= 0 then redis.call('PERSIST', KEYS[1]) end
elseif left >= 0 and left < tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], 2 * ARGV[1])
end
return held)"};

const Script kRemoveOld{"5c53d62eedc0329f06b04287258f4b11f3aca71b", R"(if redis.call('TYPE', KEYS[1]).ok == 'string' then
  local head = redis.call('GETRANGE', KEYS[1], 0, 87)
  local kind = string.sub(head, 1, 5)
  if kind == '\193\255\213\1\2' then return 0 end
  if kind == '\193\255\213\1\1' and string.sub(head, 79, 79) == '\1' and string.sub(head, 81, 88) == ARGV[1] then
    return 0
  end
end
return redis.call('UNLINK', KEYS[1]))"};


void add_call(Request& request, const Script& script, bool whole, std::string_view key,
              std::span<const std::string_view> arguments) {
  std::vector<std::string_view> words{whole ? "EVAL" : "EVALSHA", whole ? script.text : script.sha1, "1", key};
  words.insert(words.end(), arguments.begin(), arguments.end());
  request.add(words);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
