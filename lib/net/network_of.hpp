// The network of an executor: the real one, or the one that a test has put into its execution context. Clients and brokers
// ask here.
#pragma once

#include "net/network.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/execution_context.hpp>

#include <memory>
#include <utility>

namespace martlet::net {

/// Where a test puts a network into a context.
class network_in_place final : public boost::asio::execution_context::service {
public:
    static boost::asio::execution_context::id id;

    explicit network_in_place(boost::asio::execution_context& context) : service(context) {}

    /// Throws service_already_exists if there is one.
    void put(std::shared_ptr<network> what) {
        if (network_) throw boost::asio::service_already_exists();
        network_ = std::move(what);
    }
    /// From then on the real one is what is found.
    void withdraw() noexcept { network_ = nullptr; }
    [[nodiscard]] const std::shared_ptr<network>& get() const noexcept { return network_; }

private:
    void shutdown() override { network_ = nullptr; }
    std::shared_ptr<network> network_;
};

[[nodiscard]] std::shared_ptr<network> network_of(boost::asio::any_io_executor executor);

}  // namespace martlet::net
