// What a client keeps in its store beside the messages of the session: who it is, what it has subscribed to, and messages
// that the application has put into the store itself.
#include "client/client_engine.hpp"

#include <algorithm>
#include <utility>

namespace martlet::detail {

namespace {

constexpr std::uint32_t identifier_max = 268'435'455;
constexpr std::size_t enqueued_at_once = 1'000;

}  // namespace

// What an earlier process left behind. Messages that were published before this are queued behind it.
error_code client_engine::restore(stored_state from, std::string& why) {
    std::vector<core::outgoing> early = session_.take_queue();
    (void)journal_.take();  // rows of `early`, which gets new ones

    std::uint32_t epoch = 0;
    std::vector<core::received_row> received;
    for (auto& stored : from.sessions) {
        if (stored.row.session != session_.key()) return errc::store_damaged;
        const auto& id = stored.row.client_id;
        if (!id.empty() && !options_.client_id.empty() && id != options_.client_id) {
            why = "of client id '" + id + "', not of '" + options_.client_id + "'";
            return errc::store_of_another_client;
        }
        if (client_id_.empty()) client_id_ = id;
        epoch = stored.row.epoch + 1;  // receipts of the earlier process mean nothing any more
        received = stored.messages.received;
        for (const auto& row : stored.subscriptions)
            stored_filters_[row.filter] = row.identifier;
        has_stored_session_ = options_.session == session_mode::resume;
        if (!session_.restore(std::move(stored.messages))) return errc::store_damaged;
    }
    session_.received.set_epoch(epoch);
    record_session(session_expiry());
    for (auto& row : received)
        journal_.record(row);  // the new epoch has erased them
    for (auto& what : early) {
        const auto who = what.who;
        if (!session_.enqueue(std::move(what))) outcome(who, errc::queue_full);
    }
    const std::vector<stream_state_ptr> streams(routes_.streams().begin(), routes_.streams().end());
    for (const auto& stream : streams) {  // asked for before we knew which identifiers are taken
        if (stream->has_given_identifier) continue;
        routes_.remove(*stream);
        stream->identifier = choose_identifier(*stream);
        routes_.add(stream);
    }
    settle();
    return {};
}

void client_engine::record_session(std::uint32_t expiry) {
    if (!journal_.on()) return;
    journal_.record(core::session_row{session_.key(), client_id_, expiry, {}, version_, session_.received.epoch()});
}

// -- subscriptions

// The server may still send messages with the identifiers of an earlier process: the same filters get the same one, and
// other filters none of those.
std::uint32_t client_engine::choose_identifier(const stream_state& stream) {
    const auto stored = [&](const std::string& filter) {
        const auto at = stored_filters_.find(filter);
        return at != stored_filters_.end() ? at->second : 0;
    };
    const auto known = stream.filters.empty() ? 0 : stored(stream.filters.front());
    if (known != 0 && !is_identifier_taken(known) &&
        std::all_of(stream.filters.begin(), stream.filters.end(), [&](const auto& f) { return stored(f) == known; })) {
        return known;
    }
    for (;;) {
        const auto id = next_identifier_;
        next_identifier_ = id == identifier_max ? 1 : id + 1;
        if (stored_filters_.empty() && !has_given_identifiers_) return id;
        const bool is_stored = std::any_of(stored_filters_.begin(), stored_filters_.end(),
                                           [&](const auto& entry) { return entry.second == id; });
        if (!is_stored && !is_identifier_taken(id)) return id;
    }
}

void client_engine::store_subscription(const stream_state& stream, std::size_t at) {
    if (!journal_.on()) return;
    const auto& asked = stream.requests[at];
    stored_filters_[stream.filters[at]] = stream.identifier;
    journal_.record(core::subscription_row{session_.key(), stream.filters[at], asked.qos, asked.no_local,
                                           asked.retain_as_published, asked.retain_handling, stream.identifier});
}

void client_engine::forget_subscription(const std::string& filter) {
    if (!journal_.on() || stored_filters_.erase(filter) == 0) return;
    journal_.record(core::erase_subscription{session_.key(), filter});
}

void client_engine::forget_subscriptions() {
    if (!journal_.on()) return;
    for (const auto& [filter, id] : std::exchange(stored_filters_, {})) {
        journal_.record(core::erase_subscription{session_.key(), filter});
    }
}

// -- messages that the application has enqueued in the store

std::size_t client_engine::room_for_enqueued() const noexcept {
    const bool accepts = is_running() && state_ != state::leaving;  // draining, too: they are owed
    const auto limit = std::min(options_.queue.count_max, 2 * enqueued_at_once);
    const auto waiting = session_.queue_count();
    return accepts && waiting < limit && session_.queue_bytes() < options_.queue.bytes_max / 2
               ? std::min(enqueued_at_once, limit - waiting)
               : 0;
}

// They move into the queue of the session: both in one batch.
void client_engine::take_enqueued(std::vector<enqueued_row> rows) {
    for (auto& row : rows) {
        bool ignored = false;
        const auto topic = row.what.message->topic();
        const auto keep = row.what.message;
        if (const auto error = send_or_queue(std::move(row.what), ignored)) {
            if (error == errc::queue_full || error == errc::not_running) break;  // they stay where they are
            client_event e;  // too large for the server, expired …: it will never be sent
            e.kind = client_event::kind_type::queue_dropped;
            e.cause = error;
            e.text = topic;
            e.count = 1;
            push_event(std::move(e));
        }
        journal_.record(core::erase_enqueued{row.id});
        last_enqueued_ = row.id;
    }
}

void client_engine::expect_enqueued(bool may_come) {
    expects_enqueued_ = may_come;
    settle();
}

// -- troubles

void client_engine::on_store_unusable(error_code error, std::string text) {
    tell(client_event::kind_type::stopped, error, std::move(text));
}

void client_engine::on_store_condition(error_code error, std::string text) {
    client_event e;
    e.kind = client_event::kind_type::store_delayed;
    e.cause = error;
    e.text = std::move(text);
    push_event(std::move(e));
}

void client_engine::on_store_failed(error_code error, std::string text) {
    if (!is_running()) return;
    store_error_text_ = std::move(text);
    finish(error);
    store_error_text_.clear();
}

}  // namespace martlet::detail
