// Where received messages live: records one behind the other in a counted piece of memory. A record is written once by
// the inbox and never changes, so messages may be read on any thread.
#pragma once

#include <martlet/message.hpp>
#include <martlet/packets.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace martlet::detail {

/// A received message in memory; behind it stand the subscription identifiers, the topic, the properties (in the form of
/// core::encode(message_properties, true)) and the payload.
struct message_record {
    std::uint64_t receipt = 0;
    std::uint32_t payload_size = 0;
    std::uint32_t section_size = 0;
    std::uint32_t identifier_count = 0;
    std::uint16_t topic_size = 0;
    std::uint16_t packet_id = 0;
    std::uint16_t topic_alias = 0;  // 0: none
    martlet::qos qos = martlet::qos::at_most_once;
    bool retain = false;
    bool dup = false;
    bool counted = false;  // against the count of its inbox: QoS 0, and everything before MQTT 5

    [[nodiscard]] const std::uint32_t* identifiers() const noexcept {
        return reinterpret_cast<const std::uint32_t*>(this + 1);
    }
    [[nodiscard]] const char* bytes() const noexcept {
        return reinterpret_cast<const char*>(identifiers() + identifier_count);
    }
    [[nodiscard]] std::string_view topic() const noexcept { return {bytes(), topic_size}; }
    [[nodiscard]] std::string_view section() const noexcept { return {bytes() + topic_size, section_size}; }
    [[nodiscard]] std::string_view payload() const noexcept {
        return {bytes() + topic_size + section_size, payload_size};
    }
    [[nodiscard]] std::size_t size() const noexcept {
        return sizeof(message_record) + identifier_count * sizeof(std::uint32_t) + topic_size + section_size +
               payload_size;
    }
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
    const message_record* append(const packets::publish& from, std::size_t section_size, std::uint64_t receipt,
                                 bool counted) noexcept;

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

/// Bytes that the properties of a received message take in a record; 0 if it has none.
[[nodiscard]] std::size_t section_size_of(const packets::publish& from) noexcept;

/// Bytes that a record takes in a chunk, padding included.
[[nodiscard]] inline std::size_t record_size(const packets::publish& from, std::size_t section_size) noexcept {
    const auto size = sizeof(message_record) + from.subscription_identifiers.size() * sizeof(std::uint32_t) +
                      from.topic.size() + section_size + from.payload.size();
    return (size + 7) & ~std::size_t{7};
}

}  // namespace martlet::detail
