// A proxy that does damage on purpose: it stands between any clients and any broker, on sockets, and follows rules of
// faults (<martlet/faults.hpp>). `martlet proxy` is the same thing as a program.
//
//   auto faults = std::make_shared<martlet::faults>(7);
//   faults->add("reset after=100..4000B times=100").value();
//   martlet::fault_proxy proxy(io, {.to = "mqtt://127.0.0.1:1883", .faults = faults});
//   const auto where = proxy.listen("mqtt://127.0.0.1:0").value();
//
// TLS and WebSocket pass as bytes without meaning: rules that look at packets do not act on them. Whether a connection is
// cut into packets is decided when it is accepted, by the rules of that moment.
//
// Thread: everything on the executor, which must be a strand or run by one thread.
#pragma once

#include <martlet/endpoint.hpp>
#include <martlet/error.hpp>
#include <martlet/faults.hpp>
#include <martlet/log.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/system/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace martlet {

struct fault_proxy_options {
    /// The broker: "mqtt://host:port" or "unix:/path".
    std::string to = {};
    std::shared_ptr<martlet::faults> faults = {};  ///< null: everything passes
    std::size_t connections_max = 10'000;          ///< at once; more are closed as they come
    std::chrono::milliseconds connect_timeout{10'000};
    /// Gets lines about connections; null: off.
    std::function<void(log_level, std::string_view)> log = {};
};

struct fault_proxy_statistics {
    std::size_t connections = 0;  ///< now
    std::uint64_t accepted = 0;   ///< since the start
    std::uint64_t failed = 0;     ///< of them: the broker could not be reached, or there were too many
    std::uint64_t bytes_in = 0;   ///< passed on towards the broker
    std::uint64_t bytes_out = 0;  ///< and taken from it
};

class fault_proxy {
public:
    /// Nothing is dialed before the first client comes.
    fault_proxy(boost::asio::any_io_executor executor, fault_proxy_options options);
    /// With the executor of an execution context, e.g. an io_context.
    template <class Context>
    requires(std::is_convertible_v<typename Context::executor_type, boost::asio::any_io_executor> &&
             !std::is_same_v<Context, fault_proxy>) fault_proxy(Context& context, fault_proxy_options options)
        : fault_proxy(boost::asio::any_io_executor(context.get_executor()), std::move(options)) {}
    fault_proxy(fault_proxy&&) noexcept;
    fault_proxy& operator=(fault_proxy&&) noexcept;
    /// Closes everything.
    ~fault_proxy();

    /// Begins to accept; may be called several times. "mqtt://127.0.0.1:0" takes a free port, "unix:/path" is possible, too.
    /// Returns where it listens. Errors: errc::url_invalid, of `url` or of fault_proxy_options::to; what the system says;
    /// protocol_not_supported for other schemes. \p detail, if given, gets one line.
    boost::system::result<endpoint> listen(std::string_view url, std::string* detail = nullptr);

    /// Accepts no more and closes all connections.
    void stop();

    [[nodiscard]] fault_proxy_statistics statistics() const noexcept;

private:
    class impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace martlet
