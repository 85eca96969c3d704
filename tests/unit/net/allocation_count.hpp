// Counts what this test executable asks the heap for, by operator new and (as Asio does) by aligned_alloc.
#pragma once

#include <cstddef>

namespace martlet::net::test {

/// Since the process began.
[[nodiscard]] std::size_t allocation_count() noexcept;

}  // namespace martlet::net::test
