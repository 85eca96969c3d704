#include "support/store_driver.hpp"

#include <future>

namespace martlet::test {

loaded load(store& from) {
    std::promise<loaded> done;
    auto result = done.get_future();
    from.load([&](error_code error, stored_state state) { done.set_value({error, std::move(state)}); });
    return result.get();
}

error_code commit(store& to, std::vector<core::change> rows, std::uint64_t number) {
    std::promise<error_code> done;
    auto result = done.get_future();
    to.commit({number, std::move(rows)}, [&](error_code error, std::uint64_t) { done.set_value(error); });
    return result.get();
}

std::vector<enqueued_row> enqueued(store& from, std::uint64_t after, std::size_t count_max) {
    std::promise<std::vector<enqueued_row>> done;
    auto result = done.get_future();
    from.read_enqueued(after, count_max,
                       [&](error_code, std::vector<enqueued_row> rows) { done.set_value(std::move(rows)); });
    return result.get();
}

// ---- text

namespace {

std::string text_of(const core::message_ref& m) {
    if (!m) return "(none)";
    return std::string(m->topic()) + '|' + std::string(m->payload()) + '|' + std::string(m->property_section()) + '|' +
           std::to_string(to_number(m->qos())) + (m->retain() ? "r" : "") + '|' +
           (m->expires_at() ? std::to_string(m->expires_at()->time_since_epoch().count()) : "never");
}

}  // namespace

rows_as_text text_of(const stored_state& state) {
    rows_as_text rows;
    for (const auto& s : state.sessions) {
        const auto key = std::to_string(static_cast<std::uint64_t>(s.row.session));
        rows["session " + key] =
            s.row.client_id + '|' + std::to_string(s.row.expiry_interval) + '|' +
            (s.row.expires_at ? std::to_string(s.row.expires_at->time_since_epoch().count()) : "never") + '|' +
            std::to_string(static_cast<int>(s.row.version)) + '|' + std::to_string(s.row.epoch);
        for (const auto& row : s.subscriptions) {
            rows["subscription " + key + ' ' + row.filter] =
                std::to_string(to_number(row.qos)) + (row.no_local ? "n" : "") + (row.retain_as_published ? "p" : "") +
                std::to_string(static_cast<int>(row.retain_handling)) + ' ' + std::to_string(row.identifier);
        }
        for (const auto& row : s.messages.outgoing) {
            std::string ids;
            if (row.what.subscription_identifiers) {
                for (const auto id : row.what.subscription_identifiers->ids())
                    ids += std::to_string(id) + ',';
            }
            rows["outgoing " + key + ' ' + std::to_string(row.order)] =
                std::to_string(static_cast<int>(row.state)) + '|' + std::to_string(to_number(row.id)) + '|' +
                std::to_string(row.released_order) + '|' + std::to_string(to_number(row.what.qos)) +
                (row.what.retain ? "r" : "") + '|' + ids + '|' + text_of(row.what.message);
        }
        for (const auto& row : s.messages.received) {
            rows["received " + key + ' ' + std::to_string(to_number(row.id))];
        }
        for (const auto& row : s.wills) {
            rows["will " + key] = std::to_string(row.delay_interval) + '|' + text_of(row.message);
        }
    }
    for (const auto& row : state.retained)
        rows["retained " + row.topic] = text_of(row.message);
    return rows;
}

// ---- random changes

std::uint64_t change_generator::random(std::uint64_t below) {  // splitmix64
    std::uint64_t z = (state_ += 0x9E37'79B9'7F4A'7C15);
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EB;
    return (z ^ (z >> 31)) % below;
}

std::string change_generator::text(std::size_t size_max) {
    std::string out(random(size_max + 1), '\0');
    for (char& c : out)
        c = static_cast<char>(random(256));
    return out;
}

core::message_ref change_generator::make_message(bool may_be_large) {
    message_properties properties;
    const user_property pairs[] = {{"name", "value"}, {"", "x"}};
    if (random(3) == 0) properties.content_type = "text/plain";
    if (random(3) == 0) properties.user_properties = pairs;
    std::optional<unix_time> expires_at;
    if (random(4) == 0) expires_at = unix_time(std::chrono::milliseconds(1'000'000'000'000 + random(1'000'000)));
    return core::outgoing_message::create(
        "t/" + std::to_string(random(40)), text(may_be_large && random(10) == 0 ? 20'000 : 60),
        random(2) == 0 ? qos::at_least_once : qos::exactly_once, random(2) == 0, properties, expires_at);
}

change_generator::session& change_generator::any_session(std::vector<core::change>& rows) {
    if (sessions_.empty() || (sessions_.size() < 8 && random(10) == 0)) {
        auto& made = sessions_[++last_key_];
        made.row = {
            core::session_key{last_key_}, "client-" + std::to_string(last_key_), 60, {}, protocol_version::v5, 0};
        rows.emplace_back(made.row);
        return made;
    }
    auto at = sessions_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random(sessions_.size())));
    return at->second;
}

std::vector<core::change> change_generator::next() {
    std::vector<core::change> rows;
    auto& s = any_session(rows);
    const auto key = s.row.session;
    const auto random_id = [&] { return packet_id{static_cast<std::uint16_t>(1 + random(20))}; };
    switch (random(16)) {
        case 0: {
            s.row.expiry_interval = static_cast<std::uint32_t>(random(1'000));
            s.row.expires_at.reset();
            if (random(2) == 0) s.row.expires_at = unix_time(std::chrono::milliseconds(random(1'000'000)));
            if (random(4) == 0) ++s.row.epoch;
            rows.emplace_back(s.row);
            break;
        }
        case 1: {
            core::subscription_row row{key, "f/" + std::to_string(random(10)) + "/#", static_cast<qos>(random(3))};
            row.no_local = random(2) == 0;
            row.retain_as_published = random(2) == 0;
            row.retain_handling = static_cast<retain_handling>(random(3));
            row.identifier = static_cast<std::uint32_t>(random(300'000));
            rows.emplace_back(row);
            break;
        }
        case 2: rows.emplace_back(core::erase_subscription{key, "f/" + std::to_string(random(10)) + "/#"}); break;
        case 3: rows.emplace_back(core::received_row{key, random_id()}); break;
        case 4: rows.emplace_back(core::erase_received{key, random_id()}); break;
        case 5: rows.emplace_back(core::will_row{key, make_message(), static_cast<std::uint32_t>(random(100))}); break;
        case 6: rows.emplace_back(core::erase_will{key}); break;
        case 7: {
            auto message = make_message();
            rows.emplace_back(core::retained_row{std::string(message->topic()), message});
            if (random(3) == 0) rows.emplace_back(core::retained_row{std::string(message->topic()), {}});
            break;
        }
        case 8:
            if (random(10) == 0) {
                rows.emplace_back(core::erase_session{key});
                sessions_.erase(static_cast<std::uint64_t>(key));
            }
            break;
        case 9:
        case 10: {  // one message to several sessions
            const auto message = make_message();
            for (auto& [number, one] : sessions_) {
                if (random(2) == 0) continue;
                core::outgoing what;
                what.message = message;
                what.qos = random(2) == 0 ? qos::at_least_once : qos::exactly_once;
                what.retain = random(2) == 0;
                if (random(3) == 0) what.subscription_identifiers = new core::identifier_list({1, 268'435'455});
                one.outgoing.push_back({one.next_order++, core::outgoing_state::queued, what, 0});
                rows.emplace_back(core::outgoing_row{one.row.session, one.outgoing.back().order,
                                                     core::outgoing_state::queued, packet_id::none, what, 0});
            }
            break;
        }
        default: {  // a message goes on
            if (s.outgoing.empty()) break;
            const auto at = s.outgoing.begin() + static_cast<std::ptrdiff_t>(random(s.outgoing.size()));
            std::uint64_t released = 0;
            switch (at->state) {
                case core::outgoing_state::queued:
                    if (random(5) == 0) {  // a later message takes its place
                        at->what.message = make_message();
                        break;
                    }
                    at->state = core::outgoing_state::in_flight;
                    at->id = static_cast<std::uint16_t>(1 + at->order % 65'535);
                    break;
                case core::outgoing_state::in_flight:
                    if (random(6) == 0) {  // the server lost the session
                        at->state = core::outgoing_state::queued;
                        at->id = 0;
                    } else if (at->what.qos == qos::exactly_once) {
                        at->state = core::outgoing_state::released;
                        at->what.message.reset();
                        at->what.subscription_identifiers.reset();
                        released = s.next_released++;
                    } else {
                        rows.emplace_back(core::erase_outgoing{key, at->order});
                        s.outgoing.erase(at);
                        return rows;
                    }
                    break;
                case core::outgoing_state::released:
                    rows.emplace_back(core::erase_outgoing{key, at->order});
                    s.outgoing.erase(at);
                    return rows;
            }
            rows.emplace_back(core::outgoing_row{key, at->order, at->state, packet_id{at->id}, at->what, released});
        }
    }
    return rows;
}

}  // namespace martlet::test
