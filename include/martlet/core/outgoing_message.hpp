// An application message on its way out: immutable, version-neutral, shared by all of its receivers and kept by
// reference wherever it waits (queue, in flight, retained, store). What differs from receiver to receiver (QoS, RETAIN,
// topic alias, subscription identifiers, remaining expiry) stands in `outgoing` and is written in front of it.
#pragma once

#include <martlet/core/codec.hpp>
#include <martlet/properties.hpp>
#include <martlet/time.hpp>
#include <martlet/types.hpp>

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include <cstdint>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string_view>

namespace martlet::core {

class outgoing_message;

/// Counts the bytes of the messages that are charged to it. Not thread-safe.
struct memory_account : boost::intrusive_ref_counter<memory_account, boost::thread_unsafe_counter> {
    std::size_t bytes = 0;
};

/// Shared ownership of a message. The count is not atomic: all owners live on one executor; a message may be made on
/// another thread and handed over.
using message_ref = boost::intrusive_ptr<const outgoing_message>;

/// One allocation holds the object, the topic, the encoded MQTT 5 properties and (unless it is shared) the payload.
class outgoing_message : public boost::intrusive_ref_counter<outgoing_message, boost::thread_unsafe_counter> {
public:
    /// Copies topic, properties and payload. `expires_at` is absolute; the Message Expiry Interval of `properties` is
    /// not looked at. The strings must be valid and the properties encodable (asserted).
    [[nodiscard]] static message_ref create(std::string_view topic, std::string_view payload, martlet::qos qos,
                                            bool retain, const message_properties& properties = {},
                                            std::optional<unix_time> expires_at = {});

    /// The same without RETAIN, properties and expiry: most messages.
    [[nodiscard]] static message_ref create(std::string_view topic, std::string_view payload, martlet::qos qos);

    /// The same with a payload that is shared, not copied; `owner` keeps `payload` alive.
    [[nodiscard]] static message_ref create_shared(std::string_view topic, std::string_view payload,
                                                   std::shared_ptr<const void> owner, martlet::qos qos, bool retain,
                                                   const message_properties& properties = {},
                                                   std::optional<unix_time> expires_at = {});

    /// From a received PUBLISH, whose alias has been resolved: its Message Expiry Interval becomes absolute.
    [[nodiscard]] static message_ref create(const packets::publish& from, unix_time now);

    /// From a property section in the form of property_section(): what a store brings back.
    [[nodiscard]] static message_ref restore(std::string_view topic, std::string_view payload,
                                             std::string_view property_section, martlet::qos qos, bool retain,
                                             std::optional<unix_time> expires_at);

    ~outgoing_message() {
        if (account_ != nullptr) account_->bytes -= cost();
    }
    outgoing_message(const outgoing_message&) = delete;
    outgoing_message& operator=(const outgoing_message&) = delete;

    /// Its cost() counts in `to` as long as it lives. Once, by its maker.
    static void charge(const message_ref& message, boost::intrusive_ptr<memory_account> to) noexcept;

    [[nodiscard]] std::string_view topic() const noexcept { return {bytes(), topic_size_}; }
    [[nodiscard]] std::string_view payload() const noexcept { return payload_; }
    /// Encoded properties without length, expiry, alias and subscription identifiers.
    [[nodiscard]] std::string_view property_section() const noexcept { return {bytes() + topic_size_, section_size_}; }
    [[nodiscard]] message_properties properties() const noexcept {
        return decode_message_properties(property_section());
    }
    /// As published.
    [[nodiscard]] martlet::qos qos() const noexcept { return qos_; }
    [[nodiscard]] bool retain() const noexcept { return retain_; }
    /// Absent: never.
    [[nodiscard]] std::optional<unix_time> expires_at() const noexcept {
        return expires_at_ == unix_time::max() ? std::nullopt : std::optional(expires_at_);
    }
    [[nodiscard]] bool expired(unix_time now) const noexcept { return now >= expires_at_; }
    [[nodiscard]] bool expires() const noexcept { return expires_at_ != unix_time::max(); }
    /// What it costs in queues: topic, properties, payload and the object.
    [[nodiscard]] std::size_t cost() const noexcept {
        return sizeof(*this) + topic_size_ + section_size_ + payload_.size();
    }

    static void operator delete(outgoing_message* p, std::destroying_delete_t) noexcept;

private:
    outgoing_message() = default;
    static outgoing_message* allocate(std::size_t bytes_size);
    [[nodiscard]] const char* bytes() const noexcept { return reinterpret_cast<const char*>(this + 1); }
    [[nodiscard]] char* bytes() noexcept { return reinterpret_cast<char*>(this + 1); }

    std::string_view payload_;
    boost::intrusive_ptr<memory_account> account_;
    std::shared_ptr<const void> payload_owner_;  // empty: the payload stands behind the properties
    unix_time expires_at_ = unix_time::max();
    std::uint32_t section_size_ = 0;
    std::uint16_t topic_size_ = 0;
    martlet::qos qos_ = martlet::qos::at_most_once;
    bool retain_ = false;
};

/// Subscription identifiers of one delivery, shared by all messages that take the same way; null: none.
class identifier_list : public boost::intrusive_ref_counter<identifier_list, boost::thread_unsafe_counter> {
public:
    explicit identifier_list(std::vector<std::uint32_t> ids) : ids_(std::move(ids)) {}
    [[nodiscard]] std::span<const std::uint32_t> ids() const noexcept { return ids_; }

private:
    std::vector<std::uint32_t> ids_;
};
using identifiers_ref = boost::intrusive_ptr<const identifier_list>;

/// What an owner calls an operation of its own; comes back in the event that ends it. 0: nobody asked.
using token = std::uint64_t;

/// One message for one receiver.
struct outgoing {
    message_ref message;
    identifiers_ref subscription_identifiers;
    token who = 0;
    martlet::qos qos = martlet::qos::at_most_once;  ///< to be sent with
    bool retain = false;                            ///< to be sent with
};

}  // namespace martlet::core
