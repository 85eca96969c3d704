// Plain PUBLISH packets: no DUP, no RETAIN, no properties, and small. What a broker can pass on as it came, without an
// event for each; anything else is left to connection::next_event(). MQTT 5 §3.3.
#pragma once

#include <martlet/core/output.hpp>
#include <martlet/types.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace martlet::core {

/// One of them. The topic is not validated.
struct plain_packet {
    std::string_view topic;
    std::size_t size = 0;          ///< of all of it; 0: there is none
    std::size_t payload_size = 0;  ///< the payload stands at the end
};

/// Cuts plain packets of one QoS and encoding.
class plain_cutter {
public:
    /// `first` is the first byte of the packets: one of 0x30, 0x32 and 0x34.
    plain_cutter(char first, bool is_v5, std::size_t packet_size_max) noexcept
        : first_(static_cast<unsigned char>(first)),
          id_size_(first_ == 0x30 ? 0 : 2),
          property_length_size_(is_v5 ? 1 : 0),
          size_max_(std::min(packet_size_max, output::share_size_min - 1)) {}

    [[nodiscard]] martlet::qos qos() const noexcept {
        return martlet::qos{static_cast<unsigned char>(first_ >> 1 & 3)};
    }

    /// The packet that `bytes` begin with, if it is whole, plain and of this QoS.
    [[nodiscard]] plain_packet cut(std::string_view bytes) const noexcept {
        const auto at = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(bytes[i])}; };
        constexpr std::size_t head_max = 5;  // with the topic's length
        if (bytes.size() < head_max || at(0) != first_) return {};
        std::size_t head = 2;
        std::size_t length = at(1);
        if (length >= 0x80) {
            if (at(2) >= 0x80 || at(2) == 0) return {};  // longer than 16,383 bytes, or than it needs to be
            length = (length & 0x7F) | at(2) << 7;
            head = 3;
        }
        const std::size_t size = head + length;
        const std::size_t topic_size = at(head) << 8 | at(head + 1);
        const std::size_t begin = 2 + topic_size + id_size_ + property_length_size_;  // of the payload
        if (size > bytes.size() || size > size_max_ || topic_size == 0 || length < begin) return {};
        if (property_length_size_ != 0 && at(head + begin - 1) != 0) return {};
        const plain_packet found{{bytes.data() + head + 2, topic_size}, size, length - begin};
        if (id_size_ != 0 && id_of(found) == packet_id::none) return {};
        return found;
    }

    /// Of a packet with QoS 1 or 2.
    [[nodiscard]] static packet_id id_of(const plain_packet& p) noexcept {
        const auto* const at = reinterpret_cast<const unsigned char*>(p.topic.data() + p.topic.size());
        return packet_id{static_cast<std::uint16_t>(at[0] << 8 | at[1])};
    }

private:
    unsigned first_;
    std::size_t id_size_;
    std::size_t property_length_size_;
    std::size_t size_max_;
};

/// Plain packets at QoS 0, back to back, that go to the same receivers.
struct plain_run {
    std::string_view packets;
    std::size_t count = 0;
    std::size_t payload_size = 0;     ///< of all
    std::size_t packet_size_max = 0;  ///< of one

    void add(const plain_packet& p) noexcept {
        packets = {packets.data(), packets.size() + p.size};
        ++count;
        payload_size += p.payload_size;
        packet_size_max = std::max(packet_size_max, p.size);
    }
};

}  // namespace martlet::core
