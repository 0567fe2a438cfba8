#pragma once
#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

namespace dsta::cache::testing_support {

/// One way for a network or a server to be bad. Made by the functions below and narrowed by `on`, `after` and `times`:
/// `Fault::reset_after().on("SET").times(1)`.
struct Fault {
  using Span = std::chrono::milliseconds;
  enum class Kind {
    pass,
    // To the bytes on their way.
    delay,
    drip,
    hold,
    blackhole,
    half_open,
    // To a request.
    reset_before,
    reset_after,
    // To a reply.
    truncate,
    garbage,
    wrong_length,
    duplicate,
    swallow,
    error,
    // To whoever connects.
    refuse,
    hang_connect,
    reset_on_accept,
    never_answer,
  };
  enum class Way { requests, replies, both };

  static Fault pass() { return {}; }
  /// Each message comes `by` later.
  static Fault delay(Span by, Way way = Way::replies) { return {.kind = Kind::delay, .way = way, .span = by}; }
  /// `bytes` at a time, the first at once, the others `every` so often.
  static Fault drip(std::size_t bytes, Span every, Way way = Way::replies) {
    return {.kind = Kind::drip, .way = way, .bytes = bytes, .span = every};
  }
  /// Nothing comes until the next `set`, `schedule` or `clear`; then all of it does. What waits on the way to the
  /// server is delivered even when the client has gone.
  static Fault hold(Way way = Way::both) { return {.kind = Kind::hold, .way = way}; }
  /// Connections stay, what is sent is lost.
  static Fault blackhole() { return {.kind = Kind::blackhole}; }
  /// The server's end is closed and the client is not told. For good: a later `clear` does not bring it back.
  static Fault half_open() { return {.kind = Kind::half_open}; }
  /// RST instead of forwarding the request: it is not executed.
  static Fault reset_before() { return {.kind = Kind::reset_before}; }
  /// RST instead of forwarding the reply: the request is executed, the client cannot know.
  static Fault reset_after() { return {.kind = Kind::reset_after}; }
  /// The first `bytes` of the reply and then the end of the connection.
  static Fault truncate(std::size_t bytes) { return {.kind = Kind::truncate, .bytes = bytes}; }
  /// Overwrites `bytes` of the reply from `at` on with random ones. At 0 the reply is certainly no RESP.
  static Fault garbage(std::size_t bytes, std::size_t at = 0) {
    return {.kind = Kind::garbage, .bytes = bytes, .at = at};
  }
  /// Adds `by` to the first length in the reply: `$5` becomes `$6`, `*2` becomes `*3`. A reply without passes.
  static Fault wrong_length(int by = 1) { return {.kind = Kind::wrong_length, .by = by}; }
  static Fault duplicate_reply() { return {.kind = Kind::duplicate}; }
  static Fault swallow_reply() { return {.kind = Kind::swallow}; }
  /// The reply is the error `text`, as "LOADING Redis is loading the dataset in memory"; the request is not executed
  /// unless `executed`.
  static Fault error_reply(std::string text, bool executed = false) {
    return {.kind = Kind::error, .executed = executed, .text = std::move(text)};
  }
  /// Nobody listens. Such attempts cannot be counted: see `reset_on_accept`. In a schedule it is that.
  static Fault refuse() { return {.kind = Kind::refuse}; }
  /// The listener's backlog is full: connecting takes for ever. In a schedule it is `never_answer`.
  static Fault hang_connect() { return {.kind = Kind::hang_connect}; }
  /// Accepted, counted and reset at once.
  static Fault reset_on_accept() { return {.kind = Kind::reset_on_accept}; }
  /// Accepted, and that was all. For good, as for `half_open`.
  static Fault never_answer() { return {.kind = Kind::never_answer}; }

  /// Only requests of this command (upper case) and their replies; "push" is what the server sends unasked.
  Fault on(std::string name) && {
    command = std::move(name);
    return std::move(*this);
  }
  /// Lets the first `count` pass.
  Fault after(std::size_t count) && {
    skipped = count;
    return std::move(*this);
  }
  /// Passes after `count` times; 0 is never.
  Fault times(std::size_t count) && {
    limit = count;
    return std::move(*this);
  }

  bool at_connection() const { return kind >= Kind::refuse; }
  bool towards(Way which) const { return way == which || way == Way::both; }

  Kind kind = Kind::pass;
  Way way = Way::both;
  bool executed = false;
  int by = 0;
  std::size_t bytes = 0;
  std::size_t at = 0;
  Span span{0};
  std::string text = {};
  std::string command = {};
  std::size_t skipped = 0;
  std::size_t limit = 0;
};

/// How likely a fault is among the others of a schedule.
struct WeightedFault {
  Fault fault;
  unsigned weight = 1;
};

}  // namespace dsta::cache::testing_support
