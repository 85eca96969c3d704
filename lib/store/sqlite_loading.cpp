#include "store/sqlite_loading.hpp"

#include "core/packet_set.hpp"
#include "core/properties.hpp"
#include "store/sqlite_rows.hpp"

#include <martlet/core/outgoing_message.hpp>
#include <martlet/topic.hpp>

#include <algorithm>
#include <unordered_map>

namespace martlet::store_impl {

namespace {

constexpr std::size_t payload_size_max = core::remaining_length_max;

class loader {
public:
    loader(const std::string& path, database& db) : path_(path), db_(db) {}

    store_failure load(stored_state& into) {
        load_sessions(into);
        load_subscriptions(into);
        load_messages();
        load_outgoing(into);
        load_received(into);
        load_wills(into);
        load_retained(into);
        return result();
    }

    store_failure load_enqueued(std::uint64_t after, std::size_t count_max, std::vector<enqueued_row>& into) {
        statement rows(db_,
                       "SELECT id, topic, payload, properties, flags, expires_at, sum FROM martlet_enqueued "
                       "WHERE id > ?1 ORDER BY id LIMIT ?2");
        if (rows.begin(after, std::uint64_t{count_max})) {
            while (!failure_ && rows.step()) {
                const auto id = static_cast<std::uint64_t>(rows.number(0));
                auto message = read_message(rows, 1, "martlet_enqueued, id " + std::to_string(id));
                if (!message) break;
                core::outgoing what;
                what.qos = message->qos();
                what.retain = message->retain();
                what.message = std::move(message);
                into.push_back({id, std::move(what)});
            }
        }
        return result();
    }

private:
    store_failure result() {
        if (failure_) return failure_;
        if (!db_.ok()) return failure_of(path_, db_, "reading " + table_);
        return {};
    }

    void damaged(const std::string& where, std::string_view what) {
        if (failure_) return;
        failure_ = {errc::store_damaged, "store " + path_ + " is damaged: table " + where + ": " + std::string(what)};
    }

    stored_state::stored_session* session_of(stored_state& in, std::int64_t key, const std::string& where) {
        const auto at = sessions_.find(key);
        if (at != sessions_.end()) return &in.sessions[at->second];
        damaged(where, "there is no such session");
        return nullptr;
    }

    void load_sessions(stored_state& into) {
        table_ = "martlet_session";
        statement rows(db_,
                       "SELECT session, client_id, expiry_interval, expires_at, version, epoch, sum "
                       "FROM martlet_session ORDER BY session");
        if (!rows.begin()) return;
        while (!failure_ && rows.step()) {
            const auto where = table_ + ", session " + std::to_string(rows.number(0));
            core::session_row row;
            row.session = core::session_key{static_cast<std::uint64_t>(rows.number(0))};
            row.client_id = rows.bytes(1);
            row.expiry_interval = static_cast<std::uint32_t>(rows.number(2));
            if (!rows.is_null(3)) row.expires_at = unix_time(std::chrono::milliseconds(rows.number(3)));
            const auto version = rows.number(4);
            row.version = static_cast<protocol_version>(version);
            row.epoch = static_cast<std::uint32_t>(rows.number(5));
            if (rows.number(6) != sum_of(row)) return damaged(where, "the checksum is wrong");
            if (version < 3 || version > 5) return damaged(where, "unknown protocol version");
            if (!is_valid_utf8_string(row.client_id)) return damaged(where, "the client id is not UTF-8");
            sessions_.emplace(rows.number(0), into.sessions.size());
            into.sessions.push_back({std::move(row), {}, {}, {}});
        }
    }

    void load_subscriptions(stored_state& into) {
        table_ = "martlet_subscription";
        statement rows(db_, "SELECT session, filter, options, identifier, sum FROM martlet_subscription");
        if (failure_ || !rows.begin()) return;
        while (!failure_ && rows.step()) {
            core::subscription_row row;
            row.session = core::session_key{static_cast<std::uint64_t>(rows.number(0))};
            row.filter = rows.bytes(1);
            const auto where = table_ + ", session " + std::to_string(rows.number(0)) + ", filter " + row.filter;
            const auto options = static_cast<int>(rows.number(2));
            row.identifier = static_cast<std::uint32_t>(rows.number(3));
            if (rows.number(4) != sum_of(row, options)) return damaged(where, "the checksum is wrong");
            if (options < 0 || options > 0x2F || (options & 3) == 3) return damaged(where, "impossible options");
            if (!is_valid_topic_filter(row.filter)) return damaged(where, "not a topic filter");
            row.qos = static_cast<qos>(options & 3);
            row.no_local = (options & 4) != 0;
            row.retain_as_published = (options & 8) != 0;
            row.retain_handling = static_cast<retain_handling>(options >> 4);
            if (auto* const session = session_of(into, rows.number(0), where)) {
                session->subscriptions.push_back(std::move(row));
            }
        }
    }

    void load_messages() {
        table_ = "martlet_message";
        statement rows(db_, "SELECT id, topic, payload, properties, flags, expires_at, sum FROM martlet_message");
        if (failure_ || !rows.begin()) return;
        while (!failure_ && rows.step()) {
            auto message = read_message(rows, 1, table_ + ", id " + std::to_string(rows.number(0)));
            if (message) messages_.emplace(rows.number(0), std::move(message));
        }
    }

    void load_outgoing(stored_state& into) {
        table_ = "martlet_outgoing";
        statement rows(db_,
                       "SELECT session, place, state, packet_id, released, send_flags, identifiers, row_sum, message, "
                       "topic, payload, properties, flags, expires_at, sum FROM martlet_outgoing");
        if (failure_ || !rows.begin()) return;
        while (!failure_ && rows.step()) {
            const auto where =
                table_ + ", session " + std::to_string(rows.number(0)) + ", place " + std::to_string(rows.number(1));
            core::outgoing_row row;
            row.session = core::session_key{static_cast<std::uint64_t>(rows.number(0))};
            row.order = static_cast<std::uint64_t>(rows.number(1));
            const auto state = static_cast<int>(rows.number(2));
            const auto id = static_cast<int>(rows.number(3));
            row.released_order = static_cast<std::uint64_t>(rows.number(4));
            const auto flags = static_cast<int>(rows.number(5));
            const auto identifiers = rows.bytes(6);
            const auto sum = sum_of_place(static_cast<std::uint64_t>(rows.number(0)), row.order, state, id,
                                          row.released_order, flags, identifiers);
            if (rows.number(7) != sum) return damaged(where, "the checksum is wrong");
            if (state < 0 || state > 2) return damaged(where, "unknown state");
            if (id < 0 || id > 65'535 || (id == 0) != (state == 0)) return damaged(where, "impossible packet id");
            if ((flags & ~7) != 0 || (flags & 3) == 0 || (flags & 3) == 3) return damaged(where, "impossible QoS");
            row.state = static_cast<core::outgoing_state>(state);
            row.id = packet_id{static_cast<std::uint16_t>(id)};
            row.what.qos = static_cast<qos>(flags & 3);
            row.what.retain = (flags & 4) != 0;
            row.what.subscription_identifiers = decode_identifiers(identifiers);
            if (!rows.is_null(8)) {
                const auto at = messages_.find(rows.number(8));
                if (at == messages_.end()) return damaged(where, "its message is missing");
                row.what.message = at->second;
            } else if (!rows.is_null(9)) {
                row.what.message = read_message(rows, 9, where);
                if (!row.what.message) return;
            } else if (row.state != core::outgoing_state::released) {
                return damaged(where, "it has no message");
            }
            if (auto* const session = session_of(into, rows.number(0), where)) {
                session->messages.outgoing.push_back(std::move(row));
            }
        }
    }

    void load_received(stored_state& into) {
        table_ = "martlet_received";
        statement rows(db_, "SELECT session, packet_id, sum FROM martlet_received");
        if (failure_ || !rows.begin()) return;
        while (!failure_ && rows.step()) {
            const auto where = table_ + ", session " + std::to_string(rows.number(0)) + ", packet_id " +
                               std::to_string(rows.number(1));
            const auto id = rows.number(1);
            if (id < 1 || id > 65'535) return damaged(where, "impossible packet id");
            const core::received_row row{core::session_key{static_cast<std::uint64_t>(rows.number(0))},
                                         packet_id{static_cast<std::uint16_t>(id)}};
            if (rows.number(2) != sum_of(row)) return damaged(where, "the checksum is wrong");
            if (auto* const session = session_of(into, rows.number(0), where)) {
                session->messages.received.push_back(row);
            }
        }
    }

    void load_wills(stored_state& into) {
        table_ = "martlet_will";
        statement rows(db_,
                       "SELECT session, delay_interval, topic, payload, properties, flags, expires_at, sum "
                       "FROM martlet_will");
        if (failure_ || !rows.begin()) return;
        while (!failure_ && rows.step()) {
            const auto where = table_ + ", session " + std::to_string(rows.number(0));
            core::will_row row;
            row.session = core::session_key{static_cast<std::uint64_t>(rows.number(0))};
            row.delay_interval = static_cast<std::uint32_t>(rows.number(1));
            const auto columns = message_of(rows, 2);
            const auto sum = checksum()
                                 .add(static_cast<std::uint64_t>(rows.number(0)))
                                 .add(row.delay_interval)
                                 .add(static_cast<std::uint64_t>(columns.sum()))
                                 .value();
            if (rows.number(7) != sum) return damaged(where, "the checksum is wrong");
            row.message = make_message(columns, where);
            if (!row.message) return;
            if (auto* const session = session_of(into, rows.number(0), where)) session->wills.push_back(std::move(row));
        }
    }

    void load_retained(stored_state& into) {
        table_ = "martlet_retained";
        statement rows(db_, "SELECT topic, payload, properties, flags, expires_at, sum FROM martlet_retained");
        if (failure_ || !rows.begin()) return;
        while (!failure_ && rows.step()) {
            auto message = read_message(rows, 0, table_ + ", topic " + std::string(rows.bytes(0)));
            if (message) into.retained.push_back({std::string(message->topic()), std::move(message)});
        }
    }

    static message_columns message_of(statement& row, int first) {
        message_columns columns;
        columns.topic = row.bytes(first);
        columns.payload = row.bytes(first + 1);
        columns.properties = row.bytes(first + 2);
        columns.flags = static_cast<int>(row.number(first + 3));
        if (!row.is_null(first + 4)) columns.expires_at = row.number(first + 4);
        return columns;
    }

    core::message_ref read_message(statement& row, int first, const std::string& where) {
        const auto columns = message_of(row, first);
        if (row.number(first + 5) != columns.sum()) {
            damaged(where, "the checksum is wrong");
            return {};
        }
        return make_message(columns, where);
    }

    core::message_ref make_message(const message_columns& columns, const std::string& where) {
        message_properties ignored;
        if (!is_valid_topic_name(columns.topic)) {
            damaged(where, "not a topic name");
        } else if ((columns.flags & ~7) != 0 || (columns.flags & 3) == 3) {
            damaged(where, "impossible QoS");
        } else if (columns.payload.size() > payload_size_max) {
            damaged(where, "the payload is too large");
        } else if (core::decode_properties(columns.properties, core::sets::will, ignored)) {
            damaged(where, "properties that cannot be decoded");
        } else {
            std::optional<unix_time> expires_at;
            if (columns.expires_at) expires_at = unix_time(std::chrono::milliseconds(*columns.expires_at));
            return core::outgoing_message::restore(columns.topic, columns.payload, columns.properties,
                                                   static_cast<qos>(columns.flags & 3), (columns.flags & 4) != 0,
                                                   expires_at);
        }
        return {};
    }

    static core::identifiers_ref decode_identifiers(std::string_view bytes) {
        if (bytes.empty()) return {};
        std::vector<std::uint32_t> ids;
        for (std::size_t at = 0; at + 4 <= bytes.size(); at += 4) {
            std::uint32_t id = 0;
            for (std::size_t i = 4; i-- != 0;)
                id = id << 8 | static_cast<unsigned char>(bytes[at + i]);
            ids.push_back(id);
        }
        return core::identifiers_ref(new core::identifier_list(std::move(ids)));
    }

    const std::string& path_;
    database& db_;
    std::string table_ = "martlet_enqueued";
    store_failure failure_;
    std::unordered_map<std::int64_t, std::size_t> sessions_;
    std::unordered_map<std::int64_t, core::message_ref> messages_;
};

}  // namespace

store_failure load_state(const std::string& path, database& db, stored_state& into) {
    return loader(path, db).load(into);
}

store_failure load_enqueued(const std::string& path, database& db, std::uint64_t after, std::size_t count_max,
                            std::vector<enqueued_row>& into) {
    return loader(path, db).load_enqueued(after, count_max, into);
}

}  // namespace martlet::store_impl
