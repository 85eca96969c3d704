// What martlet check asks a broker: one probe for each thing that a broker can do and for each rule that it may break.
#pragma once

#include "connection_options.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace martlet::cli {

enum class probe_verdict : std::uint8_t { pass, fail, unsupported };

struct probe_result {
    probe_verdict verdict = probe_verdict::pass;
    std::string detail;
};

/// What a probe has: the way to the broker, a topic of its own, and how long to wait for one answer.
struct probe_context {
    connection_settings connection;
    std::string topic;  ///< "martlet/check/…", without a '/' at its end; also the beginning of client identifiers
    std::chrono::milliseconds patience{5'000};
    bool has_version_5 = true;  ///< false: probes that need it are unsupported
};

struct probe {
    std::string_view name;  ///< "qos-1"
    std::string_view rule;  ///< statement of MQTT 5 (or 3.1.1), without brackets; empty: none alone
    std::string_view what;  ///< a sentence without its full stop
    probe_result (*run)(const probe_context& context);
};

/// Those that are an ordinary client's work.
[[nodiscard]] std::span<const probe> capability_probes() noexcept;
/// Those that break a rule on purpose, byte by byte, and look whether the broker minds. Plain TCP and Unix sockets only.
[[nodiscard]] std::span<const probe> rule_probes() noexcept;

}  // namespace martlet::cli
