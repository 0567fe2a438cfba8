#pragma once
/// All headers of dsta::cache that need only the standard library. Opt-in headers: dsta/cache/json.hpp (codec for every
/// type that nlohmann::json converts), dsta/cache/global.hpp (one manager for the program), dsta/cache/testing.hpp.
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
