// A received application message, which owns its bytes. MQTT 5 §3.3.
#pragma once

#include <martlet/properties.hpp>
#include <martlet/types.hpp>

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace martlet {

namespace detail {
class message_chunk;
struct message_record;
struct message_access;
void intrusive_ptr_add_ref(const message_chunk* chunk) noexcept;
void intrusive_ptr_release(const message_chunk* chunk) noexcept;
}  // namespace detail

/// A received message. Small messages of one subscription share a chunk of at most 4 KiB, which lives until the last of
/// them is gone; a large one has a buffer of its own. A copy shares the bytes. Messages may be used, copied and
/// destroyed on any thread; one object by one thread at a time.
class message {
public:
    /// No message: everything is empty.
    message() noexcept = default;
    message(boost::intrusive_ptr<const detail::message_chunk> chunk, const detail::message_record* record) noexcept;

    /// True if there is a message.
    [[nodiscard]] explicit operator bool() const noexcept { return record_ != nullptr; }

    /// Topic name; aliases are resolved. Views live as long as the message or a copy of it.
    [[nodiscard]] std::string_view topic() const noexcept;
    [[nodiscard]] std::span<const std::byte> payload() const noexcept;
    /// The payload as characters; nobody has checked that it is UTF-8.
    [[nodiscard]] std::string_view text() const noexcept;
    /// QoS of this delivery: the lower of the published and the granted one.
    [[nodiscard]] martlet::qos qos() const noexcept;
    /// True for a message that was retained (or, with Retain As Published, that was published with RETAIN).
    [[nodiscard]] bool retain() const noexcept;
    /// True if the server may have sent it before.
    [[nodiscard]] bool dup() const noexcept;
    /// MQTT 5 properties, views like topic(); Message Expiry Interval is what was left when the message arrived.
    [[nodiscard]] message_properties properties() const noexcept;
    /// Identifiers of the subscriptions that the server matched; empty before MQTT 5.
    [[nodiscard]] subscription_identifier_list subscription_identifiers() const noexcept;
    /// The alias that the server sent it with. Information only.
    [[nodiscard]] std::optional<std::uint16_t> topic_alias() const noexcept;
    /// For printing; none at QoS 0.
    [[nodiscard]] martlet::packet_id packet_id() const noexcept;
    /// Names this QoS 1 or 2 delivery within the session, also when it is sent again; 0 at QoS 0.
    [[nodiscard]] std::uint64_t receipt() const noexcept;

private:
    friend struct detail::message_access;
    boost::intrusive_ptr<const detail::message_chunk> chunk_;
    const detail::message_record* record_ = nullptr;
};

}  // namespace martlet
