// What keeping the caches of several processes coherent costs the server, by the mode of CLIENT TRACKING.
//
// Each client has a cache of its own: a read that it finds there asks nobody, one that it does not find is asked for
// and kept, what is reported on its channel is dropped. All do the same number of operations, so what differs is the
// server's: processor time, bytes, memory. usage: tracking_bench [operations of each client] [clients] [rounds]
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "l2/tracking/subscriber.hpp"
#include "l2/tracking/tracking_registration.hpp"
#include "redis_server.hpp"
#include "wire_client.hpp"

namespace {

using namespace dsta::cache;
using namespace dsta::cache::detail;
using namespace testing_support;
using Clock = std::chrono::steady_clock;

enum class Mode { none, standard, broadcast, optin };
constexpr Mode kModes[] = {Mode::none, Mode::standard, Mode::broadcast, Mode::optin};
constexpr const char* kModeNames[] = {"no cache", "default", "BCAST", "OPTIN"};
constexpr std::size_t kKeys = 10'000;

struct Mix {
  const char* name;
  double writes;
  /// The same keys for reading as for writing; else each client reads a part of its own, and writes are anywhere.
  bool shared;
};
constexpr Mix kMixes[] = {{"90/10, all read all", 0.1, true},
                          {"50/50, all read all", 0.5, true},
                          {"90/10, each reads its own part", 0.1, false}};

/// Ranks by a Zipf distribution with exponent 0.99.
class Zipf {
 public:
  Zipf() {
    double sum = 0;
    for (std::size_t i = 0; i < kKeys; ++i) sums_.push_back(sum += 1 / std::pow(static_cast<double>(i + 1), 0.99));
  }
  std::size_t draw(std::mt19937_64& random) const {
    const double at = std::uniform_real_distribution<>(0, sums_.back())(random);
    return static_cast<std::size_t>(std::lower_bound(sums_.begin(), sums_.end(), at) - sums_.begin());
  }

 private:
  std::vector<double> sums_;
};

struct Tally {
  std::size_t reads = 0, hits = 0, reported = 0;
};

struct Client {
  Client(const RedisServer& server, Mode how)
      : mode(how), data(WireClient::tcp(server.port(), std::chrono::seconds(30))) {
    if (mode == Mode::none) return;
    LinkOptions options;
    options.address = {.host = "127.0.0.1", .port = server.port(), .socket_path = {}};
    Subscriber::Failure failure;
    channel = Subscriber::open(options, options.address, {{std::string(kInvalidations)}},
                               Clock::now() + std::chrono::seconds(5), failure);
    if (!channel) throw std::runtime_error(failure.why);
    std::vector<std::string> words = {"CLIENT", "TRACKING", "ON", "REDIRECT", std::to_string(channel->id())};
    if (mode == Mode::broadcast) words.insert(words.end(), {"BCAST", "PREFIX", "dsta:"});
    if (mode == Mode::optin) words.emplace_back("OPTIN");
    words.emplace_back("NOLOOP");
    if (data.call(words) != "OK") throw std::runtime_error("CLIENT TRACKING");
  }

  void drop_what_is_told() {
    bool more = channel != nullptr;
    while (more) {
      messages.clear();
      if (!channel->receive(messages, more)) throw std::runtime_error(channel->why());
      for (const Reply& message : messages) {
        for (const Reply& key : message.elements.back().elements) {
          kept.erase(key.text);
          ++tally.reported;
        }
      }
    }
  }
  void read(const std::string& key) {
    drop_what_is_told();
    ++tally.reads;
    if (kept.count(key) != 0) {
      ++tally.hits;
      return;
    }
    if (mode == Mode::optin) {
      data.send(encode_request({"CLIENT", "CACHING", "YES"}) + encode_request({"GET", key}));
      data.read_reply();
      data.read_reply();
    } else {
      data.call({"GET", key});
    }
    if (mode != Mode::none) kept.insert(key);
  }
  void write(const std::string& key, const std::string& value) {
    kept.erase(key);
    data.call({"SET", key, value});
  }

  const Mode mode;
  WireClient data;
  std::unique_ptr<Subscriber> channel;
  std::unordered_set<std::string> kept;
  std::vector<Reply> messages;
  Tally tally;
};

std::map<std::string, double> info(const RedisServer& server) {
  std::map<std::string, double> found;
  const std::string text = server.command({"INFO", "all"});
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (const std::size_t colon = line.find(':'); colon != std::string::npos) {
      found[line.substr(0, colon)] = std::atof(line.c_str() + colon + 1);
    }
    at = end + 1;
  }
  return found;
}

struct Figures {
  double processor, out, in, memory, keys, reported, hit_rate, seconds;
};

Figures measure(Mode mode, const Mix& mix, std::size_t clients, std::size_t operations) {
  static const Zipf zipf;
  const RedisServer server;
  const std::string value(200, 'v');
  {
    WireClient filling = WireClient::tcp(server.port());
    for (std::size_t k = 0; k < kKeys; ++k) filling.call({"SET", fmt::format("dsta:api:ticker:{}", k), value});
  }
  std::vector<std::unique_ptr<Client>> all;
  for (std::size_t i = 0; i < clients; ++i) all.push_back(std::make_unique<Client>(server, mode));
  auto before = info(server);
  const auto begun = Clock::now();
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < clients; ++i) {
      threads.emplace_back([&, i] {
        std::mt19937_64 random(i + 1);
        std::uniform_real_distribution<> chance;
        for (std::size_t n = 0; n < operations; ++n) {
          const bool writes = chance(random) < mix.writes;
          std::size_t k = zipf.draw(random);
          if (!writes && !mix.shared) k = k - k % clients + i;
          const std::string key = fmt::format("dsta:api:ticker:{}", k);
          writes ? all[i]->write(key, value) : all[i]->read(key);
        }
      });
    }
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  auto after = info(server);
  Tally sum;
  for (auto& each : all) {
    each->drop_what_is_told();
    sum.reads += each->tally.reads;
    sum.hits += each->tally.hits;
    sum.reported += each->tally.reported;
  }
  const auto more = [&](const char* name) { return after[name] - before[name]; };
  return {.processor = more("used_cpu_user") + more("used_cpu_sys"),
          .out = more("total_net_output_bytes"),
          .in = more("total_net_input_bytes"),
          .memory = more("used_memory"),
          .keys = after["tracking_total_keys"],
          .reported = static_cast<double>(sum.reported),
          .hit_rate = static_cast<double>(sum.hits) / static_cast<double>(sum.reads),
          .seconds = seconds};
}

/// Of several rounds, taken in turns so that what else the machine does happens to all modes alike.
double median(const std::vector<Figures>& rounds, double Figures::*field) {
  std::vector<double> values;
  for (const Figures& each : rounds) values.push_back(each.*field);
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int count, char** words) {
  const auto argument = [&](int at, std::size_t otherwise) {
    return count > at ? static_cast<std::size_t>(std::strtoull(words[at], nullptr, 10)) : otherwise;
  };
  if (!RedisServer::available()) {
    fmt::print(stderr, "no redis-server on this machine\n");
    return 1;
  }
  const std::size_t operations = argument(1, 40'000), clients = argument(2, 4), rounds = argument(3, 3);
  fmt::print("{} clients, {} operations each, {} keys (Zipf 0.99), values of 200 bytes, median of {}\n\n", clients,
             operations, kKeys, rounds);
  for (const Mix& mix : kMixes) {
    std::map<Mode, std::vector<Figures>> figures;
    for (std::size_t round = 0; round < rounds; ++round) {
      for (const Mode mode : kModes) figures[mode].push_back(measure(mode, mix, clients, operations));
    }
    fmt::print("{}\n| mode | hits | server CPU | sent | received | names sent | table | memory | duration |\n",
               mix.name);
    fmt::print("|---|---|---|---|---|---|---|---|---|\n");
    for (const Mode mode : kModes) {
      const auto of = [&](double Figures::*field) { return median(figures[mode], field); };
      fmt::print("| {} | {:.1f} % | {:.2f} s | {:.1f} MB | {:.1f} MB | {:.0f} | {:.0f} | {:.2f} MB | {:.1f} s |\n",
                 kModeNames[static_cast<int>(mode)], 100 * of(&Figures::hit_rate), of(&Figures::processor),
                 of(&Figures::out) / 1e6, of(&Figures::in) / 1e6, of(&Figures::reported), of(&Figures::keys),
                 of(&Figures::memory) / 1e6, of(&Figures::seconds));
    }
    fmt::print("\n");
  }
}
