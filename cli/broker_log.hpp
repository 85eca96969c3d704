// The broker's log on standard error: lines for people, or an object of JSON each.
#pragma once

#include "broker_settings.hpp"

#include <martlet/broker_options.hpp>

#include <string_view>

namespace martlet::cli {

class standard_error_log : public broker_log {
public:
    explicit standard_error_log(log_form form) noexcept : form_(form) {}
    /// Text: "1785395086: line" with the Unix time, as mosquitto does. JSON: {"time":…,"level":…,"message":…}.
    void write(log_level level, std::string_view line) override;

private:
    log_form form_;
};

}  // namespace martlet::cli
