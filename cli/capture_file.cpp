#include "capture_file.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <map>
#include <netinet/in.h>
#include <optional>
#include <utility>

namespace martlet::cli {
namespace {

// Out-of-order segments that wait for the one before; more than this of a direction is a gap.
constexpr std::size_t waiting_bytes_max = 1024 * 1024;
constexpr std::size_t flows_max = 100'000;

std::uint32_t big(std::string_view bytes, std::size_t at, std::size_t n) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < n; ++i)
        value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
}

struct header {
    bool swapped = false;  // the fields are little-endian
    double fraction = 1e-6;
    std::uint32_t link = 0;
};

std::uint32_t word(std::string_view bytes, std::size_t at, const header& h) {
    const std::uint32_t value = big(bytes, at, 4);
    return h.swapped ? __builtin_bswap32(value) : value;
}

std::optional<header> read_header(std::string_view file) {
    if (file.size() < 24) return std::nullopt;
    header h;
    switch (big(file, 0, 4)) {
        case 0xA1B2C3D4: break;
        case 0xA1B23C4D: h.fraction = 1e-9; break;
        case 0xD4C3B2A1: h.swapped = true; break;
        case 0x4D3CB2A1: h = {true, 1e-9, 0}; break;
        default: return std::nullopt;
    }
    h.link = word(file, 20, h) & 0x0FFF'FFFF;
    return h;
}

/// The IP packet inside a frame, or nothing.
std::string_view ip_packet(std::string_view frame, std::uint32_t link) {
    const auto after = [&](std::size_t n) { return frame.size() > n ? frame.substr(n) : std::string_view(); };
    switch (link) {
        case 0: return after(4);    // BSD loopback
        case 108: return after(4);  // OpenBSD loopback
        case 12:                    // raw IP
        case 14:
        case 101:
        case 228:
        case 229: return frame;
        case 113: return after(16);  // Linux cooked
        case 276: return after(20);
        case 1: {
            std::size_t at = 12;
            while (frame.size() >= at + 4 && (big(frame, at, 2) == 0x8100 || big(frame, at, 2) == 0x88A8))
                at += 4;  // VLAN
            return after(at + 2);
        }
        default: return {};
    }
}

struct segment {
    std::string from;
    std::string to;
    std::uint32_t sequence = 0;
    bool syn = false;
    std::string_view bytes;
};

std::string address_text(int family, std::string_view bytes, std::uint32_t port) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(family, bytes.data(), text.data(), text.size());
    const std::string host = family == AF_INET6 ? '[' + std::string(text.data()) + ']' : std::string(text.data());
    return host + ':' + std::to_string(port);
}

std::optional<segment> tcp_segment(std::string_view ip) {
    if (ip.size() < 20) return std::nullopt;
    const auto version = static_cast<unsigned char>(ip[0]) >> 4;
    const int family = version == 4 ? AF_INET : AF_INET6;
    std::string_view source, target, tcp;
    if (version == 4) {
        const std::size_t length = (static_cast<unsigned char>(ip[0]) & 15u) * 4;
        const std::size_t total = big(ip, 2, 2);
        const bool fragment = (big(ip, 6, 2) & 0x3FFF) != 0;
        if (length < 20 || ip.size() < length || ip[9] != 6 || fragment) return std::nullopt;
        source = ip.substr(12, 4);
        target = ip.substr(16, 4);
        // 0: the length was left to the network card
        tcp = ip.substr(length, total > length ? std::min(total - length, ip.size() - length) : ip.size() - length);
    } else if (version == 6) {
        if (ip.size() < 40 || ip[6] != 6) return std::nullopt;
        source = ip.substr(8, 16);
        target = ip.substr(24, 16);
        const std::size_t total = big(ip, 4, 2);
        tcp = ip.substr(40, total > 0 ? std::min(total, ip.size() - 40) : ip.size() - 40);
    } else {
        return std::nullopt;
    }
    if (tcp.size() < 20) return std::nullopt;
    const std::size_t offset = (static_cast<unsigned char>(tcp[12]) >> 4u) * 4u;
    if (offset < 20 || offset > tcp.size()) return std::nullopt;
    segment s;
    s.from = address_text(family, source, big(tcp, 0, 2));
    s.to = address_text(family, target, big(tcp, 2, 2));
    s.sequence = big(tcp, 4, 4);
    s.syn = (static_cast<unsigned char>(tcp[13]) & 2) != 0;
    s.bytes = tcp.substr(offset);
    return s;
}

/// One direction: what comes next, and what came too early.
struct flow {
    std::optional<std::uint32_t> next;
    std::map<std::uint32_t, std::string> waiting;  // by distance from where it was when the first of them came
    std::size_t waiting_bytes = 0;
};

class reassembly {
public:
    explicit reassembly(const std::function<void(const captured_bytes&)>& take) : take_(take) {}

    void add(const segment& s, double time) {
        if (flows_.size() >= flows_max && flows_.find({s.from, s.to}) == flows_.end()) return;
        flow& f = flows_[{s.from, s.to}];
        if (s.syn) {
            f = {s.sequence + 1, {}, 0};
            take_({time, s.from, s.to, {}, true, false});
            return;
        }
        if (s.bytes.empty()) return;
        if (!f.next) f.next = s.sequence;  // the capture began in the middle
        accept(f, s, time);
    }

private:
    void accept(flow& f, const segment& s, double time) {
        const auto ahead = static_cast<std::int32_t>(s.sequence - *f.next);
        if (ahead > 0) {
            f.waiting_bytes += s.bytes.size();
            f.waiting.emplace(s.sequence, s.bytes);
            if (f.waiting_bytes > waiting_bytes_max) skip_gap(f, s, time);
            return;
        }
        const auto known = static_cast<std::size_t>(-static_cast<std::int64_t>(ahead));
        if (known >= s.bytes.size()) return;  // sent again
        give(f, s, s.bytes.substr(known), time, false);
        drain(f, s, time);
    }

    void give(flow& f, const segment& s, std::string_view bytes, double time, bool gap) {
        *f.next += static_cast<std::uint32_t>(bytes.size());
        take_({time, s.from, s.to, bytes, false, gap});
    }

    void drain(flow& f, const segment& s, double time) {
        for (auto at = f.waiting.begin(); at != f.waiting.end();) {
            const auto ahead = static_cast<std::int32_t>(at->first - *f.next);
            if (ahead > 0) {
                ++at;
                continue;
            }
            const std::string bytes = std::move(at->second);
            f.waiting_bytes -= bytes.size();
            f.waiting.erase(at);
            const auto known = static_cast<std::size_t>(-static_cast<std::int64_t>(ahead));
            if (known < bytes.size()) give(f, s, std::string_view(bytes).substr(known), time, false);
            at = f.waiting.begin();
        }
    }

    void skip_gap(flow& f, const segment& s, double time) {
        auto nearest = f.waiting.begin();
        for (auto at = f.waiting.begin(); at != f.waiting.end(); ++at) {
            if (at->first - *f.next < nearest->first - *f.next) nearest = at;
        }
        f.next = nearest->first;
        const std::string bytes = std::move(nearest->second);
        f.waiting_bytes -= bytes.size();
        f.waiting.erase(nearest);
        give(f, s, bytes, time, true);
        drain(f, s, time);
    }

    const std::function<void(const captured_bytes&)>& take_;
    std::map<std::pair<std::string, std::string>, flow> flows_;
};

}  // namespace

bool is_capture(std::string_view file) noexcept { return read_header(file).has_value(); }

std::string read_capture(std::string_view file, const std::function<void(const captured_bytes&)>& take) {
    const auto h = read_header(file);
    if (!h) return "it is no pcap file";
    reassembly streams(take);
    for (std::size_t at = 24; at + 16 <= file.size();) {
        const double time = word(file, at, *h) + word(file, at + 4, *h) * h->fraction;
        const std::size_t size = word(file, at + 8, *h);
        at += 16;
        if (size > file.size() - at) return "it ends in the middle of a frame";
        if (const auto s = tcp_segment(ip_packet(file.substr(at, size), h->link))) streams.add(*s, time);
        at += size;
    }
    return {};
}

}  // namespace martlet::cli
