#include "broker.hpp"

#include "command_line.hpp"
#include "exit_code.hpp"
#include "failure.hpp"

#include <martlet/broker.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <sys/resource.h>
#include <vector>

namespace martlet::cli {
namespace {

struct broker_settings {
    std::vector<std::string> urls;
    std::string port_file;
    bool allow_anonymous = false;
    bool verbose = false;
};

bool read_broker_option(const option& row, command_line& in, broker_settings& out) {
    switch (row.id) {
        case option_id::listen_port:
            if (const auto port = in.number(0, 65'535, "Invalid port given: {}")) {
                out.urls.push_back("mqtt://127.0.0.1:" + std::to_string(*port));
            }
            return true;
        case option_id::listen_url:
            if (const auto url = in.value()) {
                std::string_view why;
                const auto parsed = parse_endpoint(*url, &why);
                if (!parsed) {
                    in.fail("Invalid URL '" + std::string(*url) + "' for --listen: " + std::string(why) + ".");
                } else if (parsed->scheme != scheme::mqtt && parsed->scheme != scheme::unix_socket) {
                    in.fail(std::string(to_string(parsed->scheme)) + ":// is not supported yet.");
                } else {
                    out.urls.emplace_back(*url);
                }
            }
            return true;
        case option_id::port_file:
            if (const auto name = in.value()) out.port_file = *name;
            return true;
        case option_id::allow_anonymous: out.allow_anonymous = true; return true;
        case option_id::verbose: out.verbose = true; return true;
        default: return false;
    }
}

class log_to_standard_error : public broker_log {
public:
    void write(log_level, std::string_view line) override { complain(line); }
};

/// "127.0.0.1:1883", "[::1]:1883", "unix:/path"
std::string listener_text(const endpoint& where) {
    if (where.scheme == scheme::unix_socket) return "unix:" + where.path;
    const bool v6 = where.host.find(':') != std::string::npos;
    return (v6 ? '[' + where.host + ']' : where.host) + ':' + std::to_string(where.port);
}

/// Whoever waits for the file finds it complete or not at all.
bool write_port_file(const std::string& name, std::uint16_t port) {
    const std::string unfinished = name + ".new";
    std::FILE* const file = std::fopen(unfinished.c_str(), "w");
    const bool opened = file != nullptr;
    const bool printed = opened && std::fprintf(file, "%u\n", static_cast<unsigned>(port)) > 0;
    const bool closed = opened && std::fclose(file) == 0;
    if (printed && closed && std::rename(unfinished.c_str(), name.c_str()) == 0) return true;
    complain("Error: Unable to write port file \"" + name + "\": " + std::strerror(errno) + '.');
    return false;
}

/// A connection is a descriptor, and the usual soft limit of 1,024 is soon reached.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

class server {
public:
    explicit server(const broker_settings& settings)
        : signals_(io_, SIGINT, SIGTERM), broker_(io_.get_executor(), make_options(settings)), settings_(settings) {}

    int run() {
        for (const std::string& url : settings_.urls) {
            std::string detail;
            const auto where = broker_.listen(url, &detail);
            if (!where) {
                complain("Error: " + (detail.empty() ? url + ": " + describe(where.error()) : detail));
                return exit_failure;
            }
            std::printf("listening on %s\n", listener_text(*where).c_str());
        }
        std::fflush(stdout);
        if (!settings_.port_file.empty() && !write_port_file(settings_.port_file, broker_.port())) return exit_failure;
        watch_signals();
        io_.run();
        return exit_ok;
    }

private:
    static broker_options make_options(const broker_settings& settings) {
        broker_options options;
        options.allow_anonymous_remote = settings.allow_anonymous;
        options.log = std::make_shared<log_to_standard_error>();
        options.log_detail = settings.verbose ? log_level::information : log_level::warning;
        return options;
    }

    // The first signal stops gracefully, the second one at once.
    void watch_signals() {
        signals_.async_wait([this](const error_code& error, int) {
            if (error) return;
            if (is_stopping_) std::_Exit(exit_by_second_signal);
            is_stopping_ = true;
            broker_.stop([this] { io_.stop(); });
            watch_signals();
        });
    }

    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_;
    martlet::broker broker_;
    const broker_settings& settings_;
    bool is_stopping_ = false;
};

}  // namespace

int run_broker(std::span<char* const> arguments, profile p, std::string_view program) {
    broker_settings settings;
    command_line in(arguments, command::broker, p);
    const auto done =
        read_options(in, program, [&](const option& row) { return read_broker_option(row, in, settings); });
    if (done) return *done;
    if (settings.urls.empty()) settings.urls.emplace_back("mqtt://127.0.0.1:1883");
    raise_descriptor_limit();
    return server(settings).run();
}

}  // namespace martlet::cli
