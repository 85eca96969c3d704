// What a broker is told, by flags and by a configuration file alike.
#pragma once

#include "bridge_block.hpp"
#include "fault_options.hpp"

#include <martlet/accounts.hpp>
#include <martlet/broker_options.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace martlet::cli {

class psk_table;

enum class log_form : std::uint8_t { text, json };

/// A listener as the configuration file says it; flags give a whole URL.
struct listener_settings {
    std::string url;
    std::string where;                             ///< "broker.conf:12" or "-p": for complaints
    std::optional<listener_options> options = {};  ///< nothing: those of the whole broker
    accounts_options accounts = {};                ///< with per_listener_settings
    std::optional<bool> allow_anonymous = {};      ///< likewise
    std::shared_ptr<psk_table> psk = {};
};

struct broker_settings {
    std::vector<listener_settings> listeners;
    broker_options options{.sys_interval = std::chrono::seconds(10)};  // mosquitto's
    accounts_options accounts;
    std::optional<bool> allow_anonymous;  ///< nobody has said: this machine's clients, if there are no passwords
    std::string config_file;
    std::string port_file;
    std::optional<std::uint16_t> http_port;
    std::string tls_auto;  ///< folder of certificates made on the spot; empty: none
    std::vector<bridge_settings> bridges;
    fault_settings faults;
    std::string store_file;
    bool persistence = false;  ///< of the file: with persistence_location and persistence_file it makes a store_file
    std::string persistence_location;
    std::string persistence_file = "martlet.db";
    std::string durability;  ///< sync, normal or memory; empty: not given
    std::optional<std::chrono::duration<double>> exit_after;
    log_form log = log_form::text;
    bool per_listener_settings = false;  ///< users and rights are those of each listener
    unsigned verbosity = 0;              ///< 0 warnings, 1 connections, 2 (-v) packets, too
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
