#include "store/sqlite_rows.hpp"

#include <variant>

namespace martlet::store_impl {

namespace {

// Above this a message stands in martlet_message: a change of state rewrites its row of martlet_outgoing.
constexpr std::size_t inline_size_max = 512;

std::uint64_t number(core::session_key key) noexcept { return static_cast<std::uint64_t>(key); }

int send_flags(const core::outgoing& what) noexcept { return to_number(what.qos) | (what.retain ? 4 : 0); }

std::optional<std::int64_t> milliseconds(const std::optional<unix_time>& time) noexcept {
    if (!time) return std::nullopt;
    return time->time_since_epoch().count();
}

}  // namespace

// ---- encoding

message_columns columns_of(const core::outgoing_message& message) noexcept {
    return {message.topic(), message.payload(), message.property_section(),
            to_number(message.qos()) | (message.retain() ? 4 : 0), milliseconds(message.expires_at())};
}

std::int64_t message_columns::sum() const noexcept {
    return checksum()
        .add(topic)
        .add(payload)
        .add(properties)
        .add(static_cast<std::uint64_t>(flags))
        .add(static_cast<std::uint64_t>(expires_at.value_or(-1)))
        .value();
}

std::string encode_identifiers(const core::identifiers_ref& identifiers) {
    std::string bytes;
    if (!identifiers) return bytes;
    for (const std::uint32_t id : identifiers->ids()) {
        for (int shift = 0; shift != 32; shift += 8)
            bytes += static_cast<char>(id >> shift & 0xFF);
    }
    return bytes;
}

int encode_options(const core::subscription_row& row) noexcept {
    return to_number(row.qos) | (row.no_local ? 4 : 0) | (row.retain_as_published ? 8 : 0) |
           static_cast<int>(row.retain_handling) << 4;
}

std::int64_t sum_of(const core::session_row& row) noexcept {
    return checksum()
        .add(number(row.session))
        .add(row.client_id)
        .add(row.expiry_interval)
        .add(static_cast<std::uint64_t>(milliseconds(row.expires_at).value_or(-1)))
        .add(static_cast<std::uint64_t>(row.version))
        .add(row.epoch)
        .value();
}

std::int64_t sum_of(const core::subscription_row& row, int options) noexcept {
    return checksum()
        .add(number(row.session))
        .add(row.filter)
        .add(static_cast<std::uint64_t>(options))
        .add(row.identifier)
        .value();
}

std::int64_t sum_of(const core::received_row& row) noexcept {
    return checksum().add(number(row.session)).add(std::uint64_t{to_number(row.id)}).value();
}

std::int64_t sum_of_place(std::uint64_t session, std::uint64_t place, int state, int packet_id, std::uint64_t released,
                          int flags, std::string_view identifiers) noexcept {
    return checksum()
        .add(session)
        .add(place)
        .add(static_cast<std::uint64_t>(state) << 32 | static_cast<std::uint64_t>(packet_id))
        .add(released)
        .add(static_cast<std::uint64_t>(flags))
        .add(identifiers)
        .value();
}

// ---- statements

row_writer::row_writer(database& db)
    : db_(db),
      epoch_of_session_(db, "SELECT epoch FROM martlet_session WHERE session = ?1"),
      put_session_(db, "INSERT OR REPLACE INTO martlet_session VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
      put_subscription_(db, "INSERT OR REPLACE INTO martlet_subscription VALUES(?1, ?2, ?3, ?4, ?5)"),
      put_outgoing_(db,
                    "INSERT OR REPLACE INTO martlet_outgoing "
                    "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"),
      update_outgoing_(db,
                       "UPDATE martlet_outgoing SET state = ?3, packet_id = ?4, released = ?5, send_flags = ?6, "
                       "identifiers = ?7, row_sum = ?8 WHERE session = ?1 AND place = ?2"),
      put_message_(db, "INSERT INTO martlet_message VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
      put_received_(db, "INSERT OR REPLACE INTO martlet_received VALUES(?1, ?2, ?3)"),
      put_retained_(db, "INSERT OR REPLACE INTO martlet_retained VALUES(?1, ?2, ?3, ?4, ?5, ?6)"),
      put_will_(db, "INSERT OR REPLACE INTO martlet_will VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"),
      message_of_outgoing_(db, "SELECT message FROM martlet_outgoing WHERE session = ?1 AND place = ?2"),
      messages_of_session_(db,
                           "SELECT message, count(*) FROM martlet_outgoing WHERE session = ?1 AND "
                           "message IS NOT NULL GROUP BY message"),
      erase_session_(db, "DELETE FROM martlet_session WHERE session = ?1"),
      erase_subscriptions_(db, "DELETE FROM martlet_subscription WHERE session = ?1"),
      erase_all_outgoing_(db, "DELETE FROM martlet_outgoing WHERE session = ?1"),
      erase_all_received_(db, "DELETE FROM martlet_received WHERE session = ?1"),
      erase_subscription_(db, "DELETE FROM martlet_subscription WHERE session = ?1 AND filter = ?2"),
      erase_outgoing_(db, "DELETE FROM martlet_outgoing WHERE session = ?1 AND place = ?2"),
      erase_received_(db, "DELETE FROM martlet_received WHERE session = ?1 AND packet_id = ?2"),
      erase_retained_(db, "DELETE FROM martlet_retained WHERE topic = ?1"),
      erase_will_(db, "DELETE FROM martlet_will WHERE session = ?1"),
      erase_message_(db, "DELETE FROM martlet_message WHERE id = ?1"),
      erase_enqueued_(db, "DELETE FROM martlet_enqueued WHERE id = ?1") {}

void row_writer::recount() {
    references_.clear();
    statement counts(db_, "SELECT message, count(*) FROM martlet_outgoing WHERE message IS NOT NULL GROUP BY message");
    if (counts.begin()) {
        while (counts.step())
            references_[counts.number(0)] = counts.number(1);
    }
    statement last(db_, "SELECT max(id) FROM martlet_message");
    if (last.begin() && last.step()) {
        last_message_ = last.number(0);
        last.reset();
    }
}

void row_writer::apply(std::span<const core::change_batch> batches) {
    find_shared(batches);
    for (const auto& batch : batches) {
        for (const auto& row : batch.rows) {
            if (!db_.ok()) return;
            std::visit([this](const auto& one) { apply(one); }, row);
        }
    }
}

// A message that goes to several sessions in one transaction gets one row of its own. Those of later transactions get
// another one: the same message comes back with the next state of its row only, and that row is known.
void row_writer::find_shared(std::span<const core::change_batch> batches) {
    uses_.clear();
    for (const auto& batch : batches) {
        for (const auto& row : batch.rows) {
            const auto* const out = std::get_if<core::outgoing_row>(&row);
            if (out == nullptr || !out->what.message) continue;
            const auto [at, is_new] = uses_.try_emplace(out->what.message.get(), use{out->session, out->order});
            if (!is_new && (at->second.session != out->session || at->second.place != out->order)) {
                at->second.is_shared = true;
            }
        }
    }
}

// ---- putting

void row_writer::apply(const core::session_row& row) {
    if (epoch_of_session_.begin(number(row.session)) && epoch_of_session_.step()) {
        const auto stored = static_cast<std::uint32_t>(epoch_of_session_.number(0));
        epoch_of_session_.reset();
        if (stored != row.epoch) erase_all_received_.run(number(row.session));
    }
    put_session_.run(number(row.session), std::string_view(row.client_id), row.expiry_interval,
                     milliseconds(row.expires_at), static_cast<int>(row.version), row.epoch, sum_of(row));
}

void row_writer::apply(const core::subscription_row& row) {
    const int options = encode_options(row);
    put_subscription_.run(number(row.session), std::string_view(row.filter), options, row.identifier,
                          sum_of(row, options));
}

void row_writer::apply(const core::outgoing_row& row) {
    const std::uint64_t session = number(row.session);
    const int state = static_cast<int>(row.state);
    const int id = to_number(row.id);
    const int flags = send_flags(row.what);
    const std::string identifiers = encode_identifiers(row.what.subscription_identifiers);
    const auto row_sum = sum_of_place(session, row.order, state, id, row.released_order, flags, identifiers);

    if (!row.what.message) {
        if (!references_.empty()) release_message_of(row.session, row.order);
        put_outgoing_.run(session, row.order, state, id, row.released_order, flags, blob{identifiers}, row_sum,
                          std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt,
                          std::nullopt);
        return;
    }
    const auto columns = columns_of(*row.what.message);
    const bool is_large = columns.topic.size() + columns.payload.size() + columns.properties.size() > inline_size_max;
    if (row.state == core::outgoing_state::queued) {
        // Another message may have taken the place of the one that waited there.
        if (!references_.empty()) release_message_of(row.session, row.order);
    } else if (is_large || !references_.empty()) {
        // If it is there, it is this message: only its state is new.
        update_outgoing_.run(session, row.order, state, id, row.released_order, flags, blob{identifiers}, row_sum);
        if (!db_.ok() || db_.has_changed()) return;
    }
    if (is_large || uses_.at(row.what.message.get()).is_shared) return put_reference(row, columns, identifiers);
    put_outgoing_.run(session, row.order, state, id, row.released_order, flags, blob{identifiers}, row_sum,
                      std::nullopt, columns.topic, blob{columns.payload}, blob{columns.properties}, columns.flags,
                      columns.expires_at, columns.sum());
}

void row_writer::put_reference(const core::outgoing_row& row, const message_columns& columns,
                               const std::string& identifiers) {
    use& known = uses_.at(row.what.message.get());
    if (known.id == 0) {
        known.id = ++last_message_;
        put_message_.run(known.id, columns.topic, blob{columns.payload}, blob{columns.properties}, columns.flags,
                         columns.expires_at, columns.sum());
    }
    const int state = static_cast<int>(row.state);
    const int flags = send_flags(row.what);
    put_outgoing_.run(
        number(row.session), row.order, state, to_number(row.id), row.released_order, flags, blob{identifiers},
        sum_of_place(number(row.session), row.order, state, to_number(row.id), row.released_order, flags, identifiers),
        known.id, std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt, std::nullopt);
    ++references_[known.id];
}

void row_writer::apply(const core::received_row& row) {
    put_received_.run(number(row.session), to_number(row.id), sum_of(row));
}

void row_writer::apply(const core::retained_row& row) {
    if (!row.message) {
        erase_retained_.run(std::string_view(row.topic));
        return;
    }
    const auto m = columns_of(*row.message);
    put_retained_.run(m.topic, blob{m.payload}, blob{m.properties}, m.flags, m.expires_at, m.sum());
}

void row_writer::apply(const core::will_row& row) {
    const auto m = columns_of(*row.message);
    put_will_.run(
        number(row.session), row.delay_interval, m.topic, blob{m.payload}, blob{m.properties}, m.flags, m.expires_at,
        checksum().add(number(row.session)).add(row.delay_interval).add(static_cast<std::uint64_t>(m.sum())).value());
}

// ---- erasing

void row_writer::apply(const core::erase_session& row) {
    const auto session = number(row.session);
    if (!references_.empty()) {
        std::vector<std::pair<std::int64_t, std::int64_t>> messages;
        if (messages_of_session_.begin(session)) {
            while (messages_of_session_.step()) {
                messages.emplace_back(messages_of_session_.number(0), messages_of_session_.number(1));
            }
        }
        for (const auto& [message, count] : messages)
            release(message, count);
    }
    erase_session_.run(session);
    erase_subscriptions_.run(session);
    erase_all_outgoing_.run(session);
    erase_all_received_.run(session);
    erase_will_.run(session);
}

void row_writer::apply(const core::erase_subscription& row) {
    erase_subscription_.run(number(row.session), std::string_view(row.filter));
}

void row_writer::apply(const core::erase_outgoing& row) {
    if (!references_.empty()) release_message_of(row.session, row.order);
    erase_outgoing_.run(number(row.session), row.order);
}

void row_writer::apply(const core::erase_received& row) { erase_received_.run(number(row.session), to_number(row.id)); }

void row_writer::apply(const core::erase_will& row) { erase_will_.run(number(row.session)); }

void row_writer::apply(const core::erase_enqueued& row) { erase_enqueued_.run(row.id); }

void row_writer::release_message_of(core::session_key session, std::uint64_t place) {
    if (!message_of_outgoing_.begin(number(session), place) || !message_of_outgoing_.step()) return;
    const bool has_message = !message_of_outgoing_.is_null(0);
    const auto message = message_of_outgoing_.number(0);
    message_of_outgoing_.reset();
    if (has_message) release(message, 1);
}

void row_writer::release(std::int64_t message, std::int64_t count) {
    const auto at = references_.find(message);
    if (at == references_.end()) return;
    at->second -= count;
    if (at->second > 0) return;
    references_.erase(at);
    erase_message_.run(message);
}

}  // namespace martlet::store_impl
