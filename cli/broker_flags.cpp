#include "broker_flags.hpp"

#include "broker_config.hpp"
#include "listener_options.hpp"

#include <martlet/endpoint.hpp>

#include <string>
#include <string_view>

namespace martlet::cli {
namespace {

void read_listen_url(command_line& in, broker_settings& out) {
    const auto url = in.value();
    if (!url) return;
    std::string_view why;
    const auto parsed = parse_endpoint(*url, &why);
    if (!parsed) {
        in.fail("Invalid URL '" + std::string(*url) + "' for --listen: " + std::string(why) + ".");
    } else {
        out.listeners.push_back({std::string(*url), "--listen"});
    }
}

void read_key(command_line& in, broker_settings& out) {
    const auto text = in.value();
    if (!text) return;
    const std::size_t equals = text->find('=');
    if (equals == std::string_view::npos || equals == 0) {
        in.fail("--set wants KEY=VALUE, not '" + std::string(*text) + "'.");
        return;
    }
    std::string why;
    if (!set_broker_key(text->substr(0, equals), text->substr(equals + 1), out, why)) in.fail("--set: " + why + ".");
}

void read_bridge(command_line& in, broker_settings& out) {
    const auto address = in.value();
    if (!address) return;
    bridge_settings made = begin_bridge("bridge-" + std::to_string(out.bridges.size() + 1), "--bridge");
    std::string why;
    if (!read_bridge_key("address", *address, made, why)) {
        in.fail("Invalid broker for --bridge: " + why + '.');
    } else {
        out.bridges.push_back(std::move(made));
    }
}

void read_bridge_topic(command_line& in, broker_settings& out) {
    const auto topic = in.value();
    if (!topic) return;
    std::string why;
    if (out.bridges.empty()) {
        in.fail("--bridge-topic: there is no --bridge before it.");
    } else if (!read_bridge_key("topic", *topic, out.bridges.back(), why)) {
        in.fail("--bridge-topic: " + why + '.');
    }
}

// What the Paho conformance suite expects of a broker beyond the specification.
void read_preset(command_line& in, broker_settings& out) {
    const auto name = in.value();
    if (!name) return;
    if (*name != "paho") {
        in.fail("Unknown preset '" + std::string(*name) + "'; there is: paho.");
        return;
    }
    out.options.deny_subscribe.push_back({"test/nosubscribe", reason_code::unspecified_error});
    out.options.keep_alive_max = 60;
    out.options.receive_maximum = 20;          // the suite sends one more, and expects DISCONNECT 0x93
    out.options.topic_alias_maximum_out = 10;  // and aliases from us
}

}  // namespace

bool read_broker_option(const option& row, command_line& in, broker_settings& out) {
    const auto text = [&](std::string& field) {
        if (const auto value = in.value()) field = *value;
        return true;
    };
    switch (row.id) {
        case option_id::listen_port:
            if (const auto port = in.number(0, 65'535, "Invalid port given: {}")) {
                out.listeners.push_back({"mqtt://127.0.0.1:" + std::to_string(*port), "-p"});
            }
            return true;
        case option_id::listen_url: read_listen_url(in, out); return true;
        case option_id::port_file: return text(out.port_file);
        case option_id::store_file: return text(out.store_file);
        case option_id::durability:
            text(out.durability);
            if (out.durability != "sync" && out.durability != "normal" && out.durability != "memory") {
                in.fail("Invalid mode '" + out.durability + "' for --durability: sync, normal or memory.");
            }
            return true;
        case option_id::config_file: static_cast<void>(in.value()); return true;  // read before the flags
        case option_id::test_config: out.test_config = true; return true;
        case option_id::set_key: read_key(in, out); return true;
        case option_id::preset: read_preset(in, out); return true;
        case option_id::json_ready: out.json_ready = true; return true;
        case option_id::once: out.once = true; return true;
        case option_id::bridge: read_bridge(in, out); return true;
        case option_id::bridge_topic: read_bridge_topic(in, out); return true;
        case option_id::exit_after:
            if (const auto value = in.value()) {
                if (const auto seconds = parse_seconds(*value)) {
                    out.exit_after = std::chrono::duration<double>(*seconds);
                } else {
                    in.fail("Invalid time given for --exit-after: " + std::string(*value));
                }
            }
            return true;
        case option_id::log_format:
            if (const auto value = in.value()) {
                std::string why;
                if (!set_broker_key("log_format", *value, out, why))
                    in.fail("--log: '" + std::string(*value) + "' is not text or json.");
            }
            return true;
        case option_id::http_port:
            if (const auto port = in.number(0, 65'535, "Invalid port given: {}")) {
                out.http_port = static_cast<std::uint16_t>(*port);
            }
            return true;
        case option_id::strict: out.strict = true; return true;
        case option_id::accounts_file: return text(out.accounts.password_file);
        case option_id::acl_file: return text(out.accounts.acl_file);
        case option_id::allow_anonymous: out.allow_anonymous = true; return true;
        case option_id::verbose: out.verbosity = 2; return true;
        default: return read_fault_option(row, in, out.faults) || read_listener_option(row, in, out);
    }
}

}  // namespace martlet::cli
