// How much an event matters.
#pragma once

#include <martlet/client_options.hpp>

namespace martlet::detail {

[[nodiscard]] log_level level_of(const client_event& e) noexcept;

}  // namespace martlet::detail
