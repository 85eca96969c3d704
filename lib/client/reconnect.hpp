// Which endpoint next, and when: through the list in order, then again after a delay that doubles up to a maximum, with
// jitter, so that a thousand clients of a restarted server do not come at once.
#pragma once

#include <martlet/client_options.hpp>
#include <martlet/error.hpp>
#include <martlet/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace martlet::detail {

class reconnect_policy {
public:
    struct attempt {
        std::size_t endpoint = 0;            ///< place in the list
        std::chrono::milliseconds delay{0};  ///< from now
    };

    /// `random_seed` is the only source of randomness. Requires: endpoint_count > 0.
    reconnect_policy(const reconnect_options& options, std::size_t endpoint_count, std::uint64_t random_seed) noexcept;

    /// Begins anew, at the first endpoint.
    void restart() noexcept;
    /// The attempt could not be finished: the next endpoint; a round through all of them costs a delay.
    [[nodiscard]] attempt after_failure() noexcept;
    /// An open connection was lost after `lasted`: the same endpoint again. At once if it lasted longer than the present
    /// delay, so that a server that hangs up on us again and again is not hammered.
    [[nodiscard]] attempt after_loss(std::chrono::milliseconds lasted) noexcept;
    [[nodiscard]] std::size_t endpoint() const noexcept { return endpoint_; }

private:
    [[nodiscard]] std::chrono::milliseconds next_delay() noexcept;

    reconnect_options options_;
    std::size_t endpoint_count_;
    std::size_t endpoint_ = 0;
    std::size_t failures_in_round_ = 0;
    std::chrono::milliseconds delay_;
    std::uint64_t random_;
};

/// True if a CONNACK with this reason will come again however often we try: the server refuses what we are (credentials,
/// client id, rights, version), or what every CONNECT of ours says.
[[nodiscard]] bool is_fatal_refusal(reason_code reason) noexcept;

/// True if a link cannot come about however often we try: certificates and credentials that are refused, options that
/// cannot be used, a transport that this build lacks.
[[nodiscard]] bool is_fatal_failure(const error_code& error) noexcept;

/// True if reconnecting after a DISCONNECT with this reason cannot help, or would throw off another client that has taken
/// over our client id, for ever.
[[nodiscard]] bool is_fatal_disconnect(reason_code reason) noexcept;

}  // namespace martlet::detail
