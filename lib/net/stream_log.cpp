// The log for people: a line each on a stream. Here because client and broker both have it.
#include <martlet/log.hpp>
#include <martlet/topic.hpp>

#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <mutex>
#include <ostream>
#include <string>

namespace martlet {
namespace {

std::string time_text() {
    using namespace std::chrono;
    const auto now = system_clock::now();
    const std::time_t seconds = system_clock::to_time_t(now);
    const auto part = duration_cast<milliseconds>(now.time_since_epoch()).count() % 1'000;
    std::tm parts{};
    (void)::gmtime_r(&seconds, &parts);
    std::array<char, 32> date{};
    (void)std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    std::array<char, 48> text{};
    (void)std::snprintf(text.data(), text.size(), "%s.%03dZ", date.data(), static_cast<int>(part));
    return text.data();
}

// What a peer says may end in a line: it neither begins a new one nor commands the terminal.
void append_printable(std::string& out, std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    const bool is_utf8 = is_valid_utf8_string(text);
    for (std::size_t i = 0; i != text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const bool is_control = byte < 0x20 || byte == 0x7F;
        // U+0080 to U+009F are controls, too
        const bool begins_control =
            byte == 0xC2 && i + 1 != text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0;
        if (!is_control && !begins_control && (byte < 0x80 || is_utf8)) {
            out += text[i];
            continue;
        }
        const std::size_t count = begins_control && is_utf8 ? 2 : 1;
        for (std::size_t k = 0; k != count; ++k) {
            const auto one = static_cast<unsigned char>(text[i + k]);
            out.append("\\x") += digits[one >> 4];
            out += digits[one & 0xF];
        }
        i += count - 1;
    }
}

class stream_log final : public log_sink {
public:
    stream_log(std::ostream& out, log_level detail) : out_(out), detail_(detail) {}

    void write(log_level level, std::string_view line) override {
        if (level > detail_) return;
        std::string text = time_text();
        text.append(" ").append(to_string(level)).append(": ");
        append_printable(text, line);
        text += '\n';
        const std::lock_guard guard(mutex_);
        out_.write(text.data(), static_cast<std::streamsize>(text.size())).flush();
    }

private:
    std::mutex mutex_;
    std::ostream& out_;
    const log_level detail_;
};

}  // namespace

std::string_view to_string(log_level level) noexcept {
    switch (level) {
        case log_level::error: return "error";
        case log_level::warning: return "warning";
        case log_level::notice: return "notice";
        case log_level::information: return "information";
        case log_level::debug: return "debug";
    }
    return "?";
}

std::shared_ptr<log_sink> log_to(std::ostream& out, log_level detail) {
    return std::make_shared<stream_log>(out, detail);
}

}  // namespace martlet
