#include "broker.hpp"

namespace martlet::cli {

int run_broker(std::span<char* const>, profile, std::string_view) { return 1; }

}  // namespace martlet::cli
