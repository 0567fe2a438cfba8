// A progress bar for a terminal; where output is not a terminal, one line when it is done.
#pragma once

#include <cstddef>
#include <cstdio>
#include <mutex>
#include <string>
#include <string_view>

namespace trading {

/// Thread-safe: warming reports from several threads.
class ProgressBar {
 public:
  explicit ProgressBar(std::FILE* out);

  void start(std::string_view label);
  void update(std::size_t done, std::size_t total, std::string_view item);
  void finish(std::string_view summary);

 private:
  void draw(std::string_view note) const;

  std::FILE* const out_;
  const bool terminal_;
  std::mutex mutex_;
  std::string label_;  // guarded by mutex_, like all that follows
  std::size_t done_ = 0;
  std::size_t total_ = 0;
};

}  // namespace trading
