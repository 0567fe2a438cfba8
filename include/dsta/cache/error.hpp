#pragma once
#include <stdexcept>
#include <string>

namespace dsta::cache {
inline namespace v1 {

/// Base of every exception this library throws by itself. A wrapped function's own exceptions pass through unchanged
/// and never derive from this. Faults of a backend are not exceptions: they are misses that are counted and logged.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A mistake in the program's configuration: unknown option, bad URL, two functions under one identity.
class ConfigError : public Error {
  using Error::Error;
};

/// A key that cannot be used: empty, or over kMaxKeyBytes.
class KeyError : public Error {
  using Error::Error;
};

/// A glob pattern that cannot be used: empty, an unclosed '[', a trailing '\'.
class PatternError : public Error {
  using Error::Error;
};

/// A value that cannot be used: increment of something that is no integer or over the 64-bit range, JSON nested
/// too deeply.
class ValueError : public Error {
  using Error::Error;
};

/// A loader asked, directly or through other loaders, for the very key that it is loading.
class RecursiveLoadError : public Error {
  using Error::Error;
};

/// A load did not end within its load_timeout, and nothing stale could be served.
class LoadTimeoutError : public Error {
  using Error::Error;
};

/// A loader gave up by LoadContext::fail, or a batch loader returned nothing for an item whose value was asked for.
class LoadError : public Error {
  using Error::Error;
};

/// Too many loads were under way or waiting, this one was not started, and nothing stale could be served.
class OverloadError : public Error {
  using Error::Error;
};

}  // namespace v1
}  // namespace dsta::cache
