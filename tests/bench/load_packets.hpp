// Encoded packets of the load generator: a ring of PUBLISH packets of one size, of which only packet id, number and time
// are written anew before they are sent; bare or each in a masked WebSocket frame.
#pragma once

#include "bench/mqtt_bytes.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace martlet::test {

/// Where the things that differ stand in a payload; all are little-endian.
struct payload_head {
    std::uint32_t publisher;
    std::uint32_t number;
    std::int64_t time;  // when it was to be sent, in an open loop
};
inline constexpr std::size_t payload_size_min = sizeof(payload_head);

struct packet_shape {
    std::size_t payload_size = 64;
    int qos = 0;
    bool is_v5 = false;
    bool in_frames = false;
    bool is_retained = false;
    unsigned topics = 1;
};

inline constexpr std::array<char, 4> mask_key{'\x37', '\xFA', '\x21', '\x3D'};

/// Adds one masked binary frame, RFC 6455 §5.2.
inline void append_frame(std::string& out, std::string_view data) {
    out.push_back('\x82');
    if (data.size() < 126) {
        out.push_back(static_cast<char>(0x80 | data.size()));
    } else if (data.size() < 65'536) {
        out.push_back('\xFE');
        out.push_back(static_cast<char>(data.size() >> 8));
        out.push_back(static_cast<char>(data.size() & 0xFF));
    } else {
        out.push_back('\xFF');
        for (int shift = 56; shift >= 0; shift -= 8)
            out.push_back(static_cast<char>(data.size() >> shift & 0xFF));
    }
    out.append(mask_key.data(), mask_key.size());
    for (std::size_t i = 0; i < data.size(); ++i)
        out.push_back(static_cast<char>(data[i] ^ mask_key[i % 4]));
}

/// The topics of a run have one length: "bench/t" or "bench/0000000" and so on.
inline std::string topic_of(unsigned number, unsigned topics) {
    if (topics == 1) return "bench/t";
    std::string digits = std::to_string(number);
    return "bench/" + std::string(7 - std::min<std::size_t>(7, digits.size()), '0') + digits;
}

class packet_ring {
public:
    packet_ring(const packet_shape& shape, std::uint32_t publisher, std::size_t bytes_max)
        : in_frames_(shape.in_frames) {
        const std::string one = publish(shape, 0);
        const std::size_t header = 1 + remaining_length(one.size()).size();
        head_at_ = one.size() - shape.payload_size;
        if (shape.qos != 0) id_at_ = header + 2 + topic_of(0, shape.topics).size();
        std::string framed = one;
        if (in_frames_) {
            framed.clear();
            append_frame(framed, one);
        }
        frame_head_ = framed.size() - one.size();
        size_ = framed.size();
        count_ = std::max<std::size_t>(bytes_max / size_, 1);
        std::uint32_t random = publisher * 7'919 + 1;
        for (std::size_t i = 0; i < count_; ++i) {
            random = random * 1'664'525 + 1'013'904'223;
            const std::string packet = publish(shape, shape.topics == 1 ? 0 : (random >> 8) % shape.topics);
            in_frames_ ? append_frame(bytes_, packet) : void(bytes_ += packet);
            put(i, head_at_, &publisher, sizeof publisher);
        }
    }

    [[nodiscard]] std::size_t count() const { return count_; }
    [[nodiscard]] std::size_t packet_size() const { return size_; }
    [[nodiscard]] std::string_view packets(std::size_t first, std::size_t count) const {
        return std::string_view(bytes_).substr(first * size_, count * size_);
    }

    void number(std::size_t at, std::uint32_t value) {
        put(at, head_at_ + offsetof(payload_head, number), &value, sizeof value);
        if (id_at_ == 0) return;
        const std::uint32_t id = value % 65'535 + 1;
        const std::array<char, 2> bytes{static_cast<char>(id >> 8), static_cast<char>(id & 0xFF)};
        put(at, id_at_, bytes.data(), bytes.size());
    }
    void time(std::size_t at, std::int64_t value) {
        put(at, head_at_ + offsetof(payload_head, time), &value, sizeof value);
    }

private:
    static std::string publish(const packet_shape& shape, unsigned topic) {
        std::string body = with_length(topic_of(topic, shape.topics));
        if (shape.qos != 0) body += std::string(2, '\0');
        if (shape.is_v5) body.push_back('\0');
        body.append(shape.payload_size, 'x');
        return static_cast<char>(0x30 | shape.qos << 1 | (shape.is_retained ? 1 : 0)) + remaining_length(body.size()) +
               body;
    }

    void put(std::size_t packet, std::size_t at, const void* value, std::size_t size) {
        char* const to = bytes_.data() + packet * size_ + frame_head_ + at;
        if (!in_frames_) {
            std::memcpy(to, value, size);
            return;
        }
        for (std::size_t i = 0; i < size; ++i)
            to[i] = static_cast<char>(static_cast<const char*>(value)[i] ^ mask_key[(at + i) % 4]);
    }

    bool in_frames_;
    std::size_t frame_head_ = 0;
    std::size_t head_at_ = 0;
    std::size_t id_at_ = 0;
    std::size_t size_ = 0;
    std::size_t count_ = 0;
    std::string bytes_;
};

}  // namespace martlet::test
