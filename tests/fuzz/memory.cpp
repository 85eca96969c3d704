#include "fuzz/memory.hpp"

#if defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define MARTLET_FUZZ_ASAN
#    endif
#elif defined(__SANITIZE_ADDRESS__)
#    define MARTLET_FUZZ_ASAN
#endif

#ifdef MARTLET_FUZZ_ASAN  // which has an operator new of its own, and counts

#    include <cstddef>

extern "C" std::size_t __sanitizer_get_current_allocated_bytes();  // g++ has the function, but not its header

std::size_t martlet::fuzz::memory_held() noexcept { return __sanitizer_get_current_allocated_bytes(); }

#else

#    include <cstdlib>
#    include <malloc.h>
#    include <new>

namespace {

std::size_t held = 0;

}  // namespace

std::size_t martlet::fuzz::memory_held() noexcept { return held; }

void* operator new(std::size_t size) {
    void* const memory = std::malloc(size);
    if (memory == nullptr) throw std::bad_alloc();
    held += malloc_usable_size(memory);
    return memory;
}

void operator delete(void* memory) noexcept {
    held -= malloc_usable_size(memory);
    std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

#endif
