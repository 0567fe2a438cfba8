// Calls the fuzz targets with the files of their corpora: replay DIRECTORY, where DIRECTORY/<target>/* are the inputs.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz.hpp"

namespace dsta::cache::fuzz {
namespace {

namespace fs = std::filesystem;

std::map<std::string_view, Target>& targets() {
  static std::map<std::string_view, Target> all;
  return all;
}

std::string current;  ///< the file whose input is being tried

void name_current(int) { std::fprintf(stderr, "fuzz: the input was %s\n", current.c_str()); }

/// The input, and each of its beginnings: what is cut short is what a reader must not run past. From a copy of the
/// exact size, so that AddressSanitizer sees a byte read too many.
std::size_t try_all(Target target, const std::string& input) {
  constexpr std::size_t kBeginnings = 300;
  std::size_t tried = 0;
  for (std::size_t size = 0; size <= input.size(); size += size < kBeginnings ? 1 : input.size() / 16 + 1, ++tried) {
    const std::vector<char> exact(input.data(), input.data() + size);
    target({exact.data(), exact.size()});
  }
  const std::vector<char> whole(input.begin(), input.end());
  target({whole.data(), whole.size()});
  return tried + 1;
}

/// False when there is nothing to try.
bool replay(std::string_view name, Target target, const fs::path& directory) {
  std::vector<fs::path> files;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(directory / name, missing)) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  std::size_t tried = 0;
  for (const fs::path& file : files) {
    current = file.string();
    std::ifstream stream(file, std::ios::binary);
    tried += try_all(target, {std::istreambuf_iterator<char>(stream), {}});
  }
  std::printf("%-10.*s %4zu files, %6zu inputs\n", static_cast<int>(name.size()), name.data(), files.size(), tried);
  return !files.empty();
}

}  // namespace

bool add_target(std::string_view name, Target target) { return targets().emplace(name, target).second; }

int main_of_replay(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: replay DIRECTORY\n");
    return 2;
  }
  std::signal(SIGABRT, name_current);
  bool all = !targets().empty();
  for (const auto& [name, target] : targets()) all = replay(name, target, arguments[1]) && all;
  return all ? 0 : 1;
}

}  // namespace dsta::cache::fuzz

int main(int count, char** arguments) { return dsta::cache::fuzz::main_of_replay(count, arguments); }
