#include "proxy.hpp"

#include "broker_log.hpp"
#include "command_line.hpp"
#include "exit_code.hpp"
#include "failure.hpp"
#include "fault_options.hpp"
#include "json_text.hpp"
#include "listening.hpp"

#include <martlet/fault_proxy.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace martlet::cli {
namespace {

struct proxy_settings {
    std::string to;
    std::vector<std::string> listeners;
    fault_settings faults;
    std::string port_file;
    std::optional<std::chrono::duration<double>> exit_after;
    bool once = false;
    bool json_ready = false;
    bool verbose = false;
};

// HOST, HOST:PORT or a URL.
void read_target(command_line& in, proxy_settings& out) {
    const auto value = in.value();
    if (!value) return;
    const bool is_url = value->find("://") != std::string_view::npos || value->starts_with("unix:");
    std::string url = is_url ? std::string(*value) : "mqtt://" + std::string(*value);
    std::string_view why;
    const auto parsed = parse_endpoint(url, &why);
    if (!parsed) {
        in.fail("Invalid broker '" + std::string(*value) + "' for --to: " + std::string(why) + '.');
    } else {
        out.to = std::move(url);
    }
}

bool read_proxy_option(const option& row, command_line& in, proxy_settings& out) {
    switch (row.id) {
        case option_id::to: read_target(in, out); return true;
        case option_id::listen_port:
            if (const auto port = in.number(0, 65'535, "Invalid port given: {}")) {
                out.listeners.push_back("mqtt://127.0.0.1:" + std::to_string(*port));
            }
            return true;
        case option_id::listen_url:
            if (const auto url = in.value()) out.listeners.emplace_back(*url);
            return true;
        case option_id::port_file:
            if (const auto name = in.value()) out.port_file = *name;
            return true;
        case option_id::json_ready: out.json_ready = true; return true;
        case option_id::once: out.once = true; return true;
        case option_id::exit_after:
            if (const auto value = in.value()) {
                if (const auto seconds = parse_seconds(*value)) {
                    out.exit_after = std::chrono::duration<double>(*seconds);
                } else {
                    in.fail("Invalid time given for --exit-after: " + std::string(*value));
                }
            }
            return true;
        case option_id::verbose: out.verbose = true; return true;
        default: return read_fault_option(row, in, out.faults);
    }
}

class proxy_server {
public:
    explicit proxy_server(const proxy_settings& settings)
        : settings_(settings), signals_(io_, SIGINT, SIGTERM), timer_(io_), faults_(make_faults(settings.faults)) {}

    int run() {
        if (settings_.verbose) {
            faults_->on_fault([this](const fault_event& e) { tell(e); });
        }
        fault_proxy_options options;
        options.to = settings_.to;
        options.faults = faults_;
        options.log = [this](log_level level, std::string_view line) { log_.write(level, line); };
        fault_proxy relay(io_.get_executor(), options);
        proxy_ = &relay;
        std::vector<endpoint> places;
        for (const std::string& url : settings_.listeners) {
            std::string why;
            const auto where = relay.listen(url, &why);
            if (!where) {
                complain("Error: " + (why.empty() ? url + ": " + describe(where.error()) : why));
                return exit_failure;
            }
            places.push_back(*where);
        }
        print_ready(places, 0, settings_.json_ready);
        if (!settings_.port_file.empty() && !write_port_file(settings_.port_file, first_port(places))) {
            return exit_failure;
        }
        signals_.async_wait([this](const error_code& error, int) {
            if (!error) io_.stop();
        });
        watch_end();
        io_.run();
        print_summary();
        return exit_ok;
    }

private:
    void tell(const fault_event& e) {
        std::string line = "Connection " + std::to_string(e.connection);
        if (!e.client_id.empty()) line.append(" of ").append(is_utf8(e.client_id) ? e.client_id : "(not UTF-8)");
        line.append(e.inbound ? ", to the broker: " : ", to the client: ").append(e.what).append(": ").append(e.rule);
        log_.write(log_level::notice, line);
    }

    // --once and --exit-after.
    void watch_end() {
        using clock = std::chrono::steady_clock;
        if (settings_.exit_after && !exit_at_) {
            exit_at_ = clock::now() + std::chrono::duration_cast<clock::duration>(*settings_.exit_after);
        }
        if (!settings_.once && !exit_at_) return;
        timer_.expires_at(settings_.once ? clock::now() + std::chrono::milliseconds(20) : *exit_at_);
        timer_.async_wait([this](const error_code& error) {
            if (error) return;
            const auto now = proxy_->statistics();
            if (settings_.once && now.accepted != 0 && now.connections == 0) return io_.stop();
            if (exit_at_ && clock::now() >= *exit_at_) return io_.stop();
            watch_end();
        });
    }

    void print_summary() const {
        const auto now = proxy_->statistics();
        std::string out;
        json_writer json(out, false);
        const auto number = [&](std::string_view key, std::uint64_t value) {
            json.key(key);
            json.number(value);
        };
        json.begin_object();
        number("seed", faults_->seed());
        number("faults", faults_->total());
        number("connections", now.accepted);
        number("failed", now.failed);
        number("bytes_in", now.bytes_in);
        number("bytes_out", now.bytes_out);
        json.key("rules");
        json.begin_array();
        for (const fault_count& one : faults_->counts()) {
            json.begin_object();
            json.key("rule");
            json.string(one.rule);
            number("times", one.times);
            json.end_object();
        }
        json.end_array();
        json.end_object();
        std::printf("%s\n", out.c_str());
        std::fflush(stdout);
    }

    const proxy_settings& settings_;
    standard_error_log log_{log_form::text};
    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_;
    boost::asio::steady_timer timer_;
    std::shared_ptr<faults> faults_;
    fault_proxy* proxy_ = nullptr;
    std::optional<std::chrono::steady_clock::time_point> exit_at_;
};

}  // namespace

int run_proxy(std::span<char* const> arguments, profile p, std::string_view program) {
    proxy_settings settings;
    command_line in(arguments, command::proxy, p);
    const auto done =
        read_options(in, program, [&](const option& row) { return read_proxy_option(row, in, settings); });
    if (done) return *done;
    if (settings.to.empty()) {
        in.fail("There is no broker to pass anything on to: it takes --to HOST:PORT.");
        return report_usage_error(in, program);
    }
    if (settings.listeners.empty()) settings.listeners.emplace_back("mqtt://127.0.0.1:0");
    return proxy_server(settings).run();
}

}  // namespace martlet::cli
