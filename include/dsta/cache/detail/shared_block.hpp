#pragma once
#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Room for an object of `size` bytes, with its counts beside it: one allocation, as std::make_shared makes.
std::shared_ptr<void> allocate_block(std::size_t size);
/// Has the block call `destroy` for its object at the end. Before, a block holds no object.
void own_block(void* object, void (*destroy)(void* object) noexcept) noexcept;

/// std::make_shared<T> as a pointer to its base. std::make_shared itself instantiates a dozen templates for each type
/// of each wrapped function, which was a tenth of what the library cost a file that includes it.
template <class T, class Base = T, class... Arguments>
std::shared_ptr<Base> make_block(Arguments&&... arguments) {
  if constexpr (alignof(T) > alignof(std::max_align_t)) {
    return std::make_shared<T>(std::forward<Arguments>(arguments)...);
  } else {
    std::shared_ptr<void> block = allocate_block(sizeof(T));
    T* const object = ::new (block.get()) T(std::forward<Arguments>(arguments)...);
    own_block(object, [](void* owned) noexcept { static_cast<T*>(owned)->~T(); });
    return std::shared_ptr<Base>(std::move(block), object);
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
