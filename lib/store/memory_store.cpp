// The store in memory: rows in maps, committed at once.
#include <martlet/store.hpp>

#include <map>
#include <string>
#include <utility>

namespace martlet {

namespace {

class memory_store_impl final : public store {
public:
    void load(load_handler done) override {
        stored_state state;
        for (const auto& [key, s] : sessions_) {
            auto& one = state.sessions.emplace_back();
            one.row = s.row;
            for (const auto& [order, row] : s.outgoing)
                one.messages.outgoing.push_back(row);
            for (const auto& [id, row] : s.received)
                one.messages.received.push_back(row);
            for (const auto& [filter, row] : s.subscriptions)
                one.subscriptions.push_back(row);
            if (s.will) one.wills.push_back(*s.will);
        }
        for (const auto& [topic, row] : retained_)
            state.retained.push_back(row);
        done({}, std::move(state));
    }

    void commit(core::change_batch batch, commit_handler done) override {
        for (auto& row : batch.rows)
            std::visit([this](auto& one) { apply(std::move(one)); }, row);
        done({}, batch.number);
    }

private:
    struct session_rows {
        core::session_row row;
        std::map<std::uint64_t, core::outgoing_row> outgoing;
        std::map<packet_id, core::received_row> received;
        std::map<std::string, core::subscription_row> subscriptions;
        std::optional<core::will_row> will;
    };

    void apply(core::session_row&& row) {
        auto& s = sessions_[row.session];
        if (s.row.epoch != row.epoch) s.received.clear();
        s.row = std::move(row);
    }
    void apply(core::subscription_row&& row) {
        auto filter = row.filter;
        sessions_[row.session].subscriptions.insert_or_assign(std::move(filter), std::move(row));
    }
    void apply(core::outgoing_row&& row) {
        row.what.who = 0;  // whoever asked is gone when the row comes back
        sessions_[row.session].outgoing.insert_or_assign(row.order, std::move(row));
    }
    void apply(core::received_row&& row) { sessions_[row.session].received.insert_or_assign(row.id, row); }
    void apply(core::retained_row&& row) {
        if (!row.message) {
            retained_.erase(row.topic);
            return;
        }
        auto topic = row.topic;
        retained_.insert_or_assign(std::move(topic), std::move(row));
    }
    void apply(core::will_row&& row) { sessions_[row.session].will = std::move(row); }
    void apply(core::erase_session&& row) { sessions_.erase(row.session); }
    void apply(core::erase_subscription&& row) { sessions_[row.session].subscriptions.erase(row.filter); }
    void apply(core::erase_outgoing&& row) { sessions_[row.session].outgoing.erase(row.order); }
    void apply(core::erase_received&& row) { sessions_[row.session].received.erase(row.id); }
    void apply(core::erase_will&& row) { sessions_[row.session].will.reset(); }
    void apply(core::erase_enqueued&&) {}  // nobody can enqueue here

    std::map<core::session_key, session_rows> sessions_;
    std::map<std::string, core::retained_row> retained_;
};

}  // namespace

std::shared_ptr<store> memory_store() { return std::make_shared<memory_store_impl>(); }

}  // namespace martlet
