// A broker as a process, a connection to it on which anything may be said, and somebody who listens to all topics.
#pragma once

#include "crash/process.hpp"

#include <martlet/packets.hpp>
#include <martlet/types.hpp>

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::differential {

/// A TCP connection to 127.0.0.1 and the packets that come from there.
class connection {
public:
    explicit connection(std::uint16_t port);
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection();

    void send(std::string_view bytes);
    void send(const packet& p);
    /// Waits for bytes; false at the end.
    bool read();
    /// Takes what is there without waiting; false at the end.
    bool read_what_is_there();
    /// Decodes the next packet in what was read. Its views live until the next call. Nothing if there is none, or one that
    /// breaks the protocol, whose bytes `undecodable` gets.
    [[nodiscard]] std::optional<packet> next(std::string& undecodable);
    [[nodiscard]] bool is_open() const noexcept { return is_open_; }

    protocol_version version = protocol_version::v5;

private:
    bool read(int flags);

    int socket_;
    bool is_open_ = true;
    std::string input_;
    std::size_t taken_ = 0;
};

/// What came of a step.
struct outcome {
    std::vector<std::string> said;      ///< to the client; sorted
    std::vector<std::string> listened;  ///< by the other one; sorted
    bool is_open = false;
    friend bool operator==(const outcome&, const outcome&) = default;
};

class peer {
public:
    /// `command` listens on `port`, on 127.0.0.1.
    peer(crash::strings command, std::uint16_t port);

    /// A new connection, instead of the one before.
    void connect(protocol_version version);
    /// As which the packets of the broker are read from now on.
    void set_version(protocol_version version);
    /// Says `bytes` and returns when the broker has done all that it does about it. `packets_max` is how many packets that
    /// can be; `answers`: whether deliveries are acknowledged.
    [[nodiscard]] outcome say(std::string_view bytes, std::size_t packets_max, bool answers);
    /// Ends the connection, without a word.
    [[nodiscard]] outcome hang_up();
    /// The listener publishes.
    void publish(std::string_view topic, std::string_view payload, qos level);
    /// Deletes what was retained. Messages with topics that begin otherwise, of wills delayed from then, are not noted.
    void begin(std::string prefix);

private:
    void settle();
    void hear(const packet& p);
    void note(outcome& out, bool answers, bool& answered);

    crash::process program_;
    std::uint16_t port_;
    std::optional<connection> listener_;
    std::optional<connection> client_;
    std::string prefix_;
    std::vector<std::string> heard_;
    std::set<std::string, std::less<>> retained_;
};

/// In one line, without packet ids that the broker chooses.
[[nodiscard]] std::string description(const packet& p);

}  // namespace martlet::differential
