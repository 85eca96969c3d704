// Connecting to one endpoint: look its name up, race its addresses, shake hands. Private to lib/net.
#pragma once

#include "net/asio_timers.hpp"
#include "net/network.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <memory>

namespace martlet::net {

[[nodiscard]] std::unique_ptr<dialing> dial_socket(const boost::asio::any_io_executor& executor,
                                                   const std::shared_ptr<timer_heap>& timers, const endpoint& to,
                                                   const dial_options& options, dial_handler handler);

}  // namespace martlet::net
