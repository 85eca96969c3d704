// Where received messages live: records one behind the other in a counted piece of memory. A record is written once by
// the inbox and never changes, so messages may be read on any thread.
#pragma once

#include <martlet/core/codec.hpp>
#include <martlet/core/received.hpp>
#include <martlet/message.hpp>
#include <martlet/packets.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace martlet::detail {

/// A received message in memory. Behind it stands the body of a PUBLISH of QoS 0 in MQTT 5, whatever it came in: topic
/// with its length, properties as they came with their length, payload. So nothing is taken apart before somebody asks.
struct message_record {
    core::receipt receipt = 0;
    std::uint32_t payload_size = 0;
    std::uint32_t section_size = 0;
    std::uint16_t topic_size = 0;
    std::uint16_t packet_id = 0;
    std::uint16_t topic_alias = 0;  // 0: none
    martlet::qos qos = martlet::qos::at_most_once;
    bool retain : 1 = false;
    bool dup : 1 = false;
    bool counted : 1 = false;  // against the count of its inbox: QoS 0, and everything before MQTT 5

    static constexpr std::size_t topic_at = 2;
    [[nodiscard]] std::size_t payload_at() const noexcept {
        return topic_at + topic_size + core::variable_byte_integer_size(section_size) + section_size;
    }
    [[nodiscard]] std::string_view body() const noexcept {
        return {reinterpret_cast<const char*>(this + 1), payload_at() + payload_size};
    }
    [[nodiscard]] std::string_view topic() const noexcept { return body().substr(topic_at, topic_size); }
    [[nodiscard]] std::string_view payload() const noexcept { return body().substr(payload_at()); }
    [[nodiscard]] std::size_t size() const noexcept { return sizeof(message_record) + payload_at() + payload_size; }
};

/// For the inbox. Requires: a message.
struct message_access {
    [[nodiscard]] static const message_record& record(const message& m) noexcept { return *m.record_; }
};

/// Counted memory for records. The count is atomic: messages travel between threads.
class message_chunk {
public:
    /// One owner.
    [[nodiscard]] static boost::intrusive_ptr<message_chunk> create(std::size_t capacity);

    [[nodiscard]] std::size_t room() const noexcept { return capacity_ - used_; }
    /// True if nobody but the caller holds it: it may be rewound.
    [[nodiscard]] bool is_unique() const noexcept { return owners_.load(std::memory_order_acquire) == 1; }
    void rewind() noexcept { used_ = 0; }
    /// Appends a record. Requires room for record_size(from).
    const message_record* append(const packets::publish& from, core::receipt receipt, bool counted) noexcept;

private:
    friend void intrusive_ptr_add_ref(const message_chunk* chunk) noexcept;
    friend void intrusive_ptr_release(const message_chunk* chunk) noexcept;

    explicit message_chunk(std::size_t capacity) noexcept : capacity_(capacity) {}
    ~message_chunk() = default;
    [[nodiscard]] char* bytes() noexcept { return reinterpret_cast<char*>(this + 1); }

    mutable std::atomic<std::uint32_t> owners_{0};
    std::size_t capacity_;
    std::size_t used_ = 0;
};

static_assert(sizeof(message_record) % alignof(message_record) == 0 && sizeof(message_chunk) % 8 == 0);

/// Bytes that a record takes in a chunk, padding included.
[[nodiscard]] inline std::size_t record_size(const packets::publish& from) noexcept {
    const auto section_size = from.property_section.size();
    const auto size = sizeof(message_record) + message_record::topic_at + from.topic.size() +
                      core::variable_byte_integer_size(section_size) + section_size + from.payload.size();
    return (size + 7) & ~std::size_t{7};
}

}  // namespace martlet::detail
