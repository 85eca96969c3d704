#include "client/teardown.hpp"

#include "client/client_core.hpp"

#include <memory>
#include <vector>

namespace martlet::detail {

boost::asio::execution_context::id teardown::id;

void teardown::add(client_core& core) {
    const std::lock_guard lock(mutex_);
    if (!is_over_) cores_.insert(&core);
}

void teardown::remove(client_core& core) noexcept {
    const std::lock_guard lock(mutex_);
    cores_.erase(&core);
}

void teardown::shutdown() {
    std::vector<std::shared_ptr<client_core>> cores;
    {
        const std::lock_guard lock(mutex_);
        is_over_ = true;
        for (auto* const core : cores_) {
            if (auto alive = core->weak_from_this().lock()) cores.push_back(std::move(alive));
        }
        cores_.clear();
    }
    for (const auto& core : cores)
        core->drop_operations();
}

}  // namespace martlet::detail
