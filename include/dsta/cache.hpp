#pragma once
/// All headers of dsta::cache that need only the standard library, except the opt-in headers:
///     dsta/cache/json.hpp     a codec for every type that nlohmann::json converts
///     dsta/cache/message.hpp  a codec for protobuf messages, and for classes with the same functions
///     dsta/cache/pfr.hpp      a codec for aggregates whose fields Boost.PFR finds
///     dsta/cache/global.hpp   one manager for the program
///     dsta/cache/testing.hpp  a manual clock, an inline executor, a fault to switch on, a clean cache for each test
///     dsta/cache/src.hpp      the sources of the library, for one file of a program that does not link it
#include <dsta/cache/cached.hpp>
#include <dsta/cache/clock.hpp>
#include <dsta/cache/codec.hpp>
#include <dsta/cache/duration.hpp>
#include <dsta/cache/error.hpp>
#include <dsta/cache/executor.hpp>
#include <dsta/cache/fwd.hpp>
#include <dsta/cache/health.hpp>
#include <dsta/cache/invalidator.hpp>
#include <dsta/cache/key.hpp>
#include <dsta/cache/key_text.hpp>
#include <dsta/cache/lazy.hpp>
#include <dsta/cache/load_context.hpp>
#include <dsta/cache/log.hpp>
#include <dsta/cache/lookup.hpp>
#include <dsta/cache/manager.hpp>
#include <dsta/cache/options.hpp>
#include <dsta/cache/outcome.hpp>
#include <dsta/cache/set_result.hpp>
#include <dsta/cache/stats.hpp>
#include <dsta/cache/strategies.hpp>
#include <dsta/cache/time_span.hpp>
#include <dsta/cache/warmer.hpp>
