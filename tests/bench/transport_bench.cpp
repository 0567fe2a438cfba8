// GET over the link beside hiredis: a connection per thread, which is what services do, and one behind a mutex.
#include <benchmark/benchmark.h>
#include <hiredis/hiredis.h>

#include <memory>
#include <mutex>
#include <string>

#include "l2/client/link.hpp"
#include "redis_server.hpp"

namespace {

using namespace dsta::cache::detail;
using dsta::cache::testing_support::RedisServer;

RedisServer& server() {
  static auto* running = [] {
    auto* started = new RedisServer;
    for (int i = 0; i < 64; ++i) started->command({"SET", "key" + std::to_string(i), std::string(100, 'v')});
    return started;
  }();
  return *running;
}

std::string key(const benchmark::State& state) { return "key" + std::to_string(state.thread_index()); }

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};
using Context = std::unique_ptr<redisContext, FreeContext>;
Context connect() { return Context(redisConnect("127.0.0.1", server().port())); }

bool get(redisContext* context, const std::string& name) {
  auto* reply = static_cast<redisReply*>(redisCommand(context, "GET %b", name.data(), name.size()));
  const bool right = reply && reply->type == REDIS_REPLY_STRING && reply->len == 100;
  if (reply) freeReplyObject(reply);
  return right;
}

void HiredisConnectionPerThread(benchmark::State& state) {
  const Context context = connect();
  const std::string name = key(state);
  for (auto _ : state) {
    if (!get(context.get(), name)) state.SkipWithError("no reply");
  }
  state.SetItemsProcessed(state.iterations());
}

void HiredisOneBehindAMutex(benchmark::State& state) {
  static std::mutex mutex;
  static const Context context = connect();
  const std::string name = key(state);
  for (auto _ : state) {
    const std::lock_guard lock(mutex);
    if (!get(context.get(), name)) state.SkipWithError("no reply");
  }
  state.SetItemsProcessed(state.iterations());
}

void OurLink(benchmark::State& state) {
  static Link link([] {
    LinkOptions options;
    options.address.host = "127.0.0.1";
    options.address.port = server().port();
    return options;
  }());
  const std::string name = key(state);
  for (auto _ : state) {
    const Answer answer = link.run(Request{"GET", name}, Purpose::read);
    if (!answer || answer.replies[0].text.size() != 100) state.SkipWithError("no reply");
  }
  state.SetItemsProcessed(state.iterations());
}

BENCHMARK(HiredisConnectionPerThread)->Threads(1)->Threads(8)->Threads(64)->UseRealTime();
BENCHMARK(HiredisOneBehindAMutex)->Threads(1)->Threads(8)->UseRealTime();
BENCHMARK(OurLink)->Threads(1)->Threads(8)->Threads(64)->UseRealTime();

}  // namespace
