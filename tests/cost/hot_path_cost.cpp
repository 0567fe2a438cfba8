/// Runs one operation many times, to have its cost counted: allocations here, instructions by callgrind.
///
///     hot_path_cost ROW COUNT      prints the allocations of an operation, to two decimals
///     hot_path_cost --list         prints the rows
///
/// See check_cost.sh, which compares them with hot_path_cost.golden.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache.hpp>

namespace {

constinit unsigned long allocations = 0;

void* allocate(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* const block = alignment <= alignof(std::max_align_t)
                          ? std::malloc(size)
                          : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!block) throw std::bad_alloc();
  return block;
}

}  // namespace

// One thread: the rows need no executor.
[[gnu::noinline]] void* operator new(std::size_t size) { return allocate(size, 1); }
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
// Not inlined, nor the ones above: where g++ sees malloc() at one end and these at the other, it warns of a mismatch.
[[gnu::noinline]] void operator delete(void* block) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
[[gnu::noinline]] void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

namespace {

using namespace std::chrono_literals;
using dsta::cache::CacheManager;
using dsta::cache::EntryOptions;

double rsi(const std::string& symbol, int period) { return static_cast<double>(symbol.size()) + period; }

/// Keeps the compiler from leaving a result out.
template <class T>
void use(const T& value) {
  asm volatile("" : : "g"(&value) : "memory");
}

using Operation = std::function<void(unsigned long)>;
using Row = std::function<Operation(CacheManager&)>;

std::vector<std::string> names(std::string_view start) {
  std::vector<std::string> keys;
  for (int i = 0; i < 64; ++i) keys.push_back(std::string(start) + ":BTCUSDT:" + std::to_string(1000 + i));
  return keys;
}

const std::map<std::string, Row>& rows() {
  static const std::map<std::string, Row> all = {
      {"wrapper_hit",
       [](CacheManager& cache) {
         const auto f = cache.cached({.ttl = 600s, .prefix = "indicator", .name = "rsi"}, rsi);
         f("BTCUSDT", 14);
         return [f](unsigned long) { use(f("BTCUSDT", 14)); };
       }},
      {"handle_hit",
       [](CacheManager& cache) {
         const dsta::cache::cached<double(const std::string&, int)> f =
             cache.cached({.ttl = 600s, .prefix = "indicator", .name = "rsi"}, rsi);
         f("BTCUSDT", 14);
         return [f](unsigned long) { use(f("BTCUSDT", 14)); };
       }},
      {"wrapper_hit_string",
       [](CacheManager& cache) {
         const auto f = cache.cached({.ttl = 600s, .prefix = "text"},
                                     [](const std::string& name) { return name + std::string(64, 'x'); });
         f("BTCUSDT");
         return [f](unsigned long) { use(f("BTCUSDT")); };
       }},
      {"wrapper_shared",
       [](CacheManager& cache) {
         const auto f = cache.cached({.ttl = 600s, .prefix = "candles"}, [](const std::string& name) {
           return std::vector<double>(500, name.empty() ? 0.5 : 1.5);
         });
         f("BTCUSDT");
         return [f](unsigned long) { use(f.shared("BTCUSDT")); };
       }},
      {"wrapper_miss",
       [](CacheManager& cache) {
         const auto f = cache.cached({.ttl = 600s, .prefix = "miss"}, [](long number) { return number + 1; });
         return [f](unsigned long i) { use(f(static_cast<long>(i))); };
       }},
      {"get",
       [](CacheManager& cache) {
         auto keys = names("db");
         for (const auto& key : keys) cache.set(key, 1.5);
         return [&cache, keys](unsigned long i) { use(cache.get<double>(keys[i % 64])); };
       }},
      {"get_prefix",
       [](CacheManager& cache) {
         auto keys = names("db");
         const EntryOptions options{.prefix = "api"};
         for (const auto& key : keys) cache.set(key, 1.5, options);
         return [&cache, keys, options](unsigned long i) { use(cache.get<double>(keys[i % 64], options)); };
       }},
      {"get_string",
       [](CacheManager& cache) {
         auto keys = names("db");
         for (const auto& key : keys) cache.set(key, std::string(64, 'x'));
         return [&cache, keys](unsigned long i) { use(cache.get(keys[i % 64])); };
       }},
      {"get_miss",
       [](CacheManager& cache) {
         return [&cache, keys = names("db")](unsigned long i) { use(cache.get<double>(keys[i % 64])); };
       }},
      {"get_or_load_hit",
       [](CacheManager& cache) {
         auto keys = names("db");
         for (const auto& key : keys) cache.set(key, 1.5);
         return [&cache, keys](unsigned long i) { use(cache.get_or_load(keys[i % 64], [] { return 2.5; })); };
       }},
      {"set",
       [](CacheManager& cache) {
         return [&cache, keys = names("db")](unsigned long i) { cache.set(keys[i % 64], 1.5); };
       }},
      {"set_evicting",
       [](CacheManager&) {
         const auto small = std::make_shared<CacheManager>(dsta::cache::ManagerOptions{.l1 = {.max_bytes = 100'000}});
         return [small](unsigned long i) { small->set("db:BTCUSDT:" + std::to_string(100'000 + i), 1.5); };
       }},
  };
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--list") {
    for (const auto& [name, row] : rows()) std::puts(name.c_str());
    return 0;
  }
  const auto row = argc == 3 ? rows().find(argv[1]) : rows().end();
  if (row == rows().end()) return std::fputs("usage: hot_path_cost --list | ROW COUNT\n", stderr), 2;
  const unsigned long count = std::strtoul(argv[2], nullptr, 10);
  CacheManager cache;
  const Operation operation = row->second(cache);
  for (unsigned long i = 0; i < 256; ++i) operation(i);  // what is made once: counters, a thread's record
  const unsigned long before = allocations;
  for (unsigned long i = 0; i < count; ++i) operation(256 + i);
  std::printf("%.2f\n", static_cast<double>(allocations - before) / static_cast<double>(count));
}
