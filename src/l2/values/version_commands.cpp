/// What kNeedVersion and kRaiseVersion do, by commands: for servers that run no scripts. The steps of two processes may
/// mix, so each is made to be of no harm there.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/nonce.hpp"
#include "base/random_word.hpp"
#include "l2/values/life_text.hpp"
#include "l2/values/version_store.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Raises that were crossed by others in a row: then something else is wrong.
constexpr int kCrossed = 16;
/// In microseconds; none that matters beside the time.
constexpr std::uint64_t kRandomPart = 4096;

/// What one version's keys hold: the version, the clock, and the copy where there is one.
struct Held {
  std::string version_text = {}, clock_text = {}, copy_text = {};
  std::int64_t life = -1;  ///< PTTL of the version

  std::optional<Version> version() const {
    const auto own = parse_version(version_text);
    return own ? own : parse_version(copy_text);
  }
  std::uint64_t clock() const {
    std::uint64_t value = 0;
    std::from_chars(clock_text.data(), clock_text.data() + clock_text.size(), value);
    return value;
  }
};

bool take(Held& held, const Reply& values, const Reply& life, std::size_t keys) {
  if (!values.is(Reply::Kind::array) || values.elements.size() != keys || !life.is(Reply::Kind::integer)) return false;
  held = {values.elements[0].text, values.elements[1].text, keys > 2 ? values.elements[2].text : std::string(),
          life.integer};
  return true;
}

std::uint64_t number(const std::string& text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void add_mget(Request& request, const std::vector<std::string>& keys) {
  std::vector<std::string_view> words{"MGET"};
  words.insert(words.end(), keys.begin(), keys.end());
  request.add(words).add({"PTTL", keys[0]});
}

}  // namespace

/// A version that is missing is made by SET NX, so that one which was raised meanwhile stays; its life is only ever
/// prolonged.
bool VersionStore::need_by_commands(std::span<const Needed> needed, Versions& versions,
                                    std::optional<VersionClock>* clock) {
  const TimePoint asked = std::chrono::steady_clock::now();
  const std::uint64_t mark = memory_->mark();
  Request look;
  std::vector<std::vector<std::string>> keys;
  for (const Needed& one : needed) add_mget(look, keys.emplace_back(keys_of(one.dependency)));
  const Answer looked = commands_.run("version", look, Purpose::erase);
  if (!looked) return false;
  Request make;
  std::vector<std::size_t> shown;  // where in the answer each version stands
  for (std::size_t i = 0; i < needed.size(); ++i) {
    Held held;
    if (!take(held, looked.replies[2 * i], looked.replies[2 * i + 1], keys[i].size())) {
      commands_.refused("version", looked.replies[2 * i]);
      return false;
    }
    const bool for_ever = is_kept_for_ever(needed[i].dependency) || needed[i].life <= Duration::zero();
    const std::string life = milliseconds(needed[i].life),
                      longer = milliseconds(2 * std::min(needed[i].life, forever / 2));
    const std::string now = commands_.own_time();
    const std::string time = held.clock() != 0 ? std::to_string(held.clock()) : now;
    const bool made = !parse_version(held.version_text);
    const std::string text =
        made ? (parse_version(held.copy_text) ? held.copy_text : time + " " + time) : held.version_text;
    if (held.clock() == 0) make.add({"SET", keys[i][1], now + " " + now + "-0", "NX"});
    if (made && for_ever) make.add({"SET", keys[i][0], text, "NX"});
    if (made && !for_ever) make.add({"SET", keys[i][0], text, "NX", "PX", longer});
    if (keys[i].size() > 2 && held.copy_text.empty()) make.add({"SET", keys[i][2], text, "NX"});
    if (for_ever && held.life >= 0) make.add({"PERSIST", keys[i][0]});
    if (!for_ever && held.life >= 0 && held.life < static_cast<std::int64_t>(number(life))) {
      make.add({"PEXPIRE", keys[i][0], longer});
    }
    shown.push_back(make.commands());
    make.add({"GET", keys[i][0]});
  }
  if (clock) make.add({"GET", keys_.clock()});
  const Answer answer = commands_.run("version", make, Purpose::erase);
  if (!answer) return false;
  for (std::size_t i = 0; i < needed.size(); ++i) {
    if (!note_needed(needed[i].dependency, answer.replies[shown[i]], mark, versions, asked, needed[i].life))
      return false;
  }
  if (clock) *clock = VersionClock::parse(answer.replies.back().text);
  return true;
}

/// SET says what it has replaced. Where that is not what was looked at, another process has raised it meanwhile, and
/// it is raised once more, above both: what was stored between the two counts no more either, and what the other one
/// removed stays so. Numbers have a random part, so that none comes twice by that. The clock is told of this raise
/// alone: readers take what they do not find listed there for raised.
Done VersionStore::raise_by_commands(std::string_view dependency, bool hard) {
  const std::vector<std::string> keys = keys_of(dependency);
  const bool for_ever = is_kept_for_ever(dependency);
  std::uint64_t above = 0;
  for (int attempt = 0; attempt < kCrossed; ++attempt) {
    Request look;
    add_mget(look, keys);
    const Answer looked = commands_.run("invalidate", look, Purpose::erase);
    if (!looked) return ServerCommands::to_done(looked);
    Held held;
    if (!take(held, looked.replies[0], looked.replies[1], keys.size())) {
      return commands_.refused("invalidate", looked.replies[0]);
    }
    const auto old = held.version();
    above = std::max({above, old ? old->expired : 0, held.clock()});
    const std::uint64_t raised = std::max(above + 1, number(commands_.own_time())) + random_word() % kRandomPart;
    const std::string high = std::to_string(raised);
    const std::string text = (hard || !old ? high : std::to_string(old->removed)) + " " + high;
    const std::string clock_text = high + " " + high + "-" + VersionClock::hash_of(dependency);
    Request raise;
    raise.add({"SET", keys[1], clock_text, "GET"}).add({"SET", keys[0], text, "GET"});
    if (for_ever) {
      raise.add({"SET", keys[2], text});
    } else {
      const std::int64_t least = std::chrono::milliseconds(kMadeVersionLife).count();
      // One that was to be kept for ever has an entry that is.
      if (held.life != -1) raise.add({"PEXPIRE", keys[0], std::to_string(std::max(held.life, least))});
    }
    const Changes changes = add_notice(raise, dependency);
    const bool looks = looks_for_listener(changes);
    if (looks) raise.add({"GET", keys_.listener()});
    const Answer answer = commands_.run("invalidate", raise, Purpose::erase, changes);
    memory_->forget(dependency);
    if (!answer) return ServerCommands::to_done(answer);
    for (const Reply& reply : answer.replies) {
      if (reply.is(Reply::Kind::error)) return commands_.refused("invalidate", reply);
    }
    const Reply& old_clock = answer.replies[0];
    const Reply& old_version = answer.replies[1];
    if (old_clock.text == held.clock_text && old_version.text == held.version_text)
      return heard(dependency, answer, looks);
    above = std::max(above, Held{.clock_text = old_clock.text}.clock());
    if (const auto crossed = parse_version(old_version.text)) above = std::max(above, crossed->expired);
    hard = true;
  }
  return {Done::no, "other processes raise the version all the time"};
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
