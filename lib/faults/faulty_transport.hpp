// A transport whose bytes follow the rules: it stands between an accepted connection and who serves it, so that a broker
// and a proxy need to know nothing of faults.
#pragma once

#include "faults/faulty_link.hpp"
#include "net/network.hpp"
#include "net/transport.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace martlet::faults_impl {

inline constexpr std::size_t piece_size_max = 64 * 1024;  ///< of one read
inline constexpr int reads_per_turn_max = 16;             ///< then others get their turn

class faulty_stream;

/// What is read from it came through the rules towards the broker, what is written goes through them towards the client.
class faulty_transport final : public net::transport {
public:
    /// \p inner: the client's connection. See faulty_link for \p by_packets.
    faulty_transport(std::shared_ptr<net::network> on, std::unique_ptr<net::transport> inner,
                     std::shared_ptr<plan> rules, std::string listener, bool by_packets);
    ~faulty_transport() override;

    /// Called once, later, if the client's connection ends although nothing may be read of it (half-open).
    void when_gone(std::function<void()> told);
    /// Closes so that the client gets RST.
    void reset() noexcept;

    net::io_result read_some(std::span<char> into) noexcept override;
    net::io_result write_some(std::span<const std::string_view> from) noexcept override;
    [[nodiscard]] bool has_buffered_input() const noexcept override;
    void wait(net::direction what, std::shared_ptr<net::waiter> who) override;
    net::io_result shutdown_send() noexcept override;
    void close() noexcept override;
    [[nodiscard]] int native_handle() noexcept override;
    [[nodiscard]] std::string peer_address() const override;
    [[nodiscard]] std::string local_address() const override;
    [[nodiscard]] std::string failure() const override;
    [[nodiscard]] std::string peer_identity() const override;

private:
    std::shared_ptr<faulty_stream> stream_;
};

/// Closing \p link then sends RST instead of FIN.
void reset_on_close(net::transport& link) noexcept;

}  // namespace martlet::faults_impl
