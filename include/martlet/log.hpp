// How much a line of a log matters; the same for client and broker.
#pragma once

#include <cstdint>

namespace martlet {

enum class log_level : std::uint8_t { error, warning, notice, information, debug };

}  // namespace martlet
