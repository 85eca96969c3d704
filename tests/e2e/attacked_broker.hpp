// A real broker under attack from raw sockets, and what it costs the broker. Memory is what the system says of its process.
#pragma once

#include "e2e/cli_tools.hpp"

#include <martlet/core/codec.hpp>
#include <martlet/packets.hpp>

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <netinet/in.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <variant>

namespace martlet::test {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool measures_memory = false;  // the sanitizer's own is counted
#else
inline constexpr bool measures_memory = true;
#endif

template <class Packet>
std::string encoded(const Packet& p, protocol_version version = protocol_version::v5) {
    std::string out(core::encoded_size(p, version), '\0');
    core::encode(p, version, out.data());
    return out;
}

/// A TCP connection that says bytes and reads packets.
class attacker {
public:
    explicit attacker(const std::string& port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in to{};
        to.sin_family = AF_INET;
        to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
        to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        REQUIRE(::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
    }
    attacker(attacker&& other) noexcept
        : socket_(std::exchange(other.socket_, -1)),
          input_(std::move(other.input_)),
          taken_(std::exchange(other.taken_, 0)),
          version_(other.version_) {}
    attacker& operator=(attacker&&) = delete;
    ~attacker() { hang_up(); }

    void hang_up() {
        if (socket_ >= 0) ::close(std::exchange(socket_, -1));
    }

    /// False if the broker has closed meanwhile.
    bool send(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }

    template <class Packet>
    bool send_packet(const Packet& p) {
        return send(encoded(p, version_));
    }

    packets::connack connect(std::string_view client_id, protocol_version version = protocol_version::v5,
                             bool clean_start = true) {
        version_ = version;
        packets::connect c;
        c.version = version;
        c.client_id = client_id;
        c.clean_start = clean_start;
        if (!clean_start) c.properties.session_expiry_interval = 300;
        send_packet(c);
        const auto answer = get<packets::connack>();
        REQUIRE(answer.reason == reason_code::success);
        return answer;
    }

    /// The next packet; views in it live until the one after it is asked for. Nothing at the end of the connection.
    std::optional<packet> next() {
        if (taken_ != 0) input_.erase(0, std::exchange(taken_, 0));
        for (;;) {
            core::frame frame;
            fault why;
            std::size_t size_hint = 0;
            const auto status = core::cut_frame(input_, version_, core::remaining_length_max, frame, why, size_hint);
            REQUIRE(status != core::frame_status::faulty);
            if (status == core::frame_status::complete) {
                taken_ = frame.packet.size();
                packet p;
                REQUIRE(!core::decode(frame, version_, role::client, p));
                return p;
            }
            if (!read()) return std::nullopt;
        }
    }

    template <class Packet>
    Packet get() {
        const auto p = next();
        REQUIRE(p.has_value());
        REQUIRE(std::holds_alternative<Packet>(*p));
        return std::get<Packet>(*p);
    }

    /// Reads to the end of the connection.
    std::string rest() {
        while (read()) {}
        return std::move(input_);
    }

    /// Everything that was sent before has been handled, or the connection is over.
    bool settle() {
        if (!send_packet(packets::pingreq{})) return false;
        for (;;) {
            const auto p = next();
            if (!p) return false;
            if (std::holds_alternative<packets::pingresp>(*p)) return true;
        }
    }

private:
    bool read() {
        std::array<char, 65'536> piece;
        for (;;) {
            const ssize_t n = ::recv(socket_, piece.data(), piece.size(), 0);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return false;
            input_.append(piece.data(), static_cast<std::size_t>(n));
            return true;
        }
    }

    int socket_;
    std::string input_;
    std::size_t taken_ = 0;
    protocol_version version_ = protocol_version::v5;
};

/// A broker under attack, and what it costs it.
class victim {
public:
    explicit victim(const strings& options = {}) : broker_(options) {
        attacker(port()).connect("warm up");
        before_ = status("VmRSS");
    }
    [[nodiscard]] std::string port() const { return broker_.port(); }
    [[nodiscard]] process& program() noexcept { return broker_.program(); }
    [[nodiscard]] std::size_t descriptors() {
        const std::filesystem::directory_iterator all("/proc/" + std::to_string(broker_.program().id()) + "/fd");
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }

    /// Still serves, and at its highest had taken at most so many KiB since the beginning.
    void survives(std::string_view attack, std::size_t kib_max) {
        attacker last(port());
        last.connect("after it");
        CHECK(last.settle());
        if (!measures_memory) return;
        const std::size_t peak = status("VmHWM") - before_;
        MESSAGE(std::string(attack), ": ", peak, " KiB of at most ", kib_max);
        CHECK(peak <= kib_max);
    }

private:
    std::size_t status(const std::string& what) {
        std::ifstream in("/proc/" + std::to_string(broker_.program().id()) + "/status");
        for (std::string line; std::getline(in, line);) {
            if (line.starts_with(what + ':')) return std::stoul(line.substr(what.size() + 1));
        }
        throw "no such line";
    }

    our_broker broker_;
    std::size_t before_ = 0;
};

}  // namespace martlet::test
