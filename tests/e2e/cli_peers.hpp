// Whom the tools talk to in their tests: our broker and Debian's Mosquitto as processes, and a server that says what the
// test wants.
#pragma once

#include "e2e/cli_process.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace martlet::test {

/// The program under test.
[[nodiscard]] std::string martlet_tool();

/// `martlet broker`, on a port of its own unless one is given.
class our_broker {
public:
    explicit our_broker(const strings& more_options = {}, const std::string& port = "0");
    [[nodiscard]] std::string port() const { return std::to_string(port_); }
    [[nodiscard]] process& program() noexcept { return program_; }

private:
    process program_;
    std::uint16_t port_ = 0;
};

/// mosquitto, with its queue limit lifted, on a port that was free a moment ago.
class mosquitto_broker {
public:
    /// Nothing if it is not installed, which is told.
    [[nodiscard]] static std::optional<mosquitto_broker> start(const scratch_folder& folder);
    [[nodiscard]] std::string port() const { return std::to_string(port_); }

private:
    mosquitto_broker(process p, std::uint16_t port) : program_(std::move(p)), port_(port) {}
    process program_;
    std::uint16_t port_;
};

/// One connection, byte by byte.
class scripted_server {
public:
    scripted_server();
    scripted_server(const scripted_server&) = delete;
    scripted_server& operator=(const scripted_server&) = delete;
    ~scripted_server();

    [[nodiscard]] std::string port() const { return std::to_string(port_); }
    void accept();
    /// The next packet as bytes; empty at the end of the connection.
    std::string packet();
    void send(std::string_view bytes);
    void hang_up();

private:
    bool read_exactly(std::size_t n, std::string& out);

    std::uint16_t port_ = 0;
    int listener_ = -1;
    int connection_ = -1;
};

/// A connection to a broker of this machine, byte by byte.
class scripted_client {
public:
    explicit scripted_client(const std::string& port);
    scripted_client(const scripted_client&) = delete;
    scripted_client& operator=(const scripted_client&) = delete;
    ~scripted_client();

    void send(std::string_view bytes);
    /// What comes until the other side closes.
    std::string read_to_the_end();

private:
    int connection_ = -1;
};

}  // namespace martlet::test
