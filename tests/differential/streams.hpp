// What a client may send to a broker, legal or not, from a seed.
#pragma once

#include "support/packet_generator.hpp"

#include <martlet/packets.hpp>
#include <martlet/types.hpp>

#include <array>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace martlet::differential {

/// The packets of one client, each of them as bytes, with some of them spoilt. The same seed makes the same.
class stream_maker {
public:
    explicit stream_maker(std::uint64_t seed);

    [[nodiscard]] protocol_version version() const noexcept { return version_; }
    /// What all topics and filters of this seed begin with.
    [[nodiscard]] const std::string& prefix() const noexcept { return prefix_; }
    [[nodiscard]] const std::string& client_id() const noexcept { return client_id_; }
    /// How often something happens, and such.
    [[nodiscard]] test::packet_generator& dice() noexcept { return dice_; }

    /// The first packet of a connection, spoilt in one of eight.
    [[nodiscard]] std::string connect(bool clean_start);
    /// A later one, spoilt in one of three.
    [[nodiscard]] std::string next();
    /// A topic of this seed; may have been used before.
    [[nodiscard]] std::string topic();

private:
    [[nodiscard]] packet any_packet();
    [[nodiscard]] packets::publish publish();
    [[nodiscard]] packets::subscribe subscribe();
    [[nodiscard]] std::string filter();
    [[nodiscard]] packet_id id() { return packet_id{static_cast<std::uint16_t>(1 + dice_.below(3))}; }
    template <packet_type Type>
    [[nodiscard]] packets::publish_ack<Type> ack(packet_id of);
    [[nodiscard]] user_property_list user_properties();
    [[nodiscard]] message_properties properties_of_message();
    [[nodiscard]] std::string_view keep(std::string text);
    [[nodiscard]] std::string spoilt(std::string bytes);
    void spoil(std::string& body);

    test::packet_generator dice_;
    protocol_version version_;
    std::string prefix_;
    std::string client_id_;
    std::deque<std::string> texts_;
    std::array<user_property, 2> pairs_{{{"name", "value"}, {"", "\xC3\xA4"}}};
};

}  // namespace martlet::differential
