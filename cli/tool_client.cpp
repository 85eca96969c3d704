#include "tool_client.hpp"

#include "client_setup.hpp"
#include "exit_code.hpp"
#include "failure.hpp"
#include "interruption.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>

namespace martlet::cli {
namespace {

constexpr std::chrono::milliseconds slice{100};

}  // namespace

std::unique_ptr<blocking_client> open_client(const connection_settings& settings, bool reconnects, int& exit_code) {
    try {
        auto client = std::make_unique<blocking_client>(make_tool_client(settings, profile::native, reconnects));
        while (!client->wait_connected(slice)) {
            if (!was_interrupted()) continue;
            exit_code = exit_interrupted_early;
            return nullptr;
        }
        return client;
    } catch (const boost::system::system_error& e) {
        const failure f = connect_failure(e.code(), settings.version, destination(settings), {}, profile::native,
                                          settings.user_name.has_value());
        if (!settings.quiet) complain(f.text);
        exit_code = f.exit_code;
        return nullptr;
    }
}

int report_operation(const error_code& cause, const connection_settings& settings, std::string_view what) {
    const failure f = publish_failure(cause);
    if (!settings.quiet) complain("Error: " + std::string(what) + ": " + f.text + ".");
    return f.exit_code;
}

std::optional<message> receive_until(blocking_subscription& from, std::chrono::steady_clock::time_point deadline) {
    for (;;) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        if (left.count() <= 0 || was_interrupted()) return std::nullopt;
        try {
            if (auto m = from.receive(std::min(left, slice))) return m;
        } catch (const boost::system::system_error&) {
            return std::nullopt;
        }
    }
}

void say_goodbye(blocking_client& client) noexcept {
    try {
        client.disconnect({.timeout = std::chrono::seconds(5)});
    } catch (...) {  // the connection is gone already
    }
}

std::chrono::steady_clock::time_point deadline_after(const std::optional<std::chrono::milliseconds>& limit) noexcept {
    return std::chrono::steady_clock::now() + limit.value_or(std::chrono::hours(24 * 365));
}

}  // namespace martlet::cli
