// The binary codec: whatever it reads, it writes, and reads again as the same.
#include <optional>
#include <string>
#include <string_view>

#include <dsta/cache/codec.hpp>
#include <dsta/cache/error.hpp>

#include "binary_types.hpp"
#include "fuzz.hpp"

namespace dsta::cache::fuzz {

FUZZ_TARGET(binary) {
  testing_support::for_binary_types([&]<class T>() {
    const std::optional<T> value = codec<T>::decode(input);
    if (!value) return;
    std::string written;
    codec<T>::encode(*value, written);
    const std::optional<T> read = codec<T>::decode(written);
    require(read.has_value(), "what the codec wrote it does not read");
    std::string again;
    codec<T>::encode(*read, again);
    require(written.size() == again.size(), "what the codec wrote it reads as something else");
  });
}

}  // namespace dsta::cache::fuzz
