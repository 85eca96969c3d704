// Connections within the process, without sockets: "memory:NAME". Private to lib/net.
#pragma once

#include "net/network.hpp"
#include "net/transport.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace martlet::net {

/// Bytes that a direction holds; a writer waits for room beyond it.
inline constexpr std::size_t in_process_bytes_max = 256 * 1024;

/// Both ends of a new link; each is used on its own executor, which may be another thread's. `name` is what the ends say
/// of each other.
[[nodiscard]] std::pair<std::unique_ptr<transport>, std::unique_ptr<transport>> make_in_process_link(
    const boost::asio::any_io_executor& one, const boost::asio::any_io_executor& other, const std::string& name);

/// Error: address_in_use if somebody in this process listens at that name.
[[nodiscard]] listen_result listen_in_process(const boost::asio::any_io_executor& executor, const endpoint& at,
                                              const listen_options& options, accept_handler on_accept);

/// Error: connection_refused if nobody does.
[[nodiscard]] std::unique_ptr<dialing> dial_in_process(const boost::asio::any_io_executor& executor, const endpoint& to,
                                                       dial_handler handler);

}  // namespace martlet::net
