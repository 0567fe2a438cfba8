#include <dsta/cache/detail/shared_block.hpp>

#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {
namespace {

/// Stands right before the object.
struct alignas(std::max_align_t) Head {
  Head() = default;
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;
  ~Head() {
    if (destroy) destroy(object());
  }
  void* object() noexcept { return this + 1; }

  void (*destroy)(void* object) noexcept = nullptr;
};

/// Allocates room for an object behind what it is asked for.
template <class T>
struct Allocator {
  using value_type = T;
  std::size_t size;

  explicit Allocator(std::size_t object) : size(object) {}
  template <class U>
  Allocator(const Allocator<U>& other) : size(other.size) {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T) + size)); }
  void deallocate(T* block, std::size_t) noexcept { ::operator delete(static_cast<void*>(block)); }
  template <class U>
  bool operator==(const Allocator<U>& other) const {
    return size == other.size;
  }
};

}  // namespace

std::shared_ptr<void> allocate_block(std::size_t size) {
  std::shared_ptr<Head> head = std::allocate_shared<Head>(Allocator<Head>(size));
  void* const object = head->object();
  return {std::move(head), object};
}

void own_block(void* object, void (*destroy)(void* object) noexcept) noexcept {
  (static_cast<Head*>(object) - 1)->destroy = destroy;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
