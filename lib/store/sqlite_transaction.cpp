// What an application does inside its own transaction, on its own connection.
#include "core/properties.hpp"
#include "store/sqlite_database.hpp"
#include "store/sqlite_rows.hpp"

#include <martlet/core/outgoing_message.hpp>
#include <martlet/core/received.hpp>
#include <martlet/sqlite_store.hpp>
#include <martlet/topic.hpp>

#include <chrono>

namespace martlet::sqlite {

namespace {

// The client's session has this key in its store.
constexpr core::session_key client_session{1};

bool are_encodable(const message_properties& p) noexcept {
    constexpr std::size_t size_max = 65'535;
    if (p.content_type && !is_valid_utf8_string(*p.content_type)) return false;
    if (p.response_topic && !is_valid_topic_name(*p.response_topic)) return false;
    if (p.correlation_data && p.correlation_data->size() > size_max) return false;
    for (const auto& pair : p.user_properties) {
        if (!is_valid_utf8_string(pair.name) || !is_valid_utf8_string(pair.value)) return false;
    }
    return true;
}

/// SQLite's own words stay with the connection, for sqlite3_errmsg().
error_code failure_of(const store_impl::database& db) {
    const bool has_no_tables = (db.code() & 0xFF) == SQLITE_ERROR && db.text().starts_with("no such table: martlet_");
    return has_no_tables ? errc::store_absent : errc::store_failed;
}

}  // namespace

error_code acknowledge(sqlite3* connection, std::uint64_t receipt) {
    if (!core::is_qos_2(receipt)) return {};
    store_impl::database db;
    db.borrow(connection);
    store_impl::statement session(db, "SELECT epoch FROM martlet_session WHERE session = ?1");
    if (!session.begin(static_cast<std::uint64_t>(client_session)) || !session.step()) {
        return db.ok() ? make_error_code(errc::session_lost) : failure_of(db);
    }
    const auto epoch = static_cast<std::uint32_t>(session.number(0));
    session.reset();
    if (core::epoch_of(receipt) == core::epoch_in_receipt(epoch + 1)) return errc::store_failed;  // not stored yet
    if (core::epoch_of(receipt) != core::epoch_in_receipt(epoch)) return errc::session_lost;
    const core::received_row row{client_session, core::packet_id_of(receipt)};
    store_impl::statement put(db, "INSERT OR REPLACE INTO martlet_received VALUES(?1, ?2, ?3)");
    if (!put.run(static_cast<std::uint64_t>(row.session), to_number(row.id), store_impl::sum_of(row))) {
        return errc::store_failed;
    }
    return {};
}

error_code enqueue(sqlite3* connection, const publication& what) {
    if (!is_valid_topic_name(what.topic)) return errc::topic_invalid;
    if (what.qos == qos::at_most_once) return errc::option_invalid;
    if (what.expiry && (what.expiry->count() < 0 || what.expiry->count() > 0xFFFF'FFFF)) return errc::option_invalid;
    if (!are_encodable(what.properties)) return errc::property_invalid;
    const std::size_t section = core::encoded_size(what.properties, false);
    if (what.topic.size() + what.payload.size() + section + 64 > core::remaining_length_max) {
        return errc::packet_too_large;
    }

    std::optional<unix_time> expires_at;
    if (what.expiry) {
        expires_at = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()) + *what.expiry;
    }
    const auto message = core::outgoing_message::create_shared(what.topic, what.payload, {}, what.qos, what.retain,
                                                               what.properties, expires_at);
    const auto columns = store_impl::columns_of(*message);
    store_impl::database db;
    db.borrow(connection);
    store_impl::statement put(db,
                              "INSERT INTO martlet_enqueued(topic, payload, properties, flags, expires_at, sum) "
                              "VALUES(?1, ?2, ?3, ?4, ?5, ?6)");
    const bool is_put = put.run(columns.topic, store_impl::blob{columns.payload}, store_impl::blob{columns.properties},
                                columns.flags, columns.expires_at, columns.sum());
    return is_put ? error_code() : failure_of(db);
}

}  // namespace martlet::sqlite
