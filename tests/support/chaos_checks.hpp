#pragma once
#include <cstdint>
#include <exception>
#include <stdexcept>
#include <string>

#include "checked_value.hpp"
#include "findings.hpp"

namespace dsta::cache::testing_support {

/// What is checked of every operation of a chaotic run, whatever it is. Thread-safe.
struct ChaosChecks {
  /// What loaders throw now and then: the only exception that a call may pass on.
  struct SourceDown : std::runtime_error {
    SourceDown() : std::runtime_error("the source is down") {}
  };

  /// Runs an operation, notes how long it took, and lets no exception but the source's pass for good.
  template <class Operation>
  void timed(const char* name, Operation operation) {
    const auto begun = Slowest::Clock::now();
    try {
      operation();
    } catch (const SourceDown&) {
      // The loader's own.
    } catch (const std::exception& error) {
      findings.add(std::string(name) + " threw " + error.what());
    }
    slowest.note(name, Slowest::Clock::now() - begun);
  }
  /// The number of a value of `key`; 0 for one that is none.
  std::uint64_t number_of(const std::string& key, const std::string& text) {
    const auto value = CheckedValue::parse(text);
    if (!value) return findings.add("corrupt: " + key + " = " + text), 0;
    if (value->key != key) return findings.add("of another key: " + key + " = " + text), 0;
    return value->number;
  }

  Findings findings;
  Slowest slowest;
};

}  // namespace dsta::cache::testing_support
