// Legal packets of every type, version and sender, at random from a seed.
#pragma once

#include <martlet/packets.hpp>
#include <martlet/types.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::test {

/// True if `sender` may send packets of this type in this version.
[[nodiscard]] bool may_send(role sender, packet_type type, protocol_version version);

/// Makes packets that the specification allows, in the form in which decoding gives them back: what a version does not
/// have is at its default. The same seed makes the same packets on every machine.
class packet_generator {
public:
    explicit packet_generator(std::uint64_t seed) : state_(seed) {}

    /// A packet that may_send(). Its views are valid until forget() or the end of the generator.
    [[nodiscard]] packet next(packet_type type, protocol_version version, role sender);

    /// The same, of any type.
    [[nodiscard]] packet next(protocol_version version, role sender);

    /// Frees what the packets so far refer to.
    void forget();

    // Parts, for those who build their own.

    /// 0 <= result < bound.
    [[nodiscard]] std::uint64_t below(std::uint64_t bound);
    [[nodiscard]] bool chance(std::uint64_t one_in) { return below(one_in) == 0; }
    [[nodiscard]] bool coin() { return chance(2); }

    /// Well-formed UTF-8 without U+0000: mostly short and ASCII, sometimes long or from all planes.
    [[nodiscard]] std::string_view text();
    [[nodiscard]] std::string_view binary();
    [[nodiscard]] std::string_view topic_name();
    [[nodiscard]] std::string_view topic_filter();
    [[nodiscard]] message_properties properties_of_message();

private:
    [[nodiscard]] std::uint64_t random();
    [[nodiscard]] std::string_view keep(std::string text);
    [[nodiscard]] std::size_t size();
    void append_character(std::string& out);
    [[nodiscard]] std::string_view level();

    [[nodiscard]] std::uint16_t u16_above(std::uint16_t least);
    [[nodiscard]] std::uint32_t u32();
    [[nodiscard]] std::uint32_t subscription_identifier();
    [[nodiscard]] packet_id id() { return packet_id{u16_above(1)}; }
    [[nodiscard]] qos any_qos() { return static_cast<qos>(below(3)); }
    [[nodiscard]] reason_code one_of(std::string_view codes);
    [[nodiscard]] user_property_list user_properties();
    [[nodiscard]] ack_properties properties_of_ack();

    [[nodiscard]] packets::connect connect(protocol_version version);
    [[nodiscard]] packets::connack connack(protocol_version version);
    [[nodiscard]] packets::publish publish(protocol_version version, role sender);
    template <packet_type Type>
    [[nodiscard]] packets::publish_ack<Type> publish_ack(protocol_version version, std::string_view reasons);
    [[nodiscard]] packets::subscribe subscribe(protocol_version version);
    [[nodiscard]] packets::suback suback(protocol_version version);
    [[nodiscard]] packets::unsubscribe unsubscribe(protocol_version version);
    [[nodiscard]] packets::unsuback unsuback(protocol_version version);
    [[nodiscard]] packets::disconnect disconnect(protocol_version version, role sender);
    [[nodiscard]] packets::auth auth(role sender);

    /// Sets an optional half of the time.
    template <class Value, class Make>
    void maybe(std::optional<Value>& member, const Make& make) {
        if (coin()) member = make();
    }

    std::uint64_t state_;
    std::deque<std::string> texts_;
    std::deque<std::vector<user_property>> pairs_;
    std::deque<std::vector<std::uint32_t>> numbers_;
};

}  // namespace martlet::test
