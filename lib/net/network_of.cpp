#include "net/network_of.hpp"

#include "net/asio_network.hpp"

#include <boost/asio/execution/context.hpp>
#include <boost/asio/query.hpp>

#include <random>

namespace martlet::net {

namespace asio = boost::asio;

asio::execution_context::id network_in_place::id;

std::shared_ptr<network> network_of(asio::any_io_executor executor) {
    auto& context = asio::query(executor, asio::execution::context);
    if (asio::has_service<network_in_place>(context)) {
        if (const auto& found = asio::use_service<network_in_place>(context).get()) return found;
    }
    return make_asio_network(std::move(executor));
}

std::uint64_t network::random_seed() {
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
}

}  // namespace martlet::net
