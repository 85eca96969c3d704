// The network of real sockets, on any executor of Asio.
#pragma once

#include "net/network.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace martlet::net {

/// \p executor must be a strand or belong to a context that one thread runs.
[[nodiscard]] std::shared_ptr<network> make_asio_network(boost::asio::any_io_executor executor);

}  // namespace martlet::net
