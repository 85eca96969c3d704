#include "differential/reader.hpp"

#include <martlet/core/codec.hpp>
#include <martlet/packets.hpp>

#include <initializer_list>
#include <optional>
#include <variant>

namespace martlet::differential {
namespace {

// Control characters and non-characters: SHOULD NOT be in a string, and a receiver MAY close for them (MQTT 5 §1.5.4).
bool is_special(std::string_view text) {
    for (std::size_t i = 0; i != text.size(); ++i) {
        const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
        const unsigned next = byte(i + 1);
        const unsigned third = byte(i + 2);
        if (byte(i) < 0x20 || byte(i) == 0x7F || (byte(i) == 0xC2 && next >= 0x80 && next < 0xA0)) return true;
        if (byte(i) == 0xEF && next == 0xB7 && third >= 0x90 && third < 0xB0) return true;
        if (next == 0xBF && (third == 0xBE || third == 0xBF) && (byte(i) & 0xCFU) == 0x8F)
            return true;  // U+nFFFE, nFFFF
        if (byte(i) == 0xEF && next == 0xBF && third >= 0xBE) return true;
    }
    return false;
}

bool is_special(const std::optional<std::string_view>& text) { return text && is_special(*text); }
bool is_special(const user_property_list& pairs) {
    for (const auto& [name, value] : pairs) {
        if (is_special(name) || is_special(value)) return true;
    }
    return false;
}
bool is_special(const message_properties& p) {
    return is_special(p.content_type) || is_special(p.response_topic) || is_special(p.user_properties);
}

struct special_finder {
    bool operator()(const packets::connect& c) const {
        return is_special(c.client_id) || is_special(c.user_name) || is_special(c.properties.authentication_method) ||
               is_special(c.properties.user_properties) ||
               (c.will && (is_special(c.will->topic) || is_special(c.will->properties)));
    }
    bool operator()(const packets::publish& p) const { return is_special(p.topic) || is_special(p.properties); }
    bool operator()(const packets::subscribe& s) const {
        for (const auto& each : s.subscriptions) {
            if (is_special(each.filter)) return true;
        }
        return is_special(s.properties.user_properties);
    }
    bool operator()(const packets::unsubscribe& u) const {
        for (const auto each : u.filters) {
            if (is_special(each)) return true;
        }
        return is_special(u.properties.user_properties);
    }
    template <packet_type Type>
    bool operator()(const packets::publish_ack<Type>& a) const {
        return is_special(a.properties.reason_string) || is_special(a.properties.user_properties);
    }
    bool operator()(const packets::disconnect& d) const {
        return is_special(d.properties.reason_string) || is_special(d.properties.user_properties);
    }
    template <class Packet>
    bool operator()(const Packet&) const {
        return false;
    }
};

std::string name(packet_type type) {
    return static_cast<int>(type) == 0 ? std::string("type 0") : std::string(to_string(type));
}
std::string name(const fault& why) {
    return std::string(why.rule.empty() ? "-" : why.rule) + ": " + std::string(why.text);
}

}  // namespace

std::string reader::take(std::string_view bytes) {
    input_ += bytes;
    std::string what = "incomplete";
    bool has_special = false;
    for (;;) {
        core::frame frame;
        fault why;
        std::size_t hint = 0;
        const auto status = core::cut_frame(input_, version_, core::remaining_length_max, frame, why, hint);
        if (status == core::frame_status::incomplete) return what;
        if (status == core::frame_status::faulty) {
            const auto type = static_cast<packet_type>(static_cast<unsigned char>(input_.front()) >> 4);
            return name(type) + ' ' + name(why);
        }
        packet p;
        why = core::decode(frame, version_, role::broker, p);
        if (frame.type == packet_type::connect) {
            version_ = std::get<packets::connect>(p).version;
            if (!why)
                static_cast<void>(core::cut_frame(input_, version_, input_.size(), frame, why, hint));  // its own rules
        }
        what = name(frame.type) + ' ';
        if (why) return what + name(why);
        has_special = has_special || std::visit(special_finder{}, p);
        what += has_special ? "legal, special characters" : "legal";
        input_.erase(0, frame.packet.size());
    }
}

}  // namespace martlet::differential
