/// Proxies that do not refuse what they do not know, but end the connection over it.
#include <algorithm>
#include <iterator>

#include "l2/client/echo_check.hpp"
#include "l2/values/server_commands.hpp"
#include "l2/values/without_command.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

constexpr std::chrono::seconds kBetweenProbes{1};
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

struct SuspectCommand {
  std::string_view name, lost;
};
/// In the order of ServerCommands::Suspect.
constexpr SuspectCommand kSuspects[] = {{"EVAL", kWithoutEval},         {"EVALSHA", kWithoutEvalsha},
                                        {"GETRANGE", kWithoutGetrange}, {"MULTI", kWithoutMulti},
                                        {"SCAN", kWithoutScan},         {"RENAME", kWithoutRename}};

}  // namespace

/// Some proxies do not say that they do not know a command, but end the connection. Which one it was is found out one
/// by one, by one thread. False: the server did not answer anything else either, so it is not known.
bool ServerCommands::find_what_ends_connections() {
  const Probing probing(probing_);
  if (!probing || !link_.up()) return false;
  const auto now = std::chrono::steady_clock::now();
  bool known = now >= probe_next_.load();
  if (known) {
    probe_next_ = now + kBetweenProbes;
    if (has_time_.load(std::memory_order_relaxed) && ends_connection(Request{"TIME"}, known)) {
      has_time_.store(false, std::memory_order_relaxed);
      missing_.add("TIME", kWithoutTime, "it ends the connection");
    }
    EchoWay& way = link_.echo_way();
    for (EchoWay::By by = way.by(); by != EchoWay::By::nothing; by = way.by()) {
      if (!ends_connection(EchoCheck(by).request(), known)) break;
      way.refused(by);
    }
    if (known) ask_again_ = now + kUntilAskedAgain;
  }
  return known;
}

/// A proxy may end connections over PUBLISH: without this, nothing could be changed as long as somebody listens.
void ServerCommands::find_whether_publish_ends(const Changes& changes) {
  const Probing probing(probing_);
  const auto now = std::chrono::steady_clock::now();
  if (!probing || !link_.up() || now < probe_next_.load()) return;
  probe_next_ = now + kBetweenProbes;
  bool known = true;
  if (ends_connection(Request{"PUBLISH", announcer_.channel(), changes.text()}, known)) {
    announcer_.refused_for_good();
    missing_.add("PUBLISH", kWithoutPublish, "it ends the connection");
    ask_again_ = now + kUntilAskedAgain;
  }
  if (known) lost_announcing_.store(0, std::memory_order_relaxed);
}

/// Twice, and the server answers other requests before and after: it is not that it is restarting.
bool ServerCommands::ends_connection(const Request& request, bool& known) {
  const auto ends = [&] {
    const Link::Probed probed = link_.probe(request);
    known = known && probed != Link::Probed::unknown;
    return probed == Link::Probed::ended;
  };
  if (!ends() || !ends()) return false;
  known = known && link_.probe(Request{"GET", keys_.probe()}) == Link::Probed::answered;
  return known;
}

/// The proxy, or what it is allowed, may be another one by now.
void ServerCommands::ask_again_what_ended_connections() {
  EchoWay& way = link_.echo_way();
  const bool any_ends = std::ranges::any_of(ends_, [](const auto& each) { return each.load(); });
  const bool all = has_time_.load(std::memory_order_relaxed) && way.by() == EchoWay::By::echo &&
                   !announcer_.is_refused_for_good() && !any_ends;
  const auto now = std::chrono::steady_clock::now();
  if (all || now < ask_again_.load()) return;
  const Probing probing(probing_);
  if (!probing || !link_.up()) return;
  ask_again_ = now + kUntilAskedAgain;
  if (!has_time_.load(std::memory_order_relaxed) && link_.probe(Request{"TIME"}) == Link::Probed::answered) {
    has_time_.store(true, std::memory_order_relaxed);
  }
  if (way.by() != EchoWay::By::echo && link_.probe(EchoCheck().request()) == Link::Probed::answered) way.begin_anew();
  if (announcer_.is_refused_for_good()) {
    const Request nothing{"PUBLISH", announcer_.channel(), AnnouncementText(announcer_.process()).text()};
    if (link_.probe(nothing) == Link::Probed::answered) announcer_.accepted();
  }
  for (std::size_t i = 0; i < std::size(kSuspects); ++i) {
    if (ends(static_cast<Suspect>(i))) ask_again(static_cast<Suspect>(i));
  }
}

bool ServerCommands::ask_again(Suspect which) {
  if (link_.probe(question(which)) != Link::Probed::answered) return false;
  const auto i = static_cast<std::size_t>(which);
  ends_[i] = false;
  if (which == Suspect::eval) has_scripts_.store(true, std::memory_order_relaxed);
  if (which == Suspect::evalsha) whole_scripts_.store(false, std::memory_order_relaxed);
  missing_.remove(kSuspects[i].name);
  return true;
}

bool ServerCommands::ends_no_more(Suspect which) {
  constexpr std::chrono::seconds kWhileWaitedFor{2};
  const auto now = std::chrono::steady_clock::now();
  if (now < waited_for_next_.load()) return false;
  const Probing probing(probing_);
  if (!probing || !link_.up()) return false;
  waited_for_next_ = now + kWhileWaitedFor;
  return ask_again(which);
}

Request ServerCommands::question(Suspect which) const {
  const std::string key = keys_.probe();
  switch (which) {
    case Suspect::eval:
      return Request{"EVAL", "return 1", "1", key};
    case Suspect::evalsha:
      return Request{"EVALSHA", kNoScript, "1", key};
    case Suspect::getrange:
      return Request{"GETRANGE", key, "0", "0"};
    case Suspect::multi:
      return Request{"MULTI"};
    case Suspect::rename:
      return Request{"RENAME", key, key};
    case Suspect::scan:
      break;
  }
  return Request{"SCAN", "0", "COUNT", "1"};
}

/// The connection ended over it, or over what others sent.
void ServerCommands::note_lost(const Request& request) {
  std::string_view rest = request.bytes();
  for (std::string_view name = Request::take_command(rest); !name.empty(); name = Request::take_command(rest)) {
    const auto* const it = std::ranges::find(kSuspects, name, &SuspectCommand::name);
    if (it == std::end(kSuspects)) continue;
    const auto i = static_cast<std::size_t>(it - std::begin(kSuspects));
    if (ends_[i].load(std::memory_order_relaxed)) continue;
    if (lost_with_[i].fetch_add(1, std::memory_order_relaxed) + 1 < kOften) continue;
    find_whether_ends(static_cast<Suspect>(i));
  }
}

void ServerCommands::find_whether_ends(Suspect which) {
  const Probing probing(probing_);
  const auto now = std::chrono::steady_clock::now();
  if (!probing || !link_.up() || now < probe_next_.load()) return;
  probe_next_ = now + kBetweenProbes;
  const auto i = static_cast<std::size_t>(which);
  bool known = true;
  if (ends_connection(question(which), known)) {
    ends_[i] = true;
    if (which == Suspect::eval) has_scripts_.store(false, std::memory_order_relaxed);
    if (which == Suspect::evalsha) whole_scripts_.store(true, std::memory_order_relaxed);
    missing_.add(kSuspects[i].name, kSuspects[i].lost, "it ends the connection");
    ask_again_ = now + kUntilAskedAgain;
  }
  if (known) lost_with_[i].store(0, std::memory_order_relaxed);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
