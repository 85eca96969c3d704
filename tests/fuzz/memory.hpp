// Memory held by this process through operator new.
#pragma once

#include <cstddef>

namespace martlet::fuzz {

/// Bytes allocated and not freed.
[[nodiscard]] std::size_t memory_held() noexcept;

}  // namespace martlet::fuzz
