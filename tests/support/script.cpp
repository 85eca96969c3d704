#include "support/script.hpp"

#include "support/bytes.hpp"
#include "support/decoded.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

namespace martlet::test {

void script::send(const packet& p) { send_bytes(encode(p, version_)); }

void script::send(const char* hexadecimal) { send_bytes(bytes(hexadecimal)); }

void script::send_bytes(std::string_view raw) {
    const std::string copy(raw);  // dies right after: nobody may hold on to it
    deliver(copy);
}

void script::send_in_pieces(std::string_view raw, std::size_t size) {
    for (std::size_t at = 0; at < raw.size(); at += size)
        send_bytes(raw.substr(at, size));
}

void script::hear(std::string_view bytes) {
    stream_ += bytes;
    for (;;) {
        core::frame frame;
        fault why;
        std::size_t size = 0;
        const auto status =
            core::cut_frame(stream_, version_, std::numeric_limits<std::size_t>::max(), frame, why, size);
        if (status == core::frame_status::incomplete) return;
        if (status == core::frame_status::faulty) {
            FAIL_CHECK("what the subject sent is no packet (", why.text, "): ", hex(stream_));
            stream_.clear();
            return;
        }
        packets_.emplace_back(stream_, 0, size);
        stream_.erase(0, size);
    }
}

void script::begin_link() noexcept {
    stream_.clear();
    next_ = packets_.size();
    is_closed_ = false;
}

std::string script::next() { return next_ == packets_.size() ? std::string() : hex(packets_[next_++]); }

packet script::take(packet_type type) {
    const std::string_view wanted = to_string(type);
    CAPTURE(wanted);
    REQUIRE_MESSAGE(next_ != packets_.size(), "the subject has sent nothing");
    const std::string& bytes = packets_[next_++];
    const decoded got = decode(bytes, version_, plays_);
    CAPTURE(hex(bytes));
    REQUIRE(verdict(got) == "ok");
    REQUIRE(type_of(got.packet) == type);
    return got.packet;
}

void script::expect(const packet& p) { REQUIRE(next() == hex(encode(p, version_))); }

std::optional<packet_type> script::peek() const noexcept {
    if (next_ == packets_.size()) return {};
    return static_cast<packet_type>(static_cast<unsigned char>(packets_[next_][0]) >> 4);
}

bool script::is_silent() { return next_ == packets_.size() && stream_.empty(); }

std::string script::rest() {
    std::string all;
    while (next_ != packets_.size())
        all += (all.empty() ? "" : " ") + hex(packets_[next_++]);
    return all;
}

std::size_t script::count() { return packets_.size() - next_; }

// ---- core_script

core_script::core_script(role under_test, protocol_version version)
    : script(under_test == role::client ? role::broker : role::client, version), subject(under_test, now) {
    now.steady = steady_time(std::chrono::seconds(1000));
    now.wall = unix_time(std::chrono::seconds(1'700'000'000));
    subject.journal = core::changes(false);
    core::queue_limits limits;
    limits.keep_qos_0 = under_test == role::client;
    subject.session.emplace(subject.journal, core::session_key{1}, limits);
}

packets::connect core_script::default_connect() const {
    packets::connect packet;
    packet.version = version();
    packet.client_id = "c";
    packet.keep_alive = 0;
    if (is_v5()) packet.properties.session_expiry_interval = 3600;
    return packet;
}

void core_script::begin(packets::connect packet) {
    cut();
    begin_link();
    subject.faults.clear();
    subject.begin();
    if (subject.own_role == role::client) {
        packet.version = version();
        subject.connection->connect(packet, *subject.session);
        run();
    }
}

bool core_script::open() { return open(default_connect()); }

bool core_script::open(const packets::connect& packet, const packets::connack& answer) {
    begin(packet);
    if (subject.own_role == role::client) {
        (void)take<packets::connect>();
        send(answer);
    } else {
        send(packet);
        const bool accepted = !is_silent() && take<packets::connack>().reason == reason_code::success;
        if (!accepted) return false;
    }
    return subject.connection && subject.connection->is_open();
}

bool core_script::open_resuming(bool session_present) {
    auto connect = default_connect();
    connect.clean_start = false;
    packets::connack connack;
    connack.session_present = session_present && version() != protocol_version::v3_1;
    subject.session_known = session_present;
    return open(connect, connack);
}

void core_script::cut() { subject.end_connection(); }

void core_script::advance(std::chrono::microseconds by) {
    const instant start = now;
    const steady_time end = now.steady + by;
    const auto set = [&](steady_time at) {
        now.steady = at;
        now.wall = start.wall + std::chrono::floor<std::chrono::milliseconds>(at - start.steady);
    };
    while (subject.connection && subject.connection->next_deadline() <= end) {
        set(std::max(now.steady, subject.connection->next_deadline()));
        subject.connection->on_deadline();
        run();
    }
    set(end);
}

void core_script::deliver(std::string_view bytes) {
    if (!subject.connection || is_closed()) return;
    subject.connection->receive(bytes);
    subject.take_events();
    subject.connection->keep_rest();
    run();
}

void core_script::run() {
    if (!subject.connection) return;
    subject.take_events();
    core::output& out = subject.connection->out();
    while (!out.empty()) {
        std::string_view views[8];
        const std::size_t count = out.gather(views);
        std::string bytes;
        for (std::size_t i = 0; i != count; ++i)
            bytes += views[i];
        out.consume(bytes.size());
        hear(bytes);
    }
    if (subject.connection->is_closing()) closed();
}

core::send_result core_script::publish(std::string_view topic, std::string_view payload, qos q, bool retain,
                                       core::token who) {
    core::outgoing what{core::outgoing_message::create(topic, payload, q, retain), {}, who, q, retain};
    const auto result = subject.connection                          ? subject.connection->send(std::move(what))
                        : subject.session->enqueue(std::move(what)) ? core::send_result::queued
                                                                    : core::send_result::dropped;
    run();
    return result;
}

std::string core_script::fault_rule() const {
    if (subject.faults.empty()) return {};
    CHECK(subject.faults.size() == 1);
    const fault& why = subject.faults.front();
    return std::string(why.rule.empty() ? why.text : why.rule);
}

}  // namespace martlet::test
