#pragma once

namespace dsta::cache {
inline namespace v1 {

class CacheManager;
class CacheStrategies;
class CacheInvalidator;
class CacheWarmer;
class Clock;
class Executor;
class KeyWriter;
template <class F>
class cached;
template <class T>
struct codec;
template <class R>
class LoadContext;

struct EntryOptions;
struct ManagerOptions;
struct CacheStats;
struct FunctionInfo;
struct Health;

}  // namespace v1
}  // namespace dsta::cache
