#include "progress_bar.hpp"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

namespace trading {

ProgressBar::ProgressBar(std::FILE* out) : out_(out), terminal_(isatty(fileno(out)) == 1) {}

void ProgressBar::start(std::string_view label) {
  const std::lock_guard lock{mutex_};
  label_ = label;
  done_ = total_ = 0;
}

// Reports of two threads may overtake each other: the bar never goes back.
void ProgressBar::update(std::size_t done, std::size_t total, std::string_view item) {
  const std::lock_guard lock{mutex_};
  done_ = std::max(done_, done);
  total_ = total;
  if (!terminal_) return;
  draw(item);
  std::fflush(out_);
}

void ProgressBar::finish(std::string_view summary) {
  const std::lock_guard lock{mutex_};
  draw(summary);
  std::fputc('\n', out_);
}

void ProgressBar::draw(std::string_view note) const {
  constexpr std::size_t kWidth = 24;
  const std::size_t filled = total_ == 0 ? 0 : std::min(done_, total_) * kWidth / total_;
  std::string bar;
  for (std::size_t i = 0; i < kWidth; ++i) bar += i < filled ? "█" : "░";
  fmt::print(out_, "{}  {:<11} {} {:>2}/{:<2}  {}", terminal_ ? "\r\033[K" : "", label_, bar, done_, total_, note);
}

}  // namespace trading
