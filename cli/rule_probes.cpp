#include "probes.hpp"

#include <martlet/core/codec.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace martlet::cli {
namespace {

using steady = std::chrono::steady_clock;
using namespace std::string_literals;

/// A socket on which any bytes can be sent.
class raw_link {
public:
    explicit raw_link(const probe_context& c) : patience_(c.patience) {
        const connection_settings& s = c.connection;
        if (!s.unix_path.empty()) {
            sockaddr_un where{};
            where.sun_family = AF_UNIX;
            std::strncpy(where.sun_path, s.unix_path.c_str(), sizeof(where.sun_path) - 1);
            connect_to(AF_UNIX, reinterpret_cast<const sockaddr*>(&where), sizeof(where));
            return;
        }
        addrinfo hints{};
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        if (::getaddrinfo(s.host.c_str(), std::to_string(s.port.value_or(1883)).c_str(), &hints, &found) != 0) return;
        for (const addrinfo* at = found; at != nullptr && socket_ < 0; at = at->ai_next)
            connect_to(at->ai_family, at->ai_addr, at->ai_addrlen);
        ::freeaddrinfo(found);
    }
    raw_link(const raw_link&) = delete;
    raw_link& operator=(const raw_link&) = delete;
    ~raw_link() {
        if (socket_ >= 0) ::close(socket_);
    }

    [[nodiscard]] bool is_open() const noexcept { return socket_ >= 0; }

    void send(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) return;  // closed: shows when reading
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    }

    /// Reads until the other side closes (true), or until the time is over.
    bool read_to_end(std::string& into) const { return read(into, SIZE_MAX) == 0; }
    /// Reads at least one packet's worth. False: closed, or nothing came.
    bool read_some(std::string& into, std::size_t at_least) const { return read(into, at_least) > 0; }

private:
    void connect_to(int family, const sockaddr* where, socklen_t size) {
        const int s = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (s >= 0 && ::connect(s, where, size) == 0)
            socket_ = s;
        else if (s >= 0)
            ::close(s);
    }

    /// 0: closed; 1: enough came; -1: the time is over.
    int read(std::string& into, std::size_t at_least) const {
        const auto deadline = steady::now() + patience_;
        std::array<char, 4'096> block{};
        while (into.size() < at_least) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady::now()).count();
            pollfd one{socket_, POLLIN, 0};
            if (left <= 0 || ::poll(&one, 1, static_cast<int>(left)) == 0) return -1;
            const ssize_t n = ::recv(socket_, block.data(), block.size(), 0);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return 0;  // a reset is an end, too
            if (into.size() < 65'536) into.append(block.data(), static_cast<std::size_t>(n));
        }
        return 1;
    }

    int socket_ = -1;
    std::chrono::milliseconds patience_;
};

std::string connect_packet(const probe_context& c, protocol_version version, std::uint16_t keep_alive = 60) {
    packets::connect p;
    p.version = version;
    p.keep_alive = keep_alive;
    const std::string id = "c" + c.topic.substr(c.topic.rfind('/') + 1);
    p.client_id = id;
    if (c.connection.user_name) p.user_name = *c.connection.user_name;
    if (c.connection.password) p.password = *c.connection.password;
    const packet whole = p;
    std::string bytes(core::encoded_size(whole, version), '\0');
    core::encode(whole, version, bytes.data());
    return bytes;
}

/// Connects with CONNECT, then sends `bytes`; the broker has to close.
probe_result expect_closed(const probe_context& c, protocol_version version, std::string_view bytes) {
    const raw_link link(c);
    if (!link.is_open()) return {probe_verdict::fail, "no connection"};
    link.send(connect_packet(c, version));
    std::string answer;
    if (!link.read_some(answer, 4) || answer[0] != '\x20') return {probe_verdict::unsupported, "no CONNACK"};
    if (answer[3] != '\0') return {probe_verdict::unsupported, "CONNACK refuses"};
    link.send(bytes);
    answer.clear();
    if (link.read_to_end(answer)) return {probe_verdict::pass, {}};
    return {probe_verdict::fail, "the connection stays open"};
}

constexpr auto v3 = protocol_version::v3_1_1;

probe_result first_not_connect(const probe_context& c) {
    const raw_link link(c);
    if (!link.is_open()) return {probe_verdict::fail, "no connection"};
    link.send("\xC0\x00"s);
    std::string answer;
    if (!link.read_to_end(answer)) return {probe_verdict::fail, "the connection stays open"};
    return answer.empty() ? probe_result{} : probe_result{probe_verdict::fail, "it was answered"};
}
probe_result second_connect(const probe_context& c) { return expect_closed(c, v3, connect_packet(c, v3)); }
probe_result reserved_flags(const probe_context& c) {
    return expect_closed(c, v3, "\x80\x06\x00\x01\x00\x01\x61\x00"s);
}
probe_result qos_3(const probe_context& c) { return expect_closed(c, v3, "\x36\x06\x00\x01\x61\x00\x01\x78"s); }
probe_result wildcard_in_topic(const probe_context& c) { return expect_closed(c, v3, "\x30\x05\x00\x03\x61\x2F\x2B"s); }
probe_result malformed_topic(const probe_context& c) { return expect_closed(c, v3, "\x30\x04\x00\x02\xC0\x80"s); }
probe_result null_in_topic(const probe_context& c) { return expect_closed(c, v3, "\x30\x04\x00\x02\x61\x00"s); }
probe_result empty_subscribe(const probe_context& c) { return expect_closed(c, v3, "\x82\x02\x00\x01"s); }
probe_result subscribe_qos_3(const probe_context& c) {
    return expect_closed(c, v3, "\x82\x06\x00\x01\x00\x01\x61\x03"s);
}
probe_result packet_id_0(const probe_context& c) { return expect_closed(c, v3, "\x32\x05\x00\x01\x61\x00\x00"s); }
probe_result long_length(const probe_context& c) { return expect_closed(c, v3, "\x30\xFF\xFF\xFF\xFF\x7F"s); }
probe_result property_twice(const probe_context& c) {
    return expect_closed(c, protocol_version::v5, "\x30\x08\x00\x01\x61\x04\x01\x00\x01\x00"s);
}
probe_result alias_0(const probe_context& c) {
    return expect_closed(c, protocol_version::v5, "\x30\x07\x00\x01\x61\x03\x23\x00\x00"s);
}

probe_result keep_alive(const probe_context& c) {
    probe_context patient = c;
    patient.patience = std::max<std::chrono::milliseconds>(c.patience, std::chrono::seconds(12));  // some look rarely
    const raw_link link(patient);
    if (!link.is_open()) return {probe_verdict::fail, "no connection"};
    link.send(connect_packet(c, v3, 1));
    std::string answer;
    if (!link.read_some(answer, 4)) return {probe_verdict::unsupported, "no CONNACK"};
    answer.clear();
    const auto begin = steady::now();
    if (!link.read_to_end(answer)) return {probe_verdict::fail, "the connection stays open"};
    const auto after = std::chrono::duration_cast<std::chrono::milliseconds>(steady::now() - begin).count();
    const std::string text = "after " + std::to_string(after) + " ms";
    return {after >= 1'000 ? probe_verdict::pass : probe_verdict::fail, text};
}

constexpr auto rule_table = std::to_array<probe>({
    {"first-connect", "MQTT-3.1.0-1", "closes when the first packet is no CONNECT", first_not_connect},
    {"second-connect", "MQTT-3.1.0-2", "closes at a second CONNECT", second_connect},
    {"keep-alive", "MQTT-3.1.2-22", "closes after 1.5 times the keep-alive", keep_alive},
    {"reserved-flags", "MQTT-2.1.3-1", "closes at SUBSCRIBE with wrong flags", reserved_flags},
    {"long-length", "MQTT-1.5.5-1", "closes at a Remaining Length of five bytes", long_length},
    {"publish-qos-3", "MQTT-3.3.1-4", "closes at PUBLISH with QoS 3", qos_3},
    {"publish-wildcard", "MQTT-3.3.2-2", "closes at a topic with a wildcard", wildcard_in_topic},
    {"publish-utf8", "MQTT-1.5.4-1", "closes at a topic that is not UTF-8", malformed_topic},
    {"publish-null", "MQTT-1.5.4-2", "closes at a topic with U+0000", null_in_topic},
    {"packet-id-0", "MQTT-2.2.1-3", "closes at QoS 1 with packet identifier 0", packet_id_0},
    {"subscribe-empty", "MQTT-3.8.3-2", "closes at SUBSCRIBE without a filter", empty_subscribe},
    {"subscribe-qos-3", "MQTT-3.8.3-5", "closes at SUBSCRIBE with QoS 3", subscribe_qos_3},
    {"property-twice", "", "closes at a property that stands twice", property_twice},
    {"alias-0", "MQTT-3.3.2-8", "closes at topic alias 0", alias_0},
});

}  // namespace

std::span<const probe> rule_probes() noexcept { return rule_table; }

}  // namespace martlet::cli
