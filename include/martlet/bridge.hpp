// Joins two brokers by topic maps, both ways: what is published at one is published at the other.
//
//   martlet::bridge bridge(io, {.local = {.urls = {"mqtt://localhost"}},
//                               .remote = {.urls = {"mqtts://hub.example"}},
//                               .rules = {{"pump/#", martlet::bridge_direction::both, martlet::qos::exactly_once, "",
//                                          "site-7/"}}});
//   bridge.start();
//
// Both ends are clients with sessions of their own: what is published at one end while the other is away waits. A message
// is acknowledged at one end when the other has it: QoS 1 and 2 survive the loss of either link and the restart of either
// broker, QoS 2 without repetition; if the bridge itself is killed, messages under way may come twice.
//
// No message goes round: neither end is sent what the bridge itself has published there (No Local), and a message that has
// come through a bridge of this name before, over whatever detour, is dropped by its mark (a User Property).
#pragma once

#include <martlet/client_options.hpp>
#include <martlet/error.hpp>
#include <martlet/types.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace martlet {

enum class bridge_direction : std::uint8_t {
    out,   ///< from local to remote
    in,    ///< from remote to local
    both,  ///< out and in
};

/// `filter` is behind local_prefix at the local broker and behind remote_prefix at the remote one, which are replaced by
/// each other. Prefixes hold no wildcard.
struct bridge_rule {
    std::string filter;
    bridge_direction direction = bridge_direction::out;
    martlet::qos qos = martlet::qos::at_least_once;  ///< at most
    std::string local_prefix = {};
    std::string remote_prefix = {};
};

struct bridge_options {
    client_options local = {};   ///< version and session are the bridge's to choose: MQTT 5, resumed
    client_options remote = {};  ///< likewise
    std::vector<bridge_rule> rules = {};
    /// Marks messages, and is the client id at an end that has none. The same after a restart.
    std::string name = "martlet-bridge";
    /// Gets a line for each connection that comes, goes or is refused, on the executor; may be empty.
    std::function<void(std::string_view line)> log = {};
};

struct bridge_statistics {
    std::uint64_t forwarded_out = 0;
    std::uint64_t forwarded_in = 0;
    std::uint64_t dropped_loops = 0;    ///< they bore our mark
    std::uint64_t dropped_refused = 0;  ///< the other broker does not take them, or QoS 0 without a connection
    bool local_connected = false;
    bool remote_connected = false;
};

/// Everything on the executor, which must be a strand or run by one thread.
class bridge {
public:
    bridge(boost::asio::any_io_executor executor, bridge_options options);
    /// With the executor of an execution context, e.g. an io_context.
    template <class Context>
    requires(std::is_convertible_v<typename Context::executor_type, boost::asio::any_io_executor> &&
             !std::is_same_v<Context, bridge>) bridge(Context& context, bridge_options options)
        : bridge(boost::asio::any_io_executor(context.get_executor()), std::move(options)) {}
    bridge(bridge&&) noexcept;
    bridge& operator=(bridge&&) noexcept;
    /// Cuts both connections; the sessions stay.
    ~bridge();

    /// Begins to connect, and reconnects until stop(). \p failed, if given, is called once when an end gives up: what
    /// client::async_run ends with; the other end is then stopped, too.
    /// Errors: errc::option_invalid (no rule, or a prefix with a wildcard), errc::topic_filter_invalid, already_running.
    error_code start(std::function<void(error_code)> failed = {});
    void stop();

    [[nodiscard]] bridge_statistics statistics() const noexcept;

private:
    class impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace martlet
