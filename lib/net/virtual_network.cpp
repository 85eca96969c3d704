// The public face of memory_network, with the loop that it moves.
#include "net/memory_network.hpp"
#include "net/network_of.hpp"

#include <martlet/testing.hpp>

#include <algorithm>
#include <utility>

namespace martlet::testing {

class virtual_network::impl {
public:
    impl(asio::io_context& io, std::uint64_t seed)
        : io_(io),
          network_(std::make_shared<net::memory_network>(io.get_executor(), seed)),
          place_(asio::use_service<net::network_in_place>(io)) {
        place_.put(network_);
    }
    ~impl() { place_.withdraw(); }
    impl(const impl&) = delete;
    impl& operator=(const impl&) = delete;

    asio::io_context& io_;
    std::shared_ptr<net::memory_network> network_;
    net::network_in_place& place_;  // the context's
};

virtual_network::virtual_network(asio::io_context& io, std::uint64_t seed) : impl_(std::make_unique<impl>(io, seed)) {}

virtual_network::~virtual_network() = default;

std::chrono::microseconds virtual_network::elapsed() const noexcept { return impl_->network_->elapsed(); }

void virtual_network::settle() {
    do {
        impl_->io_.restart();
    } while (impl_->io_.poll() != 0);
}

void virtual_network::advance(std::chrono::microseconds duration) {
    auto& network = *impl_->network_;
    const auto end = network.present() + duration;
    settle();
    while (network.present() < end || network.next_due() <= end) {
        network.step(end);
        settle();
    }
}

bool virtual_network::run_until(const std::function<bool()>& is_reached, std::chrono::microseconds limit) {
    auto& network = *impl_->network_;
    const auto end = network.present() + limit;
    for (;;) {
        settle();
        if (is_reached()) return true;
        if (network.next_due() > end) return false;
        network.step(end);
    }
}

void virtual_network::set_delay(std::chrono::microseconds one_way) { impl_->network_->set_delay(one_way); }
void virtual_network::set_reachable(bool is_reachable) { impl_->network_->set_reachable(is_reachable); }
void virtual_network::set_silent(bool is_silent) { impl_->network_->set_silent(is_silent); }
void virtual_network::cut_all() { impl_->network_->cut_all(); }
void virtual_network::cut_after(std::uint64_t bytes) { impl_->network_->cut_after(bytes); }
std::uint64_t virtual_network::bytes_carried() const noexcept { return impl_->network_->bytes_carried(); }
std::size_t virtual_network::open_links() const noexcept { return impl_->network_->open_links(); }

}  // namespace martlet::testing
