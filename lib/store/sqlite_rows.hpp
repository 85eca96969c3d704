// Rows of the core's journal to rows of SQLite.
#pragma once

#include "store/checksum.hpp"
#include "store/sqlite_database.hpp"

#include <martlet/core/changes.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace martlet::store_impl {

/// What a message is in a row: columns topic, payload, properties, flags, expires_at, sum.
struct message_columns {
    std::string_view topic;
    std::string_view payload;
    std::string_view properties;
    int flags = 0;
    std::optional<std::int64_t> expires_at;

    [[nodiscard]] std::int64_t sum() const noexcept;
};
[[nodiscard]] message_columns columns_of(const core::outgoing_message& message) noexcept;

/// Subscription identifiers as a blob: 4 bytes each, little-endian.
[[nodiscard]] std::string encode_identifiers(const core::identifiers_ref& identifiers);

[[nodiscard]] std::int64_t sum_of(const core::session_row& row) noexcept;
[[nodiscard]] std::int64_t sum_of(const core::subscription_row& row, int options) noexcept;
[[nodiscard]] std::int64_t sum_of(const core::received_row& row) noexcept;
[[nodiscard]] std::int64_t sum_of_place(std::uint64_t session, std::uint64_t place, int state, int packet_id,
                                        std::uint64_t released, int send_flags, std::string_view identifiers) noexcept;

/// The options of a subscription in one number, as in SUBSCRIBE. MQTT 5 §3.8.3.1.
[[nodiscard]] int encode_options(const core::subscription_row& row) noexcept;

/// Applies changes inside a transaction of its caller. Errors stick in the database.
class row_writer {
public:
    /// `references`: how many rows of martlet_outgoing refer to each row of martlet_message.
    explicit row_writer(database& db);

    /// Counts references anew: after load, and after a transaction was rolled back.
    void recount();
    /// All rows of one transaction, in order.
    void apply(std::span<const core::change_batch> batches);

private:
    /// Where a message of this transaction is first needed, and whether elsewhere, too.
    struct use {
        core::session_key session{};
        std::uint64_t place = 0;
        std::int64_t id = 0;  ///< row of martlet_message; 0: none yet
        bool is_shared = false;
    };

    void find_shared(std::span<const core::change_batch> batches);
    void apply(const core::session_row& row);
    void apply(const core::subscription_row& row);
    void apply(const core::outgoing_row& row);
    void apply(const core::received_row& row);
    void apply(const core::retained_row& row);
    void apply(const core::will_row& row);
    void apply(const core::erase_session& row);
    void apply(const core::erase_subscription& row);
    void apply(const core::erase_outgoing& row);
    void apply(const core::erase_received& row);
    void apply(const core::erase_will& row);
    void apply(const core::erase_enqueued& row);

    void put_reference(const core::outgoing_row& row, const message_columns& columns, const std::string& identifiers);
    void release_message_of(core::session_key session, std::uint64_t place);
    void release(std::int64_t message, std::int64_t count);

    database& db_;
    std::unordered_map<std::int64_t, std::int64_t> references_;
    std::unordered_map<const core::outgoing_message*, use> uses_;
    std::int64_t last_message_ = 0;

    statement epoch_of_session_;
    statement put_session_;
    statement put_subscription_;
    statement put_outgoing_;
    statement update_outgoing_;
    statement put_message_;
    statement put_received_;
    statement put_retained_;
    statement put_will_;
    statement message_of_outgoing_;
    statement messages_of_session_;
    statement erase_session_;
    statement erase_subscriptions_;
    statement erase_all_outgoing_;
    statement erase_all_received_;
    statement erase_subscription_;
    statement erase_outgoing_;
    statement erase_received_;
    statement erase_retained_;
    statement erase_will_;
    statement erase_message_;
    statement erase_enqueued_;
};

}  // namespace martlet::store_impl
