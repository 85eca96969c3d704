// Runs of plain messages: what a broker can pass on without looking at each message's meaning, because all of them say the
// same. Anything unusual ends a run, and is left to the way of the single message.
#include "core/wire.hpp"

#include <martlet/core/connection.hpp>
#include <martlet/topic.hpp>

#include <algorithm>

namespace martlet::core {

namespace {

// PUBLISH at QoS 0 without DUP and RETAIN.
constexpr unsigned char plain_publish = 0x30;

struct plain_packet {
    std::size_t size = 0;  // 0: none
    std::size_t payload_size = 0;
    std::string_view topic;
};

// The packet that `bytes` begin with, if it is whole, plain, and small enough to be copied rather than referred to.
plain_packet cut_plain(std::string_view bytes, bool is_v5) noexcept {
    const auto at = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(bytes[i])}; };
    constexpr std::size_t head_max = 5;  // with the topic's length
    if (bytes.size() < head_max || at(0) != plain_publish) return {};
    std::size_t head = 2;
    std::size_t length = at(1);
    if (length >= 0x80) {
        if (at(2) >= 0x80 || at(2) == 0) return {};  // longer than 16,383 bytes, or than it needs to be
        length = (length & 0x7F) | at(2) << 7;
        head = 3;
    }
    const std::size_t size = head + length;
    const std::size_t topic_size = at(head) << 8 | at(head + 1);
    const std::size_t begin = 2 + topic_size + (is_v5 ? 1 : 0);  // of the payload
    if (size > bytes.size() || size >= output::share_size_min || topic_size == 0 || length < begin) return {};
    if (is_v5 && at(head + begin - 1) != 0) return {};  // properties
    return {size, length - begin, {bytes.data() + head + 2, topic_size}};
}

}  // namespace

bool next_of_run(std::string_view& rest, bool is_v5, packets::publish& out, std::string_view& packet) noexcept {
    const plain_packet first = cut_plain(rest, is_v5);
    if (first.size == 0) return false;
    packet = rest.substr(0, first.size);
    rest.remove_prefix(first.size);
    out = {};
    out.topic = first.topic;
    out.payload = packet.substr(first.size - first.payload_size);
    return true;
}

bool connection::peek_run(plain_run& out) noexcept {
    if (role_ != role::broker || state_ != connection_state::open) return false;
    const std::string_view in = input_.in_place();
    const bool is_v5 = version_ == protocol_version::v5;
    plain_packet packet{out.seen_size, out.seen_payload_size, out.seen_topic};
    if (out.seen_at != in.data()) packet = cut_plain(in, is_v5);
    if (packet.size == 0 || packet.size > limits_.packet_size_max) return false;

    out.topic = packet.topic;
    out.count = 0;
    out.payload_size = out.payload_size_max = out.packet_size_max = 0;
    std::size_t size = 0;
    do {
        size += packet.size;
        ++out.count;
        out.payload_size += packet.payload_size;
        out.payload_size_max = std::max(out.payload_size_max, packet.payload_size);
        out.packet_size_max = std::max(out.packet_size_max, packet.size);
        packet = cut_plain(in.substr(size), is_v5);
    } while (packet.size != 0 && packet.size <= limits_.packet_size_max && is_equal(packet.topic, out.topic));
    out.packets = in.substr(0, size);
    out.seen_at = packet.size != 0 ? in.data() + size : nullptr;
    out.seen_size = packet.size;
    out.seen_payload_size = packet.payload_size;
    out.seen_topic = packet.topic;
    return true;
}

bool connection::check_topic(std::string_view topic) const noexcept {
    return is_equal(topic, last_topic_) ||
           (is_valid_topic_name(topic) && topic_levels(topic) <= limits_.topic_levels_max);
}

}  // namespace martlet::core
