#pragma once
#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <string>

#include <dsta/cache/options.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Which files stand at the places that TlsOptions name: by inode, size and times of the last changes, of contents
/// and of rights. One thread.
///
/// Taken before they are read: what changes while they are read makes the next stamp differ.
class FileStamps {
 public:
  explicit FileStamps(const TlsOptions& options)
      : all_{of(options.ca_file), of(options.cert_file), of(options.key_file)} {}
  bool operator==(const FileStamps&) const = default;

 private:
  using Stamp = std::array<std::int64_t, 7>;
  /// Zeros: there is none.
  static Stamp of(const std::string& file) {
    struct stat now {};
    if (file.empty() || ::stat(file.c_str(), &now) != 0) return {};
    return {static_cast<std::int64_t>(now.st_dev),
            static_cast<std::int64_t>(now.st_ino),
            now.st_size,
            now.st_mtim.tv_sec,
            now.st_mtim.tv_nsec,
            now.st_ctim.tv_sec,
            now.st_ctim.tv_nsec};
  }

  std::array<Stamp, 3> all_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
