#include "e2e/cli_peers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

namespace martlet::test {
namespace {

/// A listening socket on a free loopback port.
int listen_somewhere(std::uint16_t& port) {
    const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in where{};
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const address = reinterpret_cast<sockaddr*>(&where);
    socklen_t size = sizeof(where);
    if (::bind(s, address, size) != 0 || ::listen(s, 8) != 0 || ::getsockname(s, address, &size) != 0) {
        throw std::runtime_error("no loopback port to be had");
    }
    port = ntohs(where.sin_port);
    return s;
}

strings broker_words(const strings& more, const std::string& port) {
    strings words = {martlet_tool(), "broker", "-p", port};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

}  // namespace

std::string martlet_tool() { return MARTLET_TOOL; }

our_broker::our_broker(const strings& more_options, const std::string& port)
    : program_(broker_words(more_options, port)) {
    const std::string line = program_.out().line();
    constexpr std::string_view expected = "listening on 127.0.0.1:";
    REQUIRE_MESSAGE(line.starts_with(expected), line);
    port_ = static_cast<std::uint16_t>(std::atoi(line.c_str() + expected.size()));
}

std::optional<mosquitto_broker> mosquitto_broker::start(const scratch_folder& folder) {
    const std::string program = find_program("mosquitto");
    if (program.empty()) {
        MESSAGE("SKIPPED: mosquitto is not installed");
        return std::nullopt;
    }
    for (;;) {  // another program may take the port in between; then it is tried again
        std::uint16_t port = 0;
        ::close(listen_somewhere(port));
        const std::string configuration =
            folder.file("mosquitto.conf", "listener " + std::to_string(port) +
                                              " 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n");
        process p({program, "-c", configuration});
        if (p.err().line_with(" running").empty()) continue;
        return mosquitto_broker(std::move(p), port);
    }
}

scripted_server::scripted_server() : listener_(listen_somewhere(port_)) {}

scripted_server::~scripted_server() {
    hang_up();
    ::close(listener_);
}

void scripted_server::accept() {
    hang_up();
    connection_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    REQUIRE(connection_ >= 0);
}

bool scripted_server::read_exactly(std::size_t n, std::string& out) {
    while (n > 0) {
        char block[4'096];
        const ssize_t got = ::recv(connection_, block, std::min(n, sizeof(block)), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        out.append(block, static_cast<std::size_t>(got));
        n -= static_cast<std::size_t>(got);
    }
    return true;
}

std::string scripted_server::packet() {
    std::string bytes;
    std::size_t remaining = 0;
    if (!read_exactly(1, bytes)) return {};
    for (unsigned shift = 0;; shift += 7) {
        if (!read_exactly(1, bytes)) return {};
        const auto byte = static_cast<unsigned char>(bytes.back());
        remaining |= static_cast<std::size_t>(byte & 0x7Fu) << shift;
        if ((byte & 0x80u) == 0) break;
    }
    if (!read_exactly(remaining, bytes)) return {};
    return bytes;
}

void scripted_server::send(std::string_view bytes) {
    REQUIRE(::send(connection_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
}

void scripted_server::hang_up() {
    if (connection_ >= 0) ::close(connection_);
    connection_ = -1;
}

scripted_client::scripted_client(const std::string& port)
    : connection_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in there{};
    there.sin_family = AF_INET;
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    there.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port)));
    REQUIRE(::connect(connection_, reinterpret_cast<const sockaddr*>(&there), sizeof there) == 0);
}

scripted_client::~scripted_client() { ::close(connection_); }

void scripted_client::send(std::string_view bytes) {
    REQUIRE(::send(connection_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
}

std::string scripted_client::read_to_the_end() {
    std::string all;
    char block[4'096];
    for (;;) {
        const ssize_t got = ::recv(connection_, block, sizeof block, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return all;
        all.append(block, static_cast<std::size_t>(got));
    }
}

}  // namespace martlet::test
