// Rows with contents that the input chooses and checksums that are right, so that they come as far as the decoders: a store
// loads them, or calls them damaged and says where.
#include "fuzz/input.hpp"
#include "store/sqlite_loading.hpp"
#include "store/sqlite_rows.hpp"

#include <filesystem>
#include <string>

using namespace martlet;
using namespace martlet::store_impl;
using fuzz::require;

namespace {

// A store whose rows live in a transaction that is never committed.
class scratch_store {
public:
    scratch_store() {
        std::string folder = (std::filesystem::temp_directory_path() / "martlet-fuzz-XXXXXX").string();
        require(::mkdtemp(folder.data()) != nullptr, "there is a folder");
        require(!open_store(folder + "/s.db", {}, lock_, db), "there is a store");
        std::filesystem::remove_all(folder);  // what is open stays
    }
    database db;

private:
    file_lock lock_;
};

std::int64_t number(fuzz::input& in) {
    const auto small = static_cast<std::int64_t>(in.byte());
    switch (small >> 6) {
        case 0: return small;
        case 1: return -small;
        case 2: return small << 8 | in.byte();
        default: return small << 26;
    }
}

std::string text(fuzz::input& in) {
    std::string bytes;
    for (auto left = in.below(24); left != 0 && !in.empty(); --left)
        bytes += static_cast<char>(in.byte());
    return bytes;
}

struct any_message {
    explicit any_message(fuzz::input& in) : topic(text(in)), payload(text(in)), properties(text(in)) {
        columns = {topic, payload, properties, static_cast<int>(number(in)), {}};
        if (in.coin()) columns.expires_at = number(in);
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

void insert_row(database& db, fuzz::input& in) {
    const auto key = in.below(4);
    switch (in.below(8)) {
        case 0: {
            core::session_row row;
            row.session = core::session_key{key};
            row.client_id = text(in);
            row.expiry_interval = static_cast<std::uint32_t>(number(in));
            row.version = static_cast<protocol_version>(in.below(8));
            statement(db, "INSERT OR IGNORE INTO martlet_session VALUES(?1, ?2, ?3, NULL, ?4, 0, ?5)")
                .run(key, std::string_view(row.client_id), row.expiry_interval, static_cast<int>(row.version),
                     sum_of(row));
            break;
        }
        case 1: {
            core::subscription_row row;
            row.session = core::session_key{key};
            row.filter = text(in);
            row.identifier = static_cast<std::uint32_t>(number(in));
            const auto options = static_cast<int>(number(in));
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
            const auto state = static_cast<int>(number(in));
            const auto id = static_cast<int>(number(in));
            const auto flags = static_cast<int>(number(in));
            const auto identifiers = text(in);
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
            const auto id = number(in);
            const core::received_row row{core::session_key{key}, packet_id{static_cast<std::uint16_t>(id)}};
            statement(db, "INSERT OR IGNORE INTO martlet_received VALUES(?1, ?2, ?3)").run(key, id, sum_of(row));
            break;
        }
        case 5: {
            const any_message m(in);
            const auto delay = static_cast<std::uint32_t>(number(in));
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

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static scratch_store store;
    fuzz::input in(data, size);
    store.db.run("BEGIN");
    while (!in.empty())
        insert_row(store.db, in);
    require(store.db.ok(), "rows can be inserted");
    const std::string path = "s.db";
    stored_state state;
    const auto problem = load_state(path, store.db, state);
    require(
        !problem || (problem.error == errc::store_damaged && problem.text.find("table martlet_") != std::string::npos),
        "loaded, or damaged at a place");
    std::vector<enqueued_row> enqueued;
    const auto other = load_enqueued(path, store.db, 0, 100, enqueued);
    require(!other || other.error == errc::store_damaged, "likewise");
    store.db.run("ROLLBACK");
    return 0;
}
