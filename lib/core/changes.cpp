#include <martlet/core/changes.hpp>

#include <algorithm>
#include <utility>

namespace martlet::core {

change_batch changes::take() { return {last_, std::exchange(rows_, {})}; }

void changes::on_committed(std::uint64_t number) noexcept {
    committed_ = std::max(committed_, std::min(number, last_));
}

}  // namespace martlet::core
