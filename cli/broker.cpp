#include "broker.hpp"

#include "bridges.hpp"
#include "broker_config.hpp"
#include "broker_flags.hpp"
#include "broker_log.hpp"
#include "broker_settings.hpp"
#include "command_line.hpp"
#include "exit_code.hpp"
#include "failure.hpp"
#if MARTLET_AUTH
#    include "listener_accounts.hpp"
#endif
#include "listener_options.hpp"
#include "listening.hpp"
#include "psk_file.hpp"

#include <martlet/broker.hpp>
#include <martlet/http_status.hpp>
#include <martlet/sqlite_store.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/resource.h>
#include <utility>
#include <vector>

namespace martlet::cli {
namespace {

/// A connection is a descriptor, and the usual soft limit of 1,024 is soon reached.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

class server {
public:
    server(const broker_settings& settings, std::function<bool(broker_settings&, std::string&)> read_again)
        : settings_(settings),
          read_again_(std::move(read_again)),
          log_(std::make_shared<standard_error_log>(settings.log)),
          signals_(io_, SIGINT, SIGTERM),
          hang_ups_(io_, SIGHUP),
          timer_(io_) {}

    int run() {
        broker_options options = settings_.options;
        std::string why;
        if (!make_accounts(options, why)) return fail(why);
        if (!settings_.bridges.empty() && options.authenticator != nullptr) {
            const auto number = static_cast<std::uint16_t>(settings_.listeners.size() + 1);  // theirs comes last
            options.authenticator = trusting(options.authenticator, number, settings_.bridges);
        }
        options.log = log_;
        options.log_detail = settings_.verbosity > 1   ? log_level::debug
                             : settings_.verbosity > 0 ? log_level::information
                             : settings_.quiet         ? log_level::error
                                                       : log_level::warning;
        if (settings_.strict) {
            options.on_violation = [this](const violation& v) { on_violation(v); };
        }
        if (!settings_.faults.rules.empty()) options.faults = make_faults(settings_.faults);
        if (!open_store(options, why)) return fail(why);
        broker_.emplace(io_.get_executor(), options);
        if (options.store != nullptr) {  // who can connect finds everything in its place
            broker_->when_loaded([this] { is_loaded_ = true; });
            while (!is_loaded_ && !has_store_failed_)
                io_.run_one();
            if (has_store_failed_) return exit_failure;
            io_.restart();
        }
        std::vector<endpoint> places;
        for (const listener_settings& l : settings_.listeners) {
            const auto where = l.options ? broker_->listen(l.url, *l.options, &why) : broker_->listen(l.url, &why);
            if (!where) return fail(why.empty() ? l.url + ": " + describe(where.error()) : why);
            places.push_back(*where);
        }
        if (!bridges_.start(*broker_, settings_.bridges, log_, why)) return fail(why);
        std::uint16_t http_port = 0;
        if (settings_.http_port) {
            const auto got = http_.emplace(*broker_).listen(*settings_.http_port);
            if (!got) return fail("--http " + std::to_string(*settings_.http_port) + ": " + describe(got.error()));
            http_port = *got;
        }
        print_ready(places, http_port, settings_.json_ready);
        if (!settings_.port_file.empty() && !write_port_file(settings_.port_file, broker_->port())) return exit_failure;
        watch_signals();
        watch_hang_ups();
        watch_end();
        io_.run();
        if (has_store_failed_) return exit_failure;
        return violations_ != 0 ? exit_protocol_error : exit_ok;
    }

private:
    static int fail(const std::string& why) {
        complain("Error: " + why);
        return exit_failure;
    }

    bool make_accounts(broker_options& options, std::string& why) {
        if (!settings_.wants_accounts() && !settings_.per_listener_settings) return true;
#if MARTLET_AUTH
        if (settings_.per_listener_settings) {
            listener_accounts_ = listener_accounts::open(io_.get_executor(), settings_, why);
            options.authenticator = listener_accounts_;
            return listener_accounts_ != nullptr;
        }
        accounts_ = accounts::open(io_.get_executor(), settings_.accounts, &why);
        options.authenticator = accounts_;
        return accounts_ != nullptr;
#else
        static_cast<void>(options);
        why = "this martlet was built without password and ACL files (MARTLET_AUTH)";
        return false;
#endif
    }

    bool open_store(broker_options& options, std::string& why) {
        if (settings_.store_file.empty()) {
            if (settings_.durability.empty() || settings_.durability == "memory") return true;
            why = "--durability " + settings_.durability + " needs --store FILE.";
            return false;
        }
        if (settings_.durability == "memory") {
            why = "--durability memory keeps nothing: leave --store out.";
            return false;
        }
#ifdef MARTLET_WITH_SQLITE
        options.store = sqlite_store(settings_.store_file,
                                     {settings_.durability == "normal" ? durability::normal : durability::sync});
        options.on_store_failed = [this](error_code, std::string_view) {  // the log has said why
            has_store_failed_ = true;
            io_.stop();
        };
        return true;
#else
        static_cast<void>(options);
        why = "--store: this build has no SQLite.";
        return false;
#endif
    }

    void on_violation(const violation& v) {
        ++violations_;
        log_->write(log_level::error, "Client " + std::string(v.client_id.empty() ? "(unknown)" : v.client_id) + " [" +
                                          std::string(v.address) + "] violates [" +
                                          std::string(v.rule.empty() ? "malformed packet" : v.rule) +
                                          "]: " + std::string(v.text));
    }

    // The first signal stops gracefully, the second one at once.
    void watch_signals() {
        signals_.async_wait([this](const error_code& error, int) {
            if (error) return;
            if (is_stopping_) std::_Exit(exit_by_second_signal);
            stop();
            watch_signals();
        });
    }

    void stop() {
        if (std::exchange(is_stopping_, true)) return;
        bridges_.stop();
        broker_->stop([this] { io_.stop(); });
    }

    // All of the new configuration, or the old one goes on.
    void watch_hang_ups() {
        hang_ups_.async_wait([this](const error_code& error, int) {
            if (error) return;
            std::string why;
            const bool reloaded = reload(why);
            log_->write(reloaded ? log_level::warning : log_level::error,
                        reloaded ? "Configuration reloaded." : "Configuration not reloaded, the old one stays: " + why);
            watch_hang_ups();
        });
    }

    bool reload(std::string& why) {
        broker_settings fresh;
        if (!read_again_(fresh, why)) return false;
#if MARTLET_AUTH
        if (listener_accounts_ != nullptr) {
            if (!listener_accounts_->reload(fresh, why)) return false;
            broker_->apply_rights();
        } else if (accounts_ != nullptr) {
            if (!accounts_->reload(fresh.accounts, &why)) return false;
            broker_->apply_rights();
        } else if (fresh.wants_accounts()) {
            why = "users and rights cannot be switched on while it runs";
            return false;
        }
#endif
        for (std::size_t i = 0; i < settings_.listeners.size() && i < fresh.listeners.size(); ++i) {
            const auto& present = settings_.listeners[i].psk;
            if (present != nullptr && fresh.listeners[i].psk != nullptr) present->replace(*fresh.listeners[i].psk);
        }
        return !broker_->reload_tls(&why);
    }

    // --once and --exit-after.
    void watch_end() {
        if (settings_.exit_after) {
            exit_at_ = std::chrono::steady_clock::now() +
                       std::chrono::duration_cast<std::chrono::steady_clock::duration>(*settings_.exit_after);
        }
        if (settings_.once || exit_at_) poll_end();
    }

    void poll_end() {
        auto next = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
        if (!settings_.once) next = *exit_at_;
        if (exit_at_) next = std::min(next, *exit_at_);
        timer_.expires_at(next);
        timer_.async_wait([this](const error_code& error) {
            if (error) return;
            const auto now = broker_->statistics();
            const bool is_over = settings_.once && now.connections == 0 && now.connections_accepted != 0;
            if (is_over || (exit_at_ && std::chrono::steady_clock::now() >= *exit_at_)) return stop();
            poll_end();
        });
    }

    const broker_settings& settings_;
    std::function<bool(broker_settings&, std::string&)> read_again_;
    std::shared_ptr<standard_error_log> log_;
    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_;
    boost::asio::signal_set hang_ups_;
    boost::asio::steady_timer timer_;
#if MARTLET_AUTH
    std::shared_ptr<accounts> accounts_;
    std::shared_ptr<listener_accounts> listener_accounts_;
#endif
    std::optional<martlet::broker> broker_;
    bridges bridges_;
    std::optional<http_status> http_;  // before the broker goes
    std::optional<std::chrono::steady_clock::time_point> exit_at_;
    std::uint64_t violations_ = 0;
    bool has_store_failed_ = false;
    bool is_stopping_ = false;
    bool is_loaded_ = false;
};

/// The configuration file, and over it the flags; both have been read once, so flags are right.
bool read_settings(std::span<char* const> arguments, profile p, const std::string& config_file, broker_settings& out,
                   std::string& why) {
    if (!config_file.empty()) {
        out.config_file = config_file;
        if (!read_broker_config(config_file, out, why)) return false;
    }
    command_line in(arguments, command::broker, p);
    bool own_listeners = true;
    while (const option* const row = in.next()) {
        if ((row->id == option_id::listen_port || row->id == option_id::listen_url) &&
            std::exchange(own_listeners, false)) {
            out.listeners.clear();  // the flags' instead of the file's
        }
        static_cast<void>(read_broker_option(*row, in, out));
    }
    complete(out);
    return true;
}

/// As far as it goes without listening.
bool check_settings(const broker_settings& settings, std::string& why) {
    for (const listener_settings& l : settings.listeners) {
        std::string_view problem;
        if (parse_endpoint(l.url, &problem)) continue;
        why = l.where + ": " + l.url + ": " + std::string(problem);
        return false;
    }
    if (!check_listener_options(settings, why)) return false;
    for (const bridge_settings& one : settings.bridges) {
        if (!check_bridge(one, why)) return false;
    }
    const bool has_flags = settings.wants_accounts() || settings.allow_anonymous.has_value() ||
                           std::any_of(settings.listeners.begin(), settings.listeners.end(),
                                       [](const listener_settings& l) { return !l.options; });
    if (settings.per_listener_settings && has_flags) {
        why = "with per_listener_settings listeners, users and rights stand in the configuration file only";
        return false;
    }
#if MARTLET_AUTH
    boost::asio::io_context io;
    if (settings.per_listener_settings) return listener_accounts::open(io.get_executor(), settings, why) != nullptr;
    if (settings.wants_accounts() && accounts::open(io.get_executor(), settings.accounts, &why) == nullptr)
        return false;
#endif
    return true;
}

}  // namespace

int run_broker(std::span<char* const> arguments, profile p, std::string_view program) {
    broker_settings flags;
    std::string config_file;
    command_line in(arguments, command::broker, p);
    const auto done = read_options(in, program, [&](const option& row) {
        if (row.id != option_id::config_file) return read_broker_option(row, in, flags);
        if (const auto name = in.value()) config_file = *name;
        return true;
    });
    if (done) return *done;

    const auto read = [&](broker_settings& to, std::string& why) {
        return read_settings(arguments, p, config_file, to, why) && check_settings(to, why);
    };
    broker_settings settings;
    std::string why;
    if (!read(settings, why)) {
        complain("Error: " + why);
        return exit_failure;
    }
    if (settings.test_config) {
        std::printf("The configuration is right.\n");
        return exit_ok;
    }
    std::string told;
    if (!provide_certificates(settings, told, why)) {
        complain("Error: " + why);
        return exit_failure;
    }
    if (!told.empty() && !settings.quiet) complain(told);
    raise_descriptor_limit();
    return server(settings, read).run();
}

}  // namespace martlet::cli
