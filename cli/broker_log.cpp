#include "broker_log.hpp"

#include "failure.hpp"
#include "json_text.hpp"

#include <chrono>
#include <string>

namespace martlet::cli {

void standard_error_log::write(log_level level, std::string_view line) {
    const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
    if (form_ == log_form::text) {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_epoch).count();
        return complain(std::to_string(seconds) + ": " + std::string(line));
    }
    std::string out;
    json_writer json(out, false);
    json.begin_object();
    json.key("time_ms");
    json.number(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch).count()));
    json.key("level");
    json.string(to_string(level));
    json.key("message");
    json.string(is_utf8(line) ? line : "(not UTF-8)");
    json.end_object();
    complain(out);
}

}  // namespace martlet::cli
