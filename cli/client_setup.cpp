#include "client_setup.hpp"

#include "failure.hpp"
#include "packet_log.hpp"

#include <cstdio>
#include <memory>
#include <utility>

namespace martlet::cli {

client_options make_tool_client(const connection_settings& settings, profile p, bool reconnects,
                                std::function<void(std::string_view)> debug_line) {
    client_options options = to_client_options(settings);
    options.reconnect.before_first_connect = false;
    options.reconnect.enabled = reconnects;
    options.reconnect.delay_max = std::chrono::seconds(10);
    if (settings.retries) {  // the runner counts them
        options.reconnect.enabled = *settings.retries > 0;
        options.reconnect.before_first_connect = options.reconnect.enabled;
    }
    if (p == profile::mosquitto) {
        options.reconnect.delay_max = options.reconnect.delay_min;
        options.reconnect.jitter = 0;
        if (!options.session_expiry) options.session_expiry = std::chrono::seconds(0);
    }
    if (!settings.debug || (p == profile::native && settings.quiet)) return options;

    if (p == profile::native) {
        debug_line = complain;
    } else if (!debug_line) {
        debug_line = [](std::string_view line) {
            std::fprintf(stdout, "%.*s\n", static_cast<int>(line.size()), line.data());
        };
    }
    options.observer = std::make_shared<packet_log>(options.client_id, p, std::move(debug_line));
    return options;
}

}  // namespace martlet::cli
