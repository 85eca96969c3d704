// Our broker on a thread of its own, for --embedded.
#pragma once

#include "clock.hpp"

#include <martlet/broker.hpp>

#include <boost/asio/io_context.hpp>

#include <optional>
#include <string>
#include <thread>

namespace martlet::cli::bench {

class embedded_broker {
public:
    /// Listens on a free port of 127.0.0.1. Throws boost::system::system_error if it cannot.
    embedded_broker();
    embedded_broker(const embedded_broker&) = delete;
    embedded_broker& operator=(const embedded_broker&) = delete;
    ~embedded_broker();

    [[nodiscard]] const std::string& url() const noexcept { return url_; }
    /// CPU time of its thread.
    [[nodiscard]] nanoseconds cpu() const noexcept;

private:
    boost::asio::io_context io_{1};
    std::optional<broker> broker_;
    std::string url_;
    std::thread thread_;
    std::optional<clockid_t> cpu_clock_;
};

}  // namespace martlet::cli::bench
