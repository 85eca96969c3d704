// What a broker is told, by flags and by a configuration file alike.
#pragma once

#include <martlet/accounts.hpp>
#include <martlet/broker_options.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace martlet::cli {

enum class log_form : std::uint8_t { text, json };

/// A listener as the configuration file says it; flags give a whole URL.
struct listener_settings {
    std::string url;
    std::string where;  ///< "broker.conf:12" or "-p": for complaints
};

struct broker_settings {
    std::vector<listener_settings> listeners;
    broker_options options;
    accounts_options accounts;
    std::optional<bool> allow_anonymous;  ///< nobody has said: this machine's clients, if there are no passwords
    std::string config_file;
    std::string port_file;
    std::optional<std::uint16_t> http_port;
    std::string tls_auto;  ///< folder of certificates made on the spot; empty: none
    std::string store_file;
    std::string durability;  ///< sync, normal or memory; empty: not given
    std::optional<std::chrono::duration<double>> exit_after;
    log_form log = log_form::text;
    unsigned verbosity = 0;  ///< number of -v: 1 connections and packets
    bool test_config = false;
    bool json_ready = false;
    bool once = false;
    bool strict = false;
    bool quiet = false;

    /// True if clients are asked who they are, or what they may do is written down.
    [[nodiscard]] bool wants_accounts() const noexcept {
        return !accounts.password_file.empty() || !accounts.acl_file.empty() || allow_anonymous == false;
    }
};

/// Fills in what follows from the rest: options.allow_anonymous_remote, accounts.allow_anonymous, a first listener.
void complete(broker_settings& settings);

}  // namespace martlet::cli
