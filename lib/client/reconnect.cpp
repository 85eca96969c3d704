#include "client/reconnect.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>

namespace martlet::detail {

namespace {

// splitmix64: all that jitter needs, the same everywhere for a seed.
std::uint64_t next_random(std::uint64_t& state) noexcept {
    state += 0x9E3779B97F4A7C15;
    auto z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

}  // namespace

reconnect_policy::reconnect_policy(const reconnect_options& options, std::size_t endpoint_count,
                                   std::uint64_t random_seed) noexcept
    : options_(options), endpoint_count_(endpoint_count), delay_(options.delay_min), random_(random_seed) {}

void reconnect_policy::restart() noexcept {
    endpoint_ = 0;
    failures_in_round_ = 0;
    delay_ = options_.delay_min;
}

reconnect_policy::attempt reconnect_policy::after_failure() noexcept {
    endpoint_ = (endpoint_ + 1) % endpoint_count_;
    if (++failures_in_round_ < endpoint_count_) return {endpoint_, std::chrono::milliseconds(0)};
    failures_in_round_ = 0;
    return {endpoint_, next_delay()};
}

reconnect_policy::attempt reconnect_policy::after_loss(std::chrono::milliseconds lasted) noexcept {
    failures_in_round_ = 0;
    if (lasted < delay_) return {endpoint_, next_delay()};
    delay_ = options_.delay_min;
    return {endpoint_, std::chrono::milliseconds(0)};
}

std::chrono::milliseconds reconnect_policy::next_delay() noexcept {
    const auto unit = static_cast<double>(next_random(random_) >> 11) * 0x1.0p-53;  // [0, 1)
    const auto share = 1.0 + std::clamp(options_.jitter, 0.0, 1.0) * (2.0 * unit - 1.0);
    const auto delay = std::chrono::milliseconds(
        static_cast<std::chrono::milliseconds::rep>(static_cast<double>(delay_.count()) * share));
    delay_ = std::min(delay_ * 2, std::max(options_.delay_max, options_.delay_min));
    return delay;
}

bool is_fatal_refusal(reason_code reason) noexcept {
    switch (reason) {
        case reason_code::malformed_packet:
        case reason_code::protocol_error:
        case reason_code::unsupported_protocol_version:
        case reason_code::client_identifier_not_valid:
        case reason_code::bad_user_name_or_password:
        case reason_code::not_authorized:
        case reason_code::banned:
        case reason_code::bad_authentication_method:
        case reason_code::topic_name_invalid:
        case reason_code::payload_format_invalid:
        case reason_code::retain_not_supported:
        case reason_code::qos_not_supported: return true;
        default: return false;
    }
}

bool is_fatal_failure(const error_code& error) noexcept {
    if (error == boost::system::errc::protocol_not_supported) return true;
    if (error.category() != errc_category()) return false;
    switch (static_cast<errc>(error.value())) {
        case errc::url_invalid:
        case errc::tls_options_invalid:
        case errc::tls_certificate_required:
        case errc::tls_peer_refused:
        case errc::certificate_expired:  // not_yet_valid goes by itself: a device's clock is set after its start
        case errc::certificate_wrong_host:
        case errc::certificate_untrusted:
        case errc::certificate_revoked:
        case errc::certificate_weak:
        case errc::certificate_invalid:
        case errc::proxy_refused_credentials: return true;
        default: return false;
    }
}

bool is_fatal_disconnect(reason_code reason) noexcept {
    switch (reason) {
        case reason_code::not_authorized:
        case reason_code::banned:
        case reason_code::session_taken_over: return true;
        default: return false;
    }
}

}  // namespace martlet::detail
