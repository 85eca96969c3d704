#include "support/failing_memory.hpp"

#include <cstddef>
#include <cstdlib>
#include <new>

namespace martlet::test {

namespace {

std::int64_t living = 0;
std::uint64_t counted = 0;
std::uint64_t first_failure = 0;
std::uint64_t failures_left = 0;
bool failed = false;
bool watching = false;

void* allocate(std::size_t size, std::size_t alignment) {
    if (watching && ++counted >= first_failure && first_failure != 0 && failures_left != 0) {
        --failures_left;
        failed = true;
        throw std::bad_alloc();
    }
    void* const memory = alignment <= alignof(std::max_align_t)
                             ? std::malloc(size != 0 ? size : 1)
                             : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (memory == nullptr) throw std::bad_alloc();
    ++living;
    return memory;
}

void release(void* memory) noexcept {
    if (memory == nullptr) return;
    --living;
    std::free(memory);
}

}  // namespace

std::int64_t living_allocations() noexcept { return living; }

failing_memory::failing_memory(std::uint64_t first, std::uint64_t count) noexcept {
    counted = 0;
    first_failure = first;
    failures_left = count;
    failed = false;
}

failing_memory::~failing_memory() { stop(); }

void failing_memory::stop() noexcept { first_failure = failures_left = 0; }

std::uint64_t failing_memory::count() const noexcept { return counted; }
bool failing_memory::has_failed() const noexcept { return failed; }

failing_memory::scope::scope(bool on) noexcept : before_(watching) { watching = on; }
failing_memory::scope::~scope() { watching = before_; }

}  // namespace martlet::test

void* operator new(std::size_t size) { return martlet::test::allocate(size, 1); }
void* operator new[](std::size_t size) { return martlet::test::allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return martlet::test::allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return martlet::test::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { martlet::test::release(memory); }
void operator delete[](void* memory) noexcept { martlet::test::release(memory); }
void operator delete(void* memory, std::size_t) noexcept { martlet::test::release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { martlet::test::release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { martlet::test::release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { martlet::test::release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { martlet::test::release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { martlet::test::release(memory); }
