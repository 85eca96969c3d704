// Where the lines of a log go, and how much they matter; the same for client and broker.
//
//   martlet::client client(io, {.urls = {"mqtts://broker.example"}, .log = martlet::log_to(std::cerr)});
#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string_view>

namespace martlet {

enum class log_level : std::uint8_t { error, warning, notice, information, debug };

/// The enumerator's name: "warning".
[[nodiscard]] std::string_view to_string(log_level level) noexcept;

/// Gets lines of text, without an end of line; see client_log and broker_log. `line` lives during the call.
class log_sink {
public:
    virtual ~log_sink() = default;
    virtual void write(log_level level, std::string_view line) = 0;
};

/// Writes lines up to \p detail to a stream, such as std::cerr, each at once and whole:
///   2026-11-29T13:21:39.042Z warning: lost the connection to mqtt://localhost: Connection reset by peer
/// The time is UTC. What is neither printable ASCII nor UTF-8 beyond it is written in hex, so that a line stays one.
/// Threads: one log may serve any number of clients and brokers on any threads; whoever else writes to the stream does it
/// on his own account. \p out has to live as long as the log: that of a client until the client and its pending operations
/// are gone.
[[nodiscard]] std::shared_ptr<log_sink> log_to(std::ostream& out, log_level detail = log_level::information);

}  // namespace martlet
