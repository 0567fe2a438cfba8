#include "load/load_errors.hpp"

#include <fmt/format.h>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

std::exception_ptr asks_for_its_own_key(const LoadSpec& spec) {
  return std::make_exception_ptr(
      RecursiveLoadError(fmt::format("the function cached under prefix '{}' requests the key that it is loading: get "
                                     "the value from the source instead",
                                     spec.prefix())));
}

std::exception_ptr took_too_long(const LoadSpec& spec) {
  return std::make_exception_ptr(LoadTimeoutError(fmt::format(
      "a load under prefix '{}' took longer than its load_timeout; its result will be stored when it finishes",
      spec.prefix())));
}

std::exception_ptr executor_is_full(const LoadSpec& spec) {
  return std::make_exception_ptr(OverloadError(
      fmt::format("a load under prefix '{}' was not started: the executor is full or dropped it", spec.prefix())));
}

std::exception_ptr no_place_in_queue(const LoadSpec& spec) {
  return std::make_exception_ptr(OverloadError(fmt::format(
      "a load under prefix '{}' was not started: limit_loads is reached and its queue is full", spec.prefix())));
}

void check_raw_codec(const TypeOps& type) {
  if (type.codec.find("bin1:") == std::string_view::npos) return;
  throw ConfigError(fmt::format(
      "raw and the binary codec '{}' cannot be combined: raw bytes do not describe their layout, and would be "
      "misread once it changes: specialise json_format for the type, give it a codec of your own, or leave "
      "out raw",
      type.codec));
}

void refuse_raw_tags(std::string_view tag) {
  throw ConfigError(
      fmt::format("the tag '{}' is for a function whose values are raw: a raw value carries no tags: "
                  "invalidate it by key, pattern or function, or leave out raw",
                  tag));
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
