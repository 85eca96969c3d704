#include "faults/faulty_link.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <utility>

namespace martlet::faults_impl {
namespace {

constexpr duration overtaking_max = std::chrono::seconds(1);
constexpr std::size_t aliases_max = 64;  // remembered for topic=; peers may use more
constexpr std::uint64_t pieces_per_second = 50;
constexpr char dup_flag = 0x08;
constexpr char clean_start_flag = 0x02;

}  // namespace

faulty_link::faulty_link(std::shared_ptr<plan> rules, link_info info, bool by_packets, steady_time now)
    : plan_(std::move(rules)),
      info_(std::move(info)),
      number_(plan_->open()),
      dice_(plan_->dice_of(number_)),
      opened_(now),
      now_(now),
      by_packets_(by_packets) {
    for (std::size_t i = 0; i < plan_->rules().size(); ++i)
        static_cast<void>(state_of(i, plan_->rules()[i]));
}

// ---- input

void faulty_link::receive(flow f, std::string_view bytes, steady_time now) {
    now_ = now;
    lane& way = lane_of(f);
    if (is_ended_ || way.silent || way.over || bytes.empty()) return;
    if (!by_packets_ || way.raw) return on_bytes(f, bytes);

    std::string joined;
    if (!way.rest.empty()) {
        joined = std::exchange(way.rest, {});
        joined.append(bytes);
        bytes = joined;
    }
    while (!bytes.empty()) {
        core::frame frame;
        fault why;
        std::size_t size = 0;
        switch (core::cut_frame(bytes, version_, packet_size_max, frame, why, size)) {
            case core::frame_status::incomplete: way.rest = bytes; return;
            case core::frame_status::faulty:  // TLS, WebSocket, or not MQTT on purpose
                way.raw = true;
                return on_bytes(f, bytes);
            case core::frame_status::complete: break;
        }
        bytes.remove_prefix(frame.packet.size());
        on_packet(f, frame);
        if (is_ended_ || way.silent || way.over) return;
    }
}

void faulty_link::finish(flow f, steady_time now) {
    now_ = now;
    lane& way = lane_of(f);
    if (is_ended_ || way.silent || way.over) return;
    while (!way.waiting.empty())
        release(way, 0, f);
    if (!way.rest.empty()) pass(f, std::exchange(way.rest, {}));
    if (!is_ended_) way.over = true;
}

void faulty_link::on_deadline(steady_time now) {
    now_ = now;
    if (is_ended_) return;
    for (const flow f : {flow::in, flow::out}) {
        lane& way = lane_of(f);
        while (!way.waiting.empty() && way.waiting.front().until <= now_)
            release(way, 0, f);
    }
    auto& rules = plan_->rules();
    for (std::size_t i = 0; i < rules.size() && !is_ended_; ++i) {
        live_rule& one = rules[i];
        state& counted = state_of(i, one);
        if (!one.rule.is_timed() || counted.is_done || !counted.applies || !one.acts(now_)) continue;
        if (!concerns(one.rule, knows_client_)) continue;
        const bool is_time = one.rule.after_time && now_ - opened_ >= counted.after_time;
        const bool is_size = one.rule.after_bytes && passed_by(one.rule) >= counted.after_bytes;
        if (!is_time && !is_size) continue;
        counted.is_done = true;
        act_on_connection(one, one.rule.in ? flow::in : flow::out, "bytes");
    }
}

// ---- output

std::string_view faulty_link::due(flow f) const noexcept {
    const lane& way = lane_of(f);
    if (way.queue.empty() || way.stalled_until > now_) return {};
    const chunk& next = way.queue.front();
    if (next.how.at > now_) return {};
    const std::string_view rest = std::string_view(next.bytes).substr(next.written);
    return next.how.piece == 0 ? rest : rest.substr(0, next.how.piece - next.written % next.how.piece);
}

void faulty_link::consume(flow f, std::size_t count) {
    lane& way = lane_of(f);
    if (way.queue.empty()) return;
    chunk& front = way.queue.front();
    front.written += count;
    way.queued -= count;
    const bool is_done = front.written == front.bytes.size();
    const duration pause = front.how.pace;
    const bool is_piece = pause.count() != 0 && (is_done || front.written % front.how.piece == 0);
    if (is_piece) way.stalled_until = std::max(way.stalled_until, now_) + pause;
    if (is_done) way.queue.pop_front();
}

bool faulty_link::is_over(flow f) const noexcept {
    const lane& way = lane_of(f);
    return way.over && !way.silent && way.queue.empty();
}

steady_time faulty_link::next_deadline() const noexcept {
    steady_time next = never;
    for (const lane& way : lanes_) {
        if (!way.queue.empty()) {
            const steady_time at = std::max(way.stalled_until, way.queue.front().how.at);
            if (at > now_) next = std::min(next, at);
        }
        if (!way.waiting.empty()) next = std::min(next, way.waiting.front().until);
    }
    if (is_ended_) return next;
    const auto& rules = plan_->rules();
    for (std::size_t i = 0; i < states_.size(); ++i) {
        const live_rule& one = rules[i];
        if (!one.rule.after_time || !one.rule.is_timed()) continue;
        if (states_[i].is_done || !states_[i].applies || !one.acts(now_)) continue;
        if (concerns(one.rule, knows_client_)) next = std::min(next, opened_ + states_[i].after_time);
    }
    return next;
}

// ---- packets

void faulty_link::on_packet(flow f, const core::frame& frame) {
    if (frame.type == packet_type::connect && f == flow::in) note_connect(frame);
    seen_packet packet{f, &frame, frame.packet, {}, {}};
    if (frame.type == packet_type::publish) look_at_publish(packet);
    arm(packet);

    live_rule* acting = nullptr;
    live_rule* behind = nullptr;  // acts when the packet has passed
    auto& rules = plan_->rules();
    for (std::size_t i = 0; i < rules.size(); ++i) {
        live_rule& one = rules[i];
        state& counted = state_of(i, one);
        if (!counted.applies || counted.is_done || one.rule.is_timed() || !one.acts(now_) || !fits(one, packet)) {
            continue;
        }
        ++counted.seen;
        if (acting != nullptr || !is_the_time(one.rule, counted)) continue;
        const bool comes_behind = is_about_connection(one.rule.action) && counted.after_packets != 0;
        if (comes_behind && behind != nullptr) continue;
        if (!dice_.falls(one.rule.chance)) continue;
        (comes_behind ? behind : acting) = &one;
        counted.is_done = is_about_connection(one.rule.action);
    }
    if (acting != nullptr) {
        act(*acting, packet);
    } else {
        pass(f, frame.packet);
        overtaken(f);
    }
    if (behind != nullptr && !is_ended_) act_on_connection(*behind, f, to_string(frame.type));
}

// Bytes whose meaning nobody knows: rules that need none take what comes as one piece.
void faulty_link::on_bytes(flow f, std::string_view bytes) {
    auto& rules = plan_->rules();
    for (std::size_t i = 0; i < rules.size(); ++i) {
        live_rule& one = rules[i];
        state& counted = state_of(i, one);
        if (!counted.applies || counted.is_done || one.rule.needs_packets() || one.rule.is_timed()) continue;
        if (!one.acts(now_) || !one.rule.covers(f)) continue;
        if (!is_the_time(one.rule, counted)) continue;
        counted.is_done = is_about_connection(one.rule.action);
        return act(one, {f, nullptr, bytes, {}, {}});
    }
    pass(f, bytes);
}

void faulty_link::note_connect(const core::frame& frame) {
    packet decoded;
    const fault why = core::decode(frame, version_, role::broker, decoded);
    const auto* const connect = std::get_if<packets::connect>(&decoded);
    if (connect == nullptr) return;
    version_ = connect->version;
    if (why) return;
    client_ = connect->client_id;
    user_ = connect->user_name.value_or("");
    knows_client_ = true;
}

void faulty_link::look_at_publish(seen_packet& packet) {
    packet.level = static_cast<qos>(packet.frame->flags >> 1 & 3);
    const auto& rules = plan_->rules();
    if (std::none_of(rules.begin(), rules.end(),
                     [](const live_rule& one) { return one.rule.topic || one.rule.armed_by; }))
        return;
    packets::publish decoded;
    if (core::decode_publish(*packet.frame, version_, receiver(packet.way), {}, decoded)) return;
    auto& aliases = lane_of(packet.way).aliases;
    if (!decoded.topic.empty()) {
        packet.topic = std::string(decoded.topic);
        if (decoded.topic_alias && (aliases.size() < aliases_max || aliases.contains(*decoded.topic_alias))) {
            aliases[*decoded.topic_alias] = *packet.topic;
        }
    } else if (const auto known = aliases.find(decoded.topic_alias.value_or(0)); known != aliases.end()) {
        packet.topic = known->second;
    }
}

void faulty_link::arm(const seen_packet& packet) {
    if (!packet.topic) return;
    for (live_rule& one : plan_->rules()) {
        if (one.armed || one.rule.armed_by != packet.topic) continue;
        one.armed = true;
        one.since = now_;
    }
}

// ---- rules

faulty_link::state& faulty_link::state_of(std::size_t rule_number, live_rule& one) {
    if (states_.size() <= rule_number) states_.resize(plan_->rules().size());
    state& drawn = states_[rule_number];
    if (!one.since && !one.rule.armed_by) one.since = now_;
    if (std::exchange(drawn.is_drawn, true)) return drawn;
    const rule& r = one.rule;
    drawn.applies = (!r.listener || matches_glob(*r.listener, info_.listener)) &&
                    (!r.address || matches_address(*r.address, info_.address)) && dice_.falls(r.share);
    if (r.after_packets) drawn.after_packets = dice_.between(r.after_packets->low, r.after_packets->high);
    if (r.after_time) {
        drawn.after_time =
            duration(static_cast<duration::rep>(dice_.between(static_cast<std::uint64_t>(r.after_time->low.count()),
                                                              static_cast<std::uint64_t>(r.after_time->high.count()))));
    }
    if (!r.after_bytes) return drawn;
    if (!r.is_sweep) {
        drawn.after_bytes = dice_.between(r.after_bytes->low, r.after_bytes->high);
    } else if (drawn.applies) {
        drawn.after_bytes = r.after_bytes->low + one.swept++;
        drawn.applies = drawn.after_bytes <= r.after_bytes->high;
    }
    return drawn;
}

bool faulty_link::concerns(const rule& r, bool knows_client) const {
    if (!r.client && !r.user) return true;
    return knows_client && (!r.client || matches_glob(*r.client, client_)) && (!r.user || matches_glob(*r.user, user_));
}

bool faulty_link::fits(const live_rule& one, const seen_packet& packet) const {
    const rule& r = one.rule;
    if (!r.covers(packet.way) || !r.covers(packet.frame->type) || !concerns(r, knows_client_)) return false;
    if (r.larger_than && packet.bytes.size() <= *r.larger_than) return false;
    if (r.wanted_qos && packet.level != r.wanted_qos) return false;
    if (!r.topic) return true;
    if (packet.topic) return topic_matches(*r.topic, *packet.topic);
    if (packet.frame->type != packet_type::subscribe && packet.frame->type != packet_type::unsubscribe) return false;
    martlet::packet decoded;
    if (core::decode(*packet.frame, version_, role::broker, decoded)) return false;
    if (const auto* const subscribe = std::get_if<packets::subscribe>(&decoded)) {
        return std::any_of(subscribe->subscriptions.begin(), subscribe->subscriptions.end(),
                           [&](const subscription_request& wanted) { return wanted.filter == *r.topic; });
    }
    const auto& filters = std::get<packets::unsubscribe>(decoded).filters;
    return std::find(filters.begin(), filters.end(), *r.topic) != filters.end();
}

bool faulty_link::is_the_time(const rule& r, const state& counted) const {
    if (r.nth && counted.seen != *r.nth) return false;
    if (r.every && counted.seen % *r.every != 0) return false;
    if (r.after_packets) {
        const std::uint64_t passed = counted.after_packets;
        if (is_about_connection(r.action) ? counted.seen != std::max<std::uint64_t>(passed, 1)
                                          : counted.seen <= passed) {
            return false;
        }
    }
    if (r.after_bytes && passed_by(r) < counted.after_bytes) return false;
    return !r.after_time || now_ - opened_ >= counted.after_time;
}

// ---- what rules do

void faulty_link::act(live_rule& one, const seen_packet& packet) {
    const rule& r = one.rule;
    const flow f = packet.way;
    const std::string_view what = packet.frame != nullptr ? to_string(packet.frame->type) : "bytes";
    if (is_about_connection(r.action)) return act_on_connection(one, f, what);

    hit(one, f, what);
    shape how;
    std::string changed;
    std::string_view bytes = packet.bytes;
    switch (r.action) {
        case action::drop: return;
        case action::refuse: return refuse(r, packet);
        case action::reorder:
            lane_of(f).waiting.push_back({std::string(bytes), r.amount, now_ + overtaking_max});
            return;
        case action::dup:
            pass(f, bytes);
            changed = bytes;
            if (packet.level && *packet.level != qos::at_most_once)
                changed[0] = static_cast<char>(changed[0] | dup_flag);
            bytes = changed;
            break;
        case action::delay: {
            const auto spread = static_cast<std::uint64_t>(r.spread.count());
            const auto more = static_cast<duration::rep>(dice_.between(0, 2 * spread)) - r.spread.count();
            how.at = now_ + std::max(r.time + duration(more), duration::zero());
            break;
        }
        case action::corrupt: {
            changed = bytes;
            const std::size_t at = r.byte ? std::min(*r.byte, bytes.size() - 1)
                                          : static_cast<std::size_t>(dice_.between(0, bytes.size() - 1));
            changed[at] = static_cast<char>(changed[at] ^ (1 << dice_.between(0, 7)));
            bytes = changed;
            break;
        }
        case action::truncate: bytes = bytes.substr(0, r.amount); break;
        case action::split: how.piece = static_cast<std::size_t>(r.amount); break;
        case action::coalesce: {
            lane& way = lane_of(f);
            if (way.window_end <= now_) way.window_end = now_ + r.time;
            how.at = way.window_end;
            break;
        }
        case action::throttle:
            how.piece = static_cast<std::size_t>(std::max<std::uint64_t>(r.amount / pieces_per_second, 1));
            how.pace = duration(
                static_cast<duration::rep>(static_cast<double>(how.piece) * 1e6 / static_cast<double>(r.amount)));
            break;
        case action::stall:
            for (const flow each : {flow::in, flow::out}) {
                if (r.covers(each)) lane_of(each).stalled_until = std::max(lane_of(each).stalled_until, now_ + r.time);
            }
            break;
        case action::lose_session: {
            changed = bytes;  // the flags stand behind the name, with its length, and the version
            const std::string_view body = packet.frame->body;
            const std::size_t name = static_cast<std::size_t>(static_cast<unsigned char>(body[0])) << 8 |
                                     static_cast<unsigned char>(body[1]);
            const std::size_t at = bytes.size() - body.size() + 2 + name + 1;
            if (at < changed.size()) changed[at] = static_cast<char>(changed[at] | clean_start_flag);
            bytes = changed;
            break;
        }
        default: break;
    }
    pass(f, bytes, how);
    overtaken(f);
}

void faulty_link::act_on_connection(live_rule& one, flow f, std::string_view what) {
    const rule& r = one.rule;
    hit(one, f, what);
    switch (r.action) {
        case action::reset:
            is_reset_ = true;
            is_ended_ = true;
            return;
        case action::half_close:
            for (const flow each : {flow::in, flow::out}) {
                if (r.covers(each)) lane_of(each).over = true;
            }
            return;
        case action::half_open:
            for (const flow each : {flow::in, flow::out}) {
                if (!r.covers(each)) continue;
                lane& way = lane_of(each);
                way.silent = true;
                way.queue.clear();
                way.waiting.clear();
                way.rest.clear();
                way.queued = 0;
            }
            return;
        case action::disconnect:
            if (r.reason && version_ == protocol_version::v5) {
                packets::disconnect said;
                said.reason = *r.reason;
                answer(said);
            }
            return end_in_order();
        default: return;
    }
}

void faulty_link::refuse(const rule& r, const seen_packet& packet) {
    const reason_code reason = *r.reason;
    martlet::packet decoded;
    if (core::decode(*packet.frame, version_, role::broker, decoded)) return pass(packet.way, packet.bytes);
    if (std::holds_alternative<packets::connect>(decoded)) {
        packets::connack said;
        said.reason = reason;
        answer(said);
        return end_in_order();
    }
    if (const auto* const subscribe = std::get_if<packets::subscribe>(&decoded)) {
        packets::suback said;
        said.id = subscribe->id;
        said.reasons.assign(subscribe->subscriptions.size(), reason);
        return answer(said);
    }
    const auto& publish = std::get<packets::publish>(decoded);
    if (publish.qos == qos::at_most_once) return;
    if (version_ != protocol_version::v5) return end_in_order();
    if (publish.qos == qos::at_least_once) {
        packets::puback said;
        said.id = publish.id;
        said.reason = reason;
        return answer(said);
    }
    packets::pubrec said;
    said.id = publish.id;
    said.reason = reason;
    answer(said);
}

// A packet of ours to the client.
void faulty_link::answer(const packet& what) {
    std::string bytes(core::encoded_size(what, version_), '\0');
    if (bytes.empty()) return;
    core::encode(what, version_, bytes.data());
    pass(flow::out, bytes);
}

// On the way out of here bytes are counted: a rule may cut them anywhere.
void faulty_link::pass(flow f, std::string_view bytes, const shape& how) {
    lane& way = lane_of(f);
    while (!bytes.empty() && !is_ended_ && !way.silent && !way.over) {
        live_rule* cutting = nullptr;
        std::uint64_t room = bytes.size() + std::uint64_t{1};
        auto& rules = plan_->rules();
        for (std::size_t i = 0; i < rules.size(); ++i) {
            live_rule& one = rules[i];
            if (!one.rule.after_bytes || !one.rule.is_timed() || !one.rule.covers(f)) continue;
            const state& counted = state_of(i, one);
            if (counted.is_done || !counted.applies || !one.acts(now_) || !concerns(one.rule, knows_client_)) continue;
            if (one.rule.after_time && now_ - opened_ < counted.after_time) continue;
            const std::uint64_t passed = passed_by(one.rule);
            const std::uint64_t left = counted.after_bytes > passed ? counted.after_bytes - passed : 0;
            if (left >= room) continue;
            room = left;
            cutting = &one;
        }
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(room, bytes.size()));
        enqueue(way, bytes.substr(0, count), how);
        way.passed += count;
        bytes.remove_prefix(count);
        if (cutting == nullptr) return;
        for (std::size_t i = 0; i < rules.size(); ++i) {
            if (&rules[i] == cutting) states_[i].is_done = true;
        }
        act_on_connection(*cutting, f, "bytes");
    }
}

void faulty_link::enqueue(lane& to, std::string_view bytes, const shape& how) {
    if (bytes.empty()) return;
    to.queued += bytes.size();
    if (!to.queue.empty()) {
        chunk& last = to.queue.back();
        const bool same = last.how.at == how.at && last.how.piece == how.piece && last.how.pace == how.pace;
        if (same && last.bytes.size() < queue_bytes_max) {
            last.bytes.append(bytes);
            return;
        }
    }
    to.queue.push_back({std::string(bytes), 0, how});
}

// A packet has passed: those that wait to be overtaken are one nearer to their turn.
void faulty_link::overtaken(flow f) {
    lane& way = lane_of(f);
    for (held& one : way.waiting)
        --one.others;
    for (std::size_t i = 0; i < way.waiting.size();) {
        if (way.waiting[i].others == 0) {
            release(way, i, f);
        } else {
            ++i;
        }
    }
}

void faulty_link::release(lane& from, std::size_t index, flow f) {
    const std::string bytes = std::move(from.waiting[index].bytes);
    from.waiting.erase(from.waiting.begin() + static_cast<std::ptrdiff_t>(index));
    pass(f, bytes);
}

void faulty_link::end_in_order() {
    is_ended_ = true;
    for (lane& way : lanes_) {
        way.waiting.clear();
        way.rest.clear();
        way.over = true;
    }
}

void faulty_link::hit(live_rule& one, flow f, std::string_view what) {
    plan_->hit(one, {one.rule.text, client_, info_.address, number_, what, f == flow::in});
}

}  // namespace martlet::faults_impl
