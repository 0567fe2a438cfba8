#include "l2/topology/cluster_run.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "l2/client/link_started.hpp"
#include "l2/client/reason.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using RedirectKind = Redirect::Kind;

constexpr std::string_view kAsking = "*1\r\n$6\r\nASKING\r\n";
constexpr std::string_view kNobodys = "no master of the cluster serves the slot of the key";
constexpr std::chrono::milliseconds kTryAgainPause{4};
constexpr Duration kFirstTurn = std::chrono::microseconds(500), kLongestTurn = std::chrono::milliseconds(8);

AskedNode asked_at(const Link& link, bool tls) {
  const Address& address = link.options().address;
  return {.place = {.host = address.host, .port = address.port}, .tls = tls};
}

std::string_view circle(RedirectKind kind) {
  return kind == RedirectKind::moved       ? "the nodes of the cluster send it in a circle (MOVED)"
         : kind == RedirectKind::ask       ? "the nodes of the cluster send it in a circle (ASK)"
         : kind == RedirectKind::try_again ? "the cluster is moving the keys (TRYAGAIN)"
                                           : "the cluster is down (CLUSTERDOWN)";
}

}  // namespace

/// By master. Those that have none are missed.
void Cluster::Run::sort(const SlotMap& map, std::vector<Send>& sends) {
  std::vector<Open> nobodys;
  for (const Open& open : open_) {
    const RequestPiece& piece = split_.pieces()[open.piece];
    std::shared_ptr<Link> link = open.asked;
    if (!link) {
      const ClusterNode* const node = map.of(piece.slot().value_or(state_.options.home));
      if (!node) {
        nobodys.push_back(open);
        continue;
      }
      link = node->link;
    }
    auto send = std::ranges::find(sends, link, &Send::link);
    if (send == sends.end()) send = sends.insert(send, Send{.link = std::move(link), .pieces = {}});
    send->pieces.push_back(open);
    send->writes = send->writes || piece.writes();
  }
  if (nobodys.empty()) return;
  state_.options.wants_refresh();
  result_.fault = Fault::no_connection;
  result_.why = kNobodys;
  miss(nobodys, Reply::Missing::not_sent, kNobodys);
}

/// What is announced goes behind the changes, to the node that makes them.
void Cluster::Run::write(Send& send) const {
  const auto& pieces = split_.pieces();
  for (const auto& [piece, asked] : send.pieces) {
    if (asked) send.request.append(kAsking, 1);
    send.request.append(pieces[piece].bytes(), pieces[piece].commands());
  }
  if (publish_ && send.writes) send.request.append(pieces[*publish_].bytes(), 1);
}

/// To be sent as it came: one master gets it, and all of it as it stands.
bool Cluster::Run::is_all_of_it(const std::vector<Send>& sends) const {
  if (sends.size() != 1 || (publish_ && !sends[0].writes)) return false;
  const auto& pieces = split_.pieces();
  if (sends[0].pieces.size() + (publish_ ? 1 : 0) != pieces.size()) return false;
  if (publish_ && *publish_ + 1 != pieces.size()) return false;
  return std::ranges::all_of(pieces, [](const RequestPiece& piece) { return piece.is_taken(); }) &&
         std::ranges::all_of(sends[0].pieces, [](const Open& open) { return !open.asked; });
}

/// The replies to a request that write() made.
void Cluster::Run::take_replies(Send& send) {
  auto& pieces = split_.pieces();
  auto reply = send.answer.replies.begin();
  for (const auto& [i, asked] : send.pieces) {
    if (asked) ++reply;
    pieces[i].replies.assign(std::make_move_iterator(reply),
                             std::make_move_iterator(reply + static_cast<long>(pieces[i].commands())));
    reply += static_cast<long>(pieces[i].commands());
  }
  if (!publish_ || !send.writes) return;
  auto& announced = pieces[*publish_].replies;
  if (announced.empty()) {
    announced.push_back(std::move(*reply));
  } else if (!announced[0].is(Reply::Kind::error)) {
    announced[0] = std::move(*reply);
  }
}

/// Which of its pieces are to be sent once more, and where.
void Cluster::Run::look(Send& send, std::vector<Open>& again) {
  const AskedNode asked = asked_at(*send.link, state_.options.tls);
  for (const Open& open : send.pieces) {
    const std::size_t i = open.piece;
    auto& replies = split_.pieces()[i].replies;
    Redirect redirect;
    for (Reply& reply : replies) {
      if (redirect.kind != RedirectKind::none) break;
      redirect = read_redirect(reply, asked);
      if (redirect.kind != RedirectKind::none) reply.why = circle(redirect.kind);
    }
    switch (redirect.kind) {
      case RedirectKind::none:
        if (state_.down_since.load(std::memory_order_relaxed) != TimePoint{}) state_.down_since = TimePoint{};
        continue;
      case RedirectKind::moved:
        // Sent back: in a planned failover the nodes do not agree for some milliseconds.
        waits_ = waits_ || std::ranges::find(learnt_, redirect.slot, &MovedSlot::slot) != learnt_.end();
        moved_.push_back({redirect.slot, redirect.place});
        again.push_back({i});
        continue;
      case RedirectKind::ask: {
        const auto map = state_.known();
        const bool is_stranger = !map || !map->find(redirect.place);
        auto link = state_.link_to(redirect.place, redirect.slot);
        if (!link) continue;
        if (is_stranger) {
          result_.by_stranger = true;
          state_.options.on_stranger();
        }
        again.push_back({i, std::move(link)});
        continue;
      }
      case RedirectKind::try_again: {
        // One key at a time there is a node that has it, or has not.
        const std::size_t before = split_.pieces().size();
        again.push_back({i});
        if (!split_.split_keys(i)) {
          waits_ = true;
          continue;
        }
        for (std::size_t n = before; n < split_.pieces().size(); ++n) again.push_back({n});
        continue;
      }
      case RedirectKind::down:
        state_.options.wants_refresh();
        if (!state_.has_just_gone_down()) continue;
        again.push_back({i});
        waits_ = true;
        continue;
    }
  }
}

/// All at once: each map that is put in use costs a look at all of L1.
void Cluster::Run::learn_moved() {
  if (moved_.empty()) return;
  state_.learn(moved_, learnt_);
  learnt_.insert(learnt_.end(), moved_.begin(), moved_.end());
  moved_.clear();
  state_.options.wants_refresh();
}

/// All of them are sent before any is waited for. Then each is given a little time in turn, which grows: a master that
/// does not answer keeps nobody from what others have answered.
void Cluster::Run::send_all(std::vector<Send>& sends, bool whole) {
  if (sends.empty()) return;
  if (sends.size() == 1) {
    if (!whole) write(sends[0]);
    sends[0].answer = sends[0].link->run(whole ? request_ : sends[0].request, purpose_, lane_);
    return;
  }
  std::vector<std::unique_ptr<Link::Started>> started;
  for (Send& send : sends) {
    write(send);
    started.push_back(std::make_unique<Link::Started>(*send.link, send.request, purpose_, lane_));
  }
  for (const auto& each : started) each->send();
  std::size_t left = started.size();
  std::vector<bool> done(started.size());
  for (Duration turn = kFirstTurn; left != 0; turn = std::min(2 * turn, kLongestTurn)) {
    for (std::size_t i = 0; i < started.size(); ++i) {
      if (done[i]) continue;
      const TimePoint until = left == 1 ? TimePoint::max() : std::chrono::steady_clock::now() + turn;
      if (!started[i]->wait(until)) continue;
      done[i] = true;
      --left;
    }
  }
  for (std::size_t i = 0; i < sends.size(); ++i) sends[i].answer = started[i]->answer();
}

Answer Cluster::Run::failed(std::string_view why) const {
  Answer answer;
  answer.fault = Fault::no_connection;
  answer.maybe_executed = result_.maybe_executed;
  answer.why = why;
  return answer;
}

void Cluster::Run::miss(const std::vector<Open>& pieces, Reply::Missing how, std::string_view why) {
  for (const Open& open : pieces) split_.pieces()[open.piece].miss(how, why);
}

void Cluster::Run::take(Send& send) {
  const Answer& answer = send.answer;
  if (answer) {
    answered_ = result_.maybe_executed = true;
    return take_replies(send);
  }
  state_.options.wants_refresh();
  result_.fault = answer.fault;
  result_.why = answer.why;
  if (split_.pieces().size() == 1) result_.awaited_large = answer.awaited_large;
  result_.maybe_executed = result_.maybe_executed || answer.maybe_executed;
  const auto how = answer.maybe_executed ? Reply::Missing::maybe_executed : Reply::Missing::not_sent;
  miss(send.pieces, how, answer.why);
}

/// Where no master has answered, it is as with a single server that does not; else each piece has its own fate.
Answer Cluster::Run::joined() {
  if (!answered_) return std::move(result_);
  Answer answer;
  answer.replies = split_.join();
  answer.order = result_.order;
  answer.redirected = result_.redirected;
  answer.by_stranger = result_.by_stranger;
  return answer;
}

Answer Cluster::Run::go() {
  const auto& pieces = split_.pieces();
  const bool writes = std::ranges::any_of(pieces, &RequestPiece::writes);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].is_publish() && writes) {
      publish_ = i;
    } else {
      open_.push_back({i});
    }
  }
  for (int round = 0;; ++round) {
    const auto map = state_.known_by(deadline_);
    if (!map) {
      const MutexLock lock(state_.mutex);
      return failed(state_.closed ? "the manager is closed" : state_.reason());
    }
    std::vector<Send> sends;
    sort(*map, sends);
    const bool whole = round == 0 && is_all_of_it(sends);
    send_all(sends, whole);
    for (Send& send : sends) take(send);
    result_.order = round == 0 && sends.size() == 1 ? sends[0].answer.order : SendOrder{};
    std::vector<Open> again;
    for (Send& send : sends) {
      if (send.answer) look(send, again);
    }
    open_ = std::move(again);
    result_.redirected = result_.redirected || !open_.empty();
    learn_moved();
    if (open_.empty() || round >= kMostRedirects) return joined();
    if (std::exchange(waits_, false)) {
      const TimePoint end = std::chrono::steady_clock::now() + kTryAgainPause * (1 << round);
      std::this_thread::sleep_until(std::min(end, deadline_));
    }
    if (std::chrono::steady_clock::now() >= deadline_) return joined();
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
