#include "decode.hpp"

#include "capture_file.hpp"
#include "command_line.hpp"
#include "exit_code.hpp"
#include "failure.hpp"
#include "json_text.hpp"
#include "packet_fields.hpp"
#include "payload_source.hpp"
#include "payload_text.hpp"

#include <martlet/core/codec.hpp>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace martlet::cli {
namespace {

constexpr std::size_t connections_max = 100'000;

struct decode_settings {
    protocol_version version = protocol_version::v5;
    bool json = false;
};

void print(const std::string& line) { std::fwrite(line.data(), 1, line.size(), stdout); }

/// The packet for whichever role may receive it: SUBACK is for clients, SUBSCRIBE for brokers.
fault decode_for_anybody(const core::frame& f, protocol_version version, packet& out) {
    const fault to_broker = core::decode(f, version, role::broker, out);
    if (!to_broker) return to_broker;
    packet other;
    const fault to_client = core::decode(f, version, role::client, other);
    if (to_client)
        return f.type == packet_type::connack || f.type == packet_type::suback || f.type == packet_type::unsuback ||
                       f.type == packet_type::pingresp
                   ? to_client
                   : to_broker;
    out = std::move(other);
    return {};
}

/// Bytes of one direction to lines. The version of a connection is what its CONNECT says.
class stream_printer {
public:
    stream_printer(const decode_settings& settings, std::string prefix)
        : settings_(settings), prefix_(std::move(prefix)) {}

    /// False: these bytes are not MQTT; what follows is not looked at.
    bool add(std::string_view bytes, protocol_version& version, const std::string& when) {
        if (is_lost_) return false;
        rest_ += bytes;
        std::string_view view = rest_;
        while (!view.empty()) {
            core::frame f;
            fault why;
            std::size_t hint = 0;
            const auto status = core::cut_frame(view, version, payload_size_max + 5, f, why, hint);
            if (status == core::frame_status::incomplete) break;
            if (status == core::frame_status::faulty) {
                tell_fault(why, when);
                is_lost_ = true;
                return false;
            }
            packet p;
            if (const fault wrong = decode_for_anybody(f, version, p)) {
                tell_fault(wrong, when, to_string(f.type));
                had_fault_ = true;
            } else {
                if (const auto* const c = std::get_if<packets::connect>(&p)) version = c->version;
                tell(p, version, when);
            }
            view.remove_prefix(f.packet.size());
        }
        rest_.erase(0, rest_.size() - view.size());
        return true;
    }

    void restart() {
        rest_.clear();
        is_lost_ = false;
    }
    [[nodiscard]] std::size_t left() const noexcept { return rest_.size(); }
    [[nodiscard]] bool had_fault() const noexcept { return is_lost_ || had_fault_; }

private:
    void tell(const packet& p, protocol_version version, const std::string& when) const {
        if (!settings_.json) return print(when + prefix_ + packet_line(p, version) + '\n');
        std::string line = "{\"schema\":\"martlet.decode/1\",";
        if (!prefix_.empty()) {
            line += "\"time\":" + when + ",\"connection\":";
            append_json_string(prefix_, line);
            line += ',';
        }
        print(line + packet_json(p, version).substr(1) + '\n');
    }

    void tell_fault(const fault& why, const std::string& when, std::string_view type = "") const {
        const std::string text = std::string(why.text) + (why.rule.empty() ? "" : " [" + std::string(why.rule) + "]");
        if (!settings_.json) {
            return print(when + prefix_ + "MALFORMED " + std::string(type) + (type.empty() ? "" : " ") + text + '\n');
        }
        std::string line = "{\"schema\":\"martlet.decode/1\",\"type\":\"MALFORMED\",\"packet\":";
        append_json_string(type, line);
        line += ",\"text\":";
        append_json_string(text, line);
        print(line + "}\n");
    }

    const decode_settings& settings_;
    std::string prefix_;
    std::string rest_;
    bool is_lost_ = false;
    bool had_fault_ = false;
};

int decode_hex_text(std::string_view text, const decode_settings& settings) {
    const auto bytes = decode_hex(text);
    if (!bytes) {
        complain("Error: This is neither a pcap file nor hex: it takes pairs of the digits 0-9 and a-f.");
        return exit_failure;
    }
    protocol_version version = settings.version;
    stream_printer out(settings, "");
    out.add(*bytes, version, "");
    if (out.left() > 0 && !out.had_fault()) {
        complain("Error: " + std::to_string(out.left()) + " bytes at the end are an incomplete packet.");
        return exit_malformed_packet;
    }
    return out.had_fault() ? exit_malformed_packet : exit_ok;
}

int decode_capture(std::string_view file, const decode_settings& settings) {
    struct direction {
        stream_printer out;
        std::pair<std::string, std::string> connection;
    };
    std::map<std::pair<std::string, std::string>, direction> directions;
    std::map<std::pair<std::string, std::string>, protocol_version> versions;
    const std::string complaint = read_capture(file, [&](const captured_bytes& piece) {
        const std::pair<std::string, std::string> key = {piece.from, piece.to};
        auto at = directions.find(key);
        if (at == directions.end()) {
            if (directions.size() >= connections_max) return;
            const std::string prefix =
                settings.json ? piece.from + " > " + piece.to : piece.from + " > " + piece.to + "  ";
            const auto both = std::minmax(piece.from, piece.to);
            at = directions.emplace(key, direction{stream_printer(settings, prefix), both}).first;
            versions.emplace(at->second.connection, settings.version);
        }
        if (piece.is_start || piece.has_gap) at->second.out.restart();
        std::array<char, 32> when{};
        if (settings.json) {
            std::snprintf(when.data(), when.size(), "%.6f", piece.time);
        } else {
            const auto seconds = static_cast<std::time_t>(piece.time);
            std::tm parts{};
            localtime_r(&seconds, &parts);
            const std::size_t n = std::strftime(when.data(), when.size(), "%H:%M:%S", &parts);
            std::snprintf(when.data() + n, when.size() - n, ".%06d ",
                          static_cast<int>((piece.time - static_cast<double>(seconds)) * 1e6));
        }
        at->second.out.add(piece.bytes, versions.at(at->second.connection), when.data());
    });
    if (complaint.empty()) return exit_ok;
    complain("Error: The capture cannot be read: " + complaint + '.');
    return exit_failure;
}

bool read_version(command_line& in, protocol_version& out) {
    const std::optional<std::string_view> text = in.value();
    if (!text) return false;
    if (*text == "31" || *text == "mqttv31") {
        out = protocol_version::v3_1;
    } else if (*text == "311" || *text == "mqttv311") {
        out = protocol_version::v3_1_1;
    } else if (*text == "5" || *text == "mqttv5") {
        out = protocol_version::v5;
    } else {
        return in.fail("Invalid protocol version argument given.");
    }
    return true;
}

}  // namespace

int run_decode(std::span<char* const> arguments, profile p, std::string_view program) {
    decode_settings settings;
    command_line in(arguments, command::decode, p);
    in.allow_operands();
    const auto done = read_options(in, program, [&](const option& row) {
        if (row.id == option_id::protocol_version) return read_version(in, settings.version), true;
        settings.json = settings.json || row.id == option_id::json;
        return row.id == option_id::json;
    });
    if (done) return *done;
    if (in.operands().empty()) {
        in.fail("It takes hex digits or the name of a file; - is standard input.");
        return report_usage_error(in, program);
    }
    std::string words;
    for (const std::string_view word : in.operands())
        words.append(words.empty() ? "" : " ").append(word);
    if (words != "-" && decode_hex(words)) return decode_hex_text(words, settings);

    const auto file = read_file(words);
    if (!file) {
        complain("Error: Unable to read file \"" + words + "\": " + std::strerror(errno) + '.');
        return exit_failure;
    }
    return is_capture(*file) ? decode_capture(*file, settings) : decode_hex_text(*file, settings);
}

}  // namespace martlet::cli
