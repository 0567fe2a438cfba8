#include "l2/values/ended_connections.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "l2/client/echo_check.hpp"
#include "l2/values/scripts.hpp"
#include "l2/values/without_command.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

constexpr int kOften = 2;  ///< so many connections that end are no chance
constexpr std::chrono::seconds kBetweenProbes{1};
constexpr std::chrono::minutes kUntilAskedAgain{10};
constexpr std::string_view kEnds = "it ends the connection";

/// One thread at a time. It must end when there is no memory, too.
class Probing {
 public:
  explicit Probing(std::atomic<bool>& taken) : taken_(taken), mine_(!taken.exchange(true)) {}
  ~Probing() {
    if (mine_) taken_ = false;
  }
  Probing(const Probing&) = delete;
  Probing& operator=(const Probing&) = delete;
  explicit operator bool() const { return mine_; }

 private:
  std::atomic<bool>& taken_;
  const bool mine_;
};

struct NamedCommand {
  std::string_view name, lost;
};
/// In the order of EndingCommand.
constexpr NamedCommand kNamed[kEndingCommands] = {{"EVAL", kWithoutEval},         {"EVALSHA", kWithoutEvalsha},
                                                  {"GETRANGE", kWithoutGetrange}, {"MULTI", kWithoutMulti},
                                                  {"SCAN", kWithoutScan},         {"RENAME", kWithoutRename}};

}  // namespace

bool EndedConnections::may_probe() const {
  return servers_.up() && std::chrono::steady_clock::now() >= probe_next_.load();
}

bool EndedConnections::look() {
  if (lost_asking_.load(std::memory_order_relaxed) < kOften) {
    ask_all_again();
    return true;
  }
  if (!probe_questions()) return false;
  asked();
  return true;
}

/// One by one. False: the server did not answer anything else either, so it is not known.
bool EndedConnections::probe_questions() {
  const Probing probing(probing_);
  if (!probing || !may_probe()) return false;
  const auto now = std::chrono::steady_clock::now();
  probe_next_ = now + kBetweenProbes;
  bool known = true;
  if (!by_time() && ends_connection(Request{"TIME"}, known)) {
    time_ends_.store(true, std::memory_order_relaxed);
    missing_.add("TIME", kWithoutTime, kEnds);
  }
  EchoWay& way = servers_.echo_way();
  for (EchoWay::By by = way.by(); by != EchoWay::By::nothing; by = way.by()) {
    if (!ends_connection(EchoCheck(by).request(), known)) break;
    way.refused(by);
  }
  if (known) ask_again_ = now + kUntilAskedAgain;
  return known;
}

/// Without this, nothing could be changed as long as somebody listens.
void EndedConnections::note_announcing(const Changes& changes) {
  if (lost_announcing_.fetch_add(1, std::memory_order_relaxed) + 1 < kOften) return;
  const Probing probing(probing_);
  if (!probing || !may_probe()) return;
  const auto now = std::chrono::steady_clock::now();
  probe_next_ = now + kBetweenProbes;
  bool known = true;
  if (ends_connection(Request{"PUBLISH", announcer_.channel(), changes.text()}, known)) {
    announcer_.refused_for_good();
    missing_.add("PUBLISH", kWithoutPublish, kEnds);
    ask_again_ = now + kUntilAskedAgain;
  }
  if (known) announced();
}

/// Twice, and the server answers other requests before and after: it is not that it is restarting.
bool EndedConnections::ends_connection(const Request& request, bool& known) {
  const auto ends = [&] {
    const Link::Probed probed = servers_.probe(request);
    known = known && probed != Link::Probed::unknown;
    return probed == Link::Probed::ended;
  };
  if (!ends() || !ends()) return false;
  known = known && servers_.probe(Request{"GET", keys_.probe()}) == Link::Probed::answered;
  return known;
}

void EndedConnections::ask_all_again() {
  EchoWay& way = servers_.echo_way();
  const bool any_ends = std::ranges::any_of(ends_, [](const auto& each) { return each.load(); });
  const bool all = !by_time() && way.by() == EchoWay::By::echo && !announcer_.is_refused_for_good() && !any_ends;
  const auto now = std::chrono::steady_clock::now();
  if (all || now < ask_again_.load()) return;
  const Probing probing(probing_);
  if (!probing || !servers_.up()) return;
  ask_again_ = now + kUntilAskedAgain;
  if (by_time() && servers_.probe(Request{"TIME"}) == Link::Probed::answered) {
    time_ends_.store(false, std::memory_order_relaxed);
  }
  if (way.by() != EchoWay::By::echo && servers_.probe(EchoCheck().request()) == Link::Probed::answered)
    way.start_over();
  if (announcer_.is_refused_for_good()) {
    const Request nothing{"PUBLISH", announcer_.channel(), AnnouncementText(announcer_.process()).text()};
    if (servers_.probe(nothing) == Link::Probed::answered) announcer_.accepted();
  }
  for (std::size_t i = 0; i < kEndingCommands; ++i) {
    if (by(static_cast<EndingCommand>(i))) ask_again(static_cast<EndingCommand>(i));
  }
}

bool EndedConnections::ask_again(EndingCommand which) {
  if (servers_.probe(question(which)) != Link::Probed::answered) return false;
  ends_[index(which)].store(false, std::memory_order_relaxed);
  missing_.remove(kNamed[index(which)].name);
  return true;
}

bool EndedConnections::no_more_by(EndingCommand which) {
  constexpr std::chrono::seconds kWhileWaitedFor{2};
  const auto now = std::chrono::steady_clock::now();
  if (now < waited_for_next_.load()) return false;
  const Probing probing(probing_);
  if (!probing || !servers_.up()) return false;
  waited_for_next_ = now + kWhileWaitedFor;
  return ask_again(which);
}

Request EndedConnections::question(EndingCommand which) const {
  const std::string key = keys_.probe();
  switch (which) {
    case EndingCommand::eval:
      return Request{"EVAL", "return 1", "1", key};
    case EndingCommand::evalsha:
      return Request{"EVALSHA", kNoScript, "1", key};
    case EndingCommand::getrange:
      return Request{"GETRANGE", key, "0", "0"};
    case EndingCommand::multi:
      return Request{"MULTI"};
    case EndingCommand::rename:
      return Request{"RENAME", key, key};
    case EndingCommand::scan:
      break;
  }
  return Request{"SCAN", "0", "COUNT", "1"};
}

void EndedConnections::note(const Request& request) {
  std::array<bool, kEndingCommands> suspected{};
  std::string_view rest = request.bytes();
  for (std::string_view name = Request::take_command(rest); !name.empty(); name = Request::take_command(rest)) {
    const auto* const it = std::ranges::find(kNamed, name, &NamedCommand::name);
    if (it == std::end(kNamed)) continue;
    const auto which = static_cast<EndingCommand>(it - std::begin(kNamed));
    if (by(which) || lost_with_[index(which)].fetch_add(1, std::memory_order_relaxed) + 1 < kOften) continue;
    suspected[index(which)] = true;
  }
  if (std::ranges::find(suspected, true) == suspected.end()) return;
  // All of them, or the first would always be the only one.
  const Probing probing(probing_);
  if (!probing || !may_probe()) return;
  probe_next_ = std::chrono::steady_clock::now() + kBetweenProbes;
  for (std::size_t i = 0; i < kEndingCommands; ++i) {
    if (suspected[i] && !probe(static_cast<EndingCommand>(i))) return;
  }
}

/// False: it is not known.
bool EndedConnections::probe(EndingCommand which) {
  bool known = true;
  if (ends_connection(question(which), known)) {
    ends_[index(which)].store(true, std::memory_order_relaxed);
    missing_.add(kNamed[index(which)].name, kNamed[index(which)].lost, kEnds);
    ask_again_ = std::chrono::steady_clock::now() + kUntilAskedAgain;
  }
  if (known) lost_with_[index(which)].store(0, std::memory_order_relaxed);
  return known;
}

void EndedConnections::forget_server() {
  for (auto& ends : ends_) ends.store(false, std::memory_order_relaxed);
  time_ends_.store(false, std::memory_order_relaxed);
  asked();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
