#include "simulation/checkers.hpp"

#include <algorithm>
#include <charconv>

namespace martlet::simulation {

std::optional<std::pair<std::size_t, std::uint64_t>> parse_payload(std::string_view payload) {
    const auto slash = payload.find('/');
    if (payload.empty() || payload[0] != 'p' || slash == std::string_view::npos) return std::nullopt;
    std::size_t publisher = 0;
    std::uint64_t sequence = 0;
    const char* const end = payload.data() + payload.size();
    if (std::from_chars(payload.data() + 1, payload.data() + slash, publisher).ec != std::errc() ||
        std::from_chars(payload.data() + slash + 1, end, sequence).ptr != end) {
        return std::nullopt;
    }
    return std::pair{publisher, sequence};
}

// ---- sender_watch

void sender_watch::fault(const char* rule, packet_id id, const char* what) {
    verdict_->report(rule, name_ + ": packet id " + std::to_string(to_number(id)) + ": " + what);
}

void sender_watch::on_connection(bool session_present, std::uint16_t receive_maximum) {
    ++connection_;
    receive_maximum_ = receive_maximum;
    here_.clear();
    if (!session_present) open_.clear();
}

void sender_watch::on_sent(const packet& p) {
    if (const auto* publish = std::get_if<packets::publish>(&p)) {
        if (publish->qos == qos::at_most_once) {
            if (publish->dup) fault("MQTT-3.3.1-2", publish->id, "DUP at QoS 0");
            return;
        }
        const auto found = open_.find(publish->id);
        if (found == open_.end()) {
            // On a later connection it may have stood in the output of an earlier one: an attempt that nobody saw.
            if (publish->dup && connection_ <= 1 && !restarted_) {
                fault("MQTT-4.3.2-2", publish->id, "DUP on the first sending");
            }
            open_[publish->id] = {std::string(publish->payload), publish->qos, false, connection_};
        } else {
            exchange& known = found->second;
            if (known.payload != publish->payload) {
                fault("MQTT-2.2.1-3", publish->id, "reused while in use");
            } else if (known.released) {
                fault("MQTT-4.3.3-6", publish->id, "PUBLISH after PUBREL");
            } else if (known.connection == connection_) {
                fault("MQTT-4.4.0-1", publish->id, "sent again on the same connection");
            } else if (!publish->dup) {
                fault("MQTT-3.3.1-1", publish->id, "sent again without DUP");
            }
            known.connection = connection_;
        }
        here_.insert(publish->id);
        if (here_.size() > receive_maximum_) fault("MQTT-3.3.4-9", publish->id, "beyond the Receive Maximum");
        return;
    }
    if (const auto* pubrel = std::get_if<packets::pubrel>(&p)) {
        const auto found = open_.find(pubrel->id);
        if (found == open_.end()) {
            if (pubrel->reason == reason_code::success && !restarted_) {
                fault("MQTT-4.3.3-4", pubrel->id, "PUBREL without an exchange");
            }
            return;
        }
        found->second.released = true;
        found->second.connection = connection_;
    }
}

void sender_watch::on_acknowledged(const packet& p) {
    const auto end = [this](packet_id id) {
        open_.erase(id);
        here_.erase(id);
    };
    if (const auto* puback = std::get_if<packets::puback>(&p)) end(puback->id);
    if (const auto* pubcomp = std::get_if<packets::pubcomp>(&p)) end(pubcomp->id);
    if (const auto* pubrec = std::get_if<packets::pubrec>(&p); pubrec && is_failure(pubrec->reason)) end(pubrec->id);
}

// ---- packet_tap

void packet_tap::feed(std::string_view bytes) {
    if (broken_) return;
    buffer_.offer(bytes);
    for (;;) {
        core::frame frame;
        fault why;
        const auto status = buffer_.next(version_, 268'435'460, frame, why);
        if (status == core::frame_status::incomplete) break;
        if (status == core::frame_status::faulty || core::decode(frame, version_, receiver_, packet_)) {
            broken_ = true;
            break;
        }
        if (const auto* connect = std::get_if<packets::connect>(&packet_)) version_ = connect->version;
        to_(packet_, frame.packet.size());
    }
    buffer_.keep_rest();
}

// ---- delivery_ledger

void delivery_ledger::on_submitted(std::size_t publisher, std::uint64_t sequence, qos quality, bool retain) {
    const key k{publisher, sequence};
    submitted_[k] = {quality, retain, false};
    for (auto& [number, r] : readers_) {
        if (r.active) r.owed_from.insert(k);
    }
}

void delivery_ledger::on_completed(std::size_t publisher, std::uint64_t sequence) {
    submitted_[{publisher, sequence}].excused = false;
}

void delivery_ledger::excuse(std::size_t publisher, std::uint64_t sequence) {
    submitted_[{publisher, sequence}].excused = true;
}

void delivery_ledger::subscribed(std::size_t subscriber, qos granted) {
    readers_[subscriber].active = true;
    readers_[subscriber].granted = granted;
}

bool delivery_ledger::is_subscribed(std::size_t subscriber) const {
    const auto found = readers_.find(subscriber);
    return found != readers_.end() && found->second.active;
}

void delivery_ledger::session_lost(std::size_t subscriber, bool unseen) {
    readers_[subscriber].may_hide = unseen;
    readers_[subscriber].active = false;
    readers_[subscriber].owed_from.clear();
}

void delivery_ledger::on_received(std::size_t subscriber, std::size_t publisher, std::uint64_t sequence, qos quality,
                                  qos granted) {
    ++received_count_;
    const key k{publisher, sequence};
    const std::string name = "subscriber " + std::to_string(subscriber) + ", message " + std::to_string(publisher) +
                             "/" + std::to_string(sequence);
    const auto sent = submitted_.find(k);
    if (sent == submitted_.end()) return verdict_->report("MQTT-3.3.2-3", name + ": was never published");
    reader& r = readers_[subscriber];
    if (quality != martlet::min(sent->second.quality, granted)) {
        verdict_->report("MQTT-3.8.4-8", name + ": wrong QoS " + std::to_string(to_number(quality)));
    }
    receipt& known = r.received[k];
    if (++known.count == 1) {
        std::uint64_t& last = r.last[{publisher, sent->second.retain, sent->second.quality}];
        // Of QoS 1 forwarded at QoS 0 the first copy may be lost, and the publisher's repetition come later.
        // And what was published before the subscription, and comes again, was new to others then.
        const bool ordered =
            (sent->second.quality != qos::at_least_once || quality != qos::at_most_once) && r.owed_from.contains(k);
        if (sequence < last && ordered) {
            verdict_->report("MQTT-4.6.0-5", name + ": after " + std::to_string(last));
        }
        if (ordered) last = std::max(last, sequence);
        return;
    }
    if (sent->second.quality == qos::at_most_once) verdict_->report("MQTT-4.3.1-1", name + ": QoS 0 came twice");
    // QoS 1 may come again without DUP: the publisher's repetition is a message of its own for the broker.
    // A broker that crashes before it stored a QoS 2 message may have sent QoS 0 copies of it, which wait for nothing.
    const bool once = quality == qos::exactly_once || (quality == qos::at_most_once && !broker_crashed_);
    if (sent->second.quality == qos::exactly_once && once && known.count > 1) {
        verdict_->report("MQTT-4.3.3-10", name + ": QoS 2 came " + std::to_string(known.count) + " times");
    }
}

void delivery_ledger::take_back(std::size_t subscriber, std::size_t publisher, std::uint64_t sequence) {
    reader& r = readers_[subscriber];
    receipt& known = r.received[{publisher, sequence}];
    if (known.count != 0) --known.count;
    const message& back = submitted_[{publisher, sequence}];
    std::uint64_t& last = r.last[{publisher, back.retain, back.quality}];
    last = 0;
    for (const auto& [k, got] : r.received) {
        const message& m = submitted_[k];
        const bool same = k.first == publisher && m.quality == back.quality && m.retain == back.retain;
        if (same && got.count != 0 && r.owed_from.contains(k)) last = k.second;
    }
}

bool delivery_ledger::is_missing(const reader& r, const key& k, const message& m) const {
    if (m.excused || martlet::min(m.quality, r.granted) == qos::at_most_once) return false;
    if (r.may_hide && martlet::min(m.quality, r.granted) == qos::exactly_once) return false;
    const auto found = r.received.find(k);
    return found == r.received.end() || found->second.count == 0;
}

bool delivery_ledger::all_here() const {
    for (const auto& [number, r] : readers_) {
        for (const key& k : r.owed_from) {
            if (is_missing(r, k, submitted_.at(k))) return false;
        }
    }
    return true;
}

void delivery_ledger::check_complete() {
    for (const auto& [number, r] : readers_) {
        for (const key& k : r.owed_from) {
            if (!is_missing(r, k, submitted_.at(k))) continue;
            verdict_->report(submitted_.at(k).quality == qos::exactly_once ? "MQTT-4.3.3" : "MQTT-4.3.2",
                             "subscriber " + std::to_string(number) + " lost message " + std::to_string(k.first) + "/" +
                                 std::to_string(k.second) + " of QoS " +
                                 std::to_string(to_number(submitted_.at(k).quality)));
        }
    }
}

}  // namespace martlet::simulation
