#pragma once
#include <stdexcept>
#include <string>

namespace dsta::cache {
inline namespace v1 {

/// Base of every exception that this library itself throws. Exceptions of a wrapped function pass through unchanged. A
/// fault of the server is not an exception: it is a miss, which is counted and logged.
class Error : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A configuration mistake: an unknown option, a bad URL, two functions under one identity.
class ConfigError : public Error {
  using Error::Error;
};

/// A key that cannot be used: empty, or over kMaxKeyBytes.
class KeyError : public Error {
  using Error::Error;
};

/// A glob pattern that is not valid: empty, an unclosed '[', a trailing '\'.
class PatternError : public Error {
  using Error::Error;
};

/// A value that cannot be used: increment of a value that is no integer, a sum over the 64-bit range, JSON that is
/// nested too deeply or cannot be written.
class ValueError : public Error {
  using Error::Error;
};

/// A loader requested, directly or through other loaders, the key that it is loading.
class RecursiveLoadError : public Error {
  using Error::Error;
};

/// A load did not end within its load_timeout, and there was no stale value to serve.
class LoadTimeoutError : public Error {
  using Error::Error;
};

/// A loader called LoadContext::fail, or the value of a missing item of a batch was requested, or a bulk loader
/// returned a wrong number of answers.
class LoadError : public Error {
  using Error::Error;
};

/// Too many loads were running or waiting (limit_loads, executor). This load was not started, and there was no stale
/// value to serve.
class OverloadError : public Error {
  using Error::Error;
};

}  // namespace v1
}  // namespace dsta::cache
