// MQTT 5 properties as typed optionals, one struct per kind of packet, so that a property that a packet must not carry
// cannot be written. MQTT 5 §2.2.2. Everything here is a view: strings and lists belong to the caller (sending) or to
// the received bytes (receiving), and the structs stay trivially destructible, so that they can be written inline
// inside a co_await expression.
#pragma once

#include <martlet/types.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

namespace martlet {

/// A User Property: name and value, both UTF-8 of at most 65,535 bytes. MQTT 5 §2.2.2.2.
struct user_property {
    std::string_view name = {};
    std::string_view value = {};

    friend bool operator==(const user_property&, const user_property&) = default;
};

class user_property_list;

/// A vector, an array, or whatever else is a span of pairs.
template <class Range>
concept user_property_range = !std::is_same_v<std::remove_cvref_t<Range>, user_property_list> &&
                              std::is_convertible_v<const Range&, std::span<const user_property>>;

/// An ordered list of User Properties that it does not own: either an array of the caller's, or the still encoded
/// property section of a received packet, decoded while iterating.
class user_property_list {
public:
    class iterator;

    user_property_list() = default;

    /// A view of the caller's pairs; they must outlive the call that they are passed to.
    user_property_list(std::span<const user_property> pairs) noexcept  // NOLINT(google-explicit-constructor)
        : pairs_(pairs.data()), count_(pairs.size()) {}

    template <user_property_range Range>
    user_property_list(const Range& pairs) noexcept  // NOLINT(google-explicit-constructor)
        : user_property_list(std::span<const user_property>(pairs)) {}

    /// A view of an encoded property section (without its length) that the codec has validated and that holds
    /// `count` User Properties.
    [[nodiscard]] static user_property_list encoded(std::string_view section, std::size_t count) noexcept;

    [[nodiscard]] iterator begin() const noexcept;
    [[nodiscard]] iterator end() const noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

    friend bool operator==(const user_property_list& a, const user_property_list& b) noexcept;

private:
    const user_property* pairs_ = nullptr;  // null: decode from section_
    std::string_view section_;
    std::size_t count_ = 0;
};

class user_property_list::iterator {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = user_property;
    using difference_type = std::ptrdiff_t;
    using pointer = const user_property*;
    using reference = const user_property&;

    iterator() = default;
    reference operator*() const noexcept { return current_; }
    pointer operator->() const noexcept { return &current_; }
    iterator& operator++() noexcept;
    iterator operator++(int) noexcept;
    friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.left_ == b.left_; }

private:
    friend class user_property_list;
    void load() noexcept;

    const user_property* next_pair_ = nullptr;
    std::string_view rest_;  // encoded form: what follows the current pair
    std::size_t left_ = 0;   // pairs from the current one to the end
    user_property current_;
};

/// The Subscription Identifiers of a received PUBLISH (1..268,435,455 each), or those that a server is to send. A view
/// like user_property_list. MQTT 5 §3.3.2.3.8.
class subscription_identifier_list {
public:
    class iterator;

    subscription_identifier_list() = default;
    subscription_identifier_list(std::span<const std::uint32_t> ids) noexcept  // NOLINT(google-explicit-constructor)
        : ids_(ids.data()), count_(ids.size()) {}

    /// A view of an encoded, validated property section with `count` identifiers.
    [[nodiscard]] static subscription_identifier_list encoded(std::string_view section, std::size_t count) noexcept;

    [[nodiscard]] iterator begin() const noexcept;
    [[nodiscard]] iterator end() const noexcept;
    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

    friend bool operator==(const subscription_identifier_list& a, const subscription_identifier_list& b) noexcept;

private:
    const std::uint32_t* ids_ = nullptr;
    std::string_view section_;
    std::size_t count_ = 0;
};

class subscription_identifier_list::iterator {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = std::uint32_t;
    using difference_type = std::ptrdiff_t;
    using pointer = const std::uint32_t*;
    using reference = const std::uint32_t&;

    iterator() = default;
    reference operator*() const noexcept { return current_; }
    iterator& operator++() noexcept;
    iterator operator++(int) noexcept;
    friend bool operator==(const iterator& a, const iterator& b) noexcept { return a.left_ == b.left_; }

private:
    friend class subscription_identifier_list;
    void load() noexcept;

    const std::uint32_t* next_id_ = nullptr;
    std::string_view rest_;
    std::size_t left_ = 0;
    std::uint32_t current_ = 0;
};

/// Whether a payload claims to be text. MQTT 5 §3.3.2.3.2.
enum class payload_format : std::uint8_t { bytes = 0, utf8 = 1 };

/// Properties of an application message: of PUBLISH and of a will; forwarded to subscribers. MQTT 5 §3.3.2.3.
struct message_properties {
    std::optional<payload_format> payload_format_indicator = {};
    std::optional<std::uint32_t> message_expiry_interval = {};  ///< seconds; absent: never expires
    std::optional<std::string_view> content_type = {};
    std::optional<std::string_view> response_topic = {};    ///< no wildcards
    std::optional<std::string_view> correlation_data = {};  ///< binary
    user_property_list user_properties = {};

    friend bool operator==(const message_properties&, const message_properties&) = default;
};

/// MQTT 5 §3.1.2.11.
struct connect_properties {
    std::optional<std::uint32_t> session_expiry_interval = {};  ///< seconds; 0xFFFFFFFF: never; absent: 0
    std::optional<std::uint16_t> receive_maximum = {};          ///< 1..65535; absent: 65535
    std::optional<std::uint32_t> maximum_packet_size = {};      ///< bytes, ≥ 1; absent: no limit
    std::optional<std::uint16_t> topic_alias_maximum = {};      ///< absent: 0
    std::optional<bool> request_response_information = {};      ///< absent: false
    std::optional<bool> request_problem_information = {};       ///< absent: true
    std::optional<std::string_view> authentication_method = {};
    std::optional<std::string_view> authentication_data = {};  ///< binary; only with a method
    user_property_list user_properties = {};

    friend bool operator==(const connect_properties&, const connect_properties&) = default;
};

/// MQTT 5 §3.2.2.3.
struct connack_properties {
    std::optional<std::uint32_t> session_expiry_interval = {};
    std::optional<std::uint16_t> receive_maximum = {};
    std::optional<qos> maximum_qos = {};  ///< at_most_once or at_least_once; absent: exactly_once
    std::optional<bool> retain_available = {};
    std::optional<std::uint32_t> maximum_packet_size = {};
    std::optional<std::string_view> assigned_client_identifier = {};
    std::optional<std::uint16_t> topic_alias_maximum = {};
    std::optional<std::string_view> reason_string = {};
    std::optional<bool> wildcard_subscription_available = {};
    std::optional<bool> subscription_identifier_available = {};
    std::optional<bool> shared_subscription_available = {};
    std::optional<std::uint16_t> server_keep_alive = {};  ///< seconds; 0: off
    std::optional<std::string_view> response_information = {};
    std::optional<std::string_view> server_reference = {};
    std::optional<std::string_view> authentication_method = {};
    std::optional<std::string_view> authentication_data = {};  ///< binary
    user_property_list user_properties = {};

    friend bool operator==(const connack_properties&, const connack_properties&) = default;
};

/// Of PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK. MQTT 5 §3.4.2.2.
struct ack_properties {
    std::optional<std::string_view> reason_string = {};
    user_property_list user_properties = {};

    friend bool operator==(const ack_properties&, const ack_properties&) = default;
};

/// MQTT 5 §3.8.2.1.
struct subscribe_properties {
    std::optional<std::uint32_t> subscription_identifier = {};  ///< 1..268,435,455
    user_property_list user_properties = {};

    friend bool operator==(const subscribe_properties&, const subscribe_properties&) = default;
};

/// MQTT 5 §3.10.2.1.
struct unsubscribe_properties {
    user_property_list user_properties = {};

    friend bool operator==(const unsubscribe_properties&, const unsubscribe_properties&) = default;
};

/// MQTT 5 §3.14.2.2.
struct disconnect_properties {
    std::optional<std::uint32_t> session_expiry_interval = {};  ///< from a client only
    std::optional<std::string_view> reason_string = {};
    std::optional<std::string_view> server_reference = {};  ///< from a server only
    user_property_list user_properties = {};

    friend bool operator==(const disconnect_properties&, const disconnect_properties&) = default;
};

/// MQTT 5 §3.15.2.2.
struct auth_properties {
    std::optional<std::string_view> authentication_method = {};  ///< required on the wire
    std::optional<std::string_view> authentication_data = {};    ///< binary
    std::optional<std::string_view> reason_string = {};
    user_property_list user_properties = {};

    friend bool operator==(const auth_properties&, const auth_properties&) = default;
};

static_assert(std::is_trivially_destructible_v<message_properties> &&
              std::is_trivially_destructible_v<connack_properties>);

}  // namespace martlet
