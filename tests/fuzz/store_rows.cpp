#include "fuzz/store_rows.hpp"

#include "store/sqlite_rows.hpp"

namespace martlet::fuzz {
namespace {

using namespace store_impl;

struct any_message {
    explicit any_message(input& in) : topic(in.text(24)), payload(in.text(24)), properties(in.text(24)) {
        columns = {topic, payload, properties, static_cast<int>(in.number()), {}};
        if (in.coin()) columns.expires_at = in.number();
    }
    std::string topic, payload, properties;
    message_columns columns;
};

// `begin` is the statement up to the message's columns, `before` are their values.
template <class... Values>
void insert_message(database& db, const char* sql, const message_columns& m, std::int64_t sum,
                    const Values&... before) {
    statement(db, sql).run(before..., m.topic, blob{m.payload}, blob{m.properties}, m.flags, m.expires_at, sum);
}

}  // namespace

void insert_row(database& db, input& in) {
    const auto key = in.below(4);
    switch (in.below(8)) {
        case 0: {
            core::session_row row;
            row.session = core::session_key{key};
            row.client_id = in.text(24);
            row.expiry_interval = static_cast<std::uint32_t>(in.number());
            row.version = static_cast<protocol_version>(in.below(8));
            statement(db, "INSERT OR IGNORE INTO martlet_session VALUES(?1, ?2, ?3, NULL, ?4, 0, ?5)")
                .run(key, std::string_view(row.client_id), row.expiry_interval, static_cast<int>(row.version),
                     sum_of(row));
            break;
        }
        case 1: {
            core::subscription_row row;
            row.session = core::session_key{key};
            row.filter = in.text(24);
            row.identifier = static_cast<std::uint32_t>(in.number());
            const auto options = static_cast<int>(in.number());
            statement(db, "INSERT OR IGNORE INTO martlet_subscription VALUES(?1, ?2, ?3, ?4, ?5)")
                .run(key, std::string_view(row.filter), options, row.identifier, sum_of(row, options));
            break;
        }
        case 2: {
            const any_message m(in);
            insert_message(db, "INSERT OR IGNORE INTO martlet_message VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)", m.columns,
                           m.columns.sum(), key);
            break;
        }
        case 3: {
            const any_message m(in);
            const auto place = static_cast<std::uint64_t>(in.byte());
            const auto state = static_cast<int>(in.number());
            const auto id = static_cast<int>(in.number());
            const auto flags = static_cast<int>(in.number());
            const std::string identifiers(in.text(24));
            const std::int64_t message = in.coin() ? static_cast<std::int64_t>(key) : -1;  // -1: none
            insert_message(db,
                           "INSERT OR IGNORE INTO martlet_outgoing VALUES(?1, ?2, ?3, ?4, 0, ?5, ?6, ?7, nullif(?8, "
                           "-1), ?9, ?10, ?11, "
                           "?12, ?13, ?14)",
                           m.columns, m.columns.sum(), key, place, state, id, flags, blob{identifiers},
                           sum_of_place(key, place, state, id, 0, flags, identifiers), message);
            break;
        }
        case 4: {
            const auto id = in.number();
            const core::received_row row{core::session_key{key}, packet_id{static_cast<std::uint16_t>(id)}};
            statement(db, "INSERT OR IGNORE INTO martlet_received VALUES(?1, ?2, ?3)").run(key, id, sum_of(row));
            break;
        }
        case 5: {
            const any_message m(in);
            const auto delay = static_cast<std::uint32_t>(in.number());
            const auto sum = checksum().add(key).add(delay).add(static_cast<std::uint64_t>(m.columns.sum())).value();
            insert_message(db, "INSERT OR IGNORE INTO martlet_will VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", m.columns,
                           sum, key, delay);
            break;
        }
        case 6: {
            const any_message m(in);
            insert_message(db, "INSERT OR IGNORE INTO martlet_retained VALUES(?1, ?2, ?3, ?4, ?5, ?6)", m.columns,
                           m.columns.sum());
            break;
        }
        default: {
            const any_message m(in);
            insert_message(db, "INSERT OR IGNORE INTO martlet_enqueued VALUES(NULL, ?1, ?2, ?3, ?4, ?5, ?6)", m.columns,
                           m.columns.sum());
        }
    }
}

}  // namespace martlet::fuzz
