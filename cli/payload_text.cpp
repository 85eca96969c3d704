#include "payload_text.hpp"

#include "command_line.hpp"
#include "payload_source.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace martlet::cli {
namespace {

constexpr std::size_t random_size_max = 65'536;

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

int base64_digit(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+' || c == '-') return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

void append_random_text(std::size_t size, std::mt19937_64& random, std::string& out) {
    static constexpr std::string_view signs = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    for (std::size_t i = 0; i < size; ++i)
        out += signs[random() % signs.size()];
}

/// A random UUID. RFC 4122 §4.4.
void append_uuid(std::mt19937_64& random, std::string& out) {
    static constexpr std::string_view hex = "0123456789abcdef";
    const std::string_view shape = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";
    for (const char c : shape) {
        const auto digit = static_cast<std::size_t>(random() % 16);
        out += c == 'x' ? hex[digit] : c == 'y' ? hex[8 + digit % 4] : c;
    }
}

}  // namespace

std::optional<std::string> decode_hex(std::string_view text) {
    std::string out;
    int high = -1;
    for (const char c : text) {
        if (high < 0 && is_blank(c)) continue;
        const int digit = hex_digit(c);
        if (digit < 0) return std::nullopt;
        if (high < 0) {
            high = digit;
        } else {
            out += static_cast<char>(high * 16 + digit);
            high = -1;
        }
    }
    if (high >= 0) return std::nullopt;
    return out;
}

std::optional<std::string> decode_base64(std::string_view text) {
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    std::size_t digits = 0;
    bool padded = false;
    for (const char c : text) {
        if (is_blank(c)) continue;
        if (c == '=') {
            padded = true;
            continue;
        }
        const int digit = base64_digit(c);
        if (digit < 0 || padded) return std::nullopt;
        ++digits;
        bits = (bits << 6) | static_cast<std::uint32_t>(digit);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out += static_cast<char>((bits >> count) & 0xFF);
        }
    }
    if (digits % 4 == 1) return std::nullopt;
    return out;
}

std::optional<std::string> decode_value(std::string_view text, std::string& complaint) {
    if (text.starts_with("text:")) return std::string(text.substr(5));
    if (text.starts_with("hex:")) {
        auto bytes = decode_hex(text.substr(4));
        if (!bytes) complaint = "'" + std::string(text) + "' is not hex: it takes pairs of the digits 0-9 and a-f.";
        return bytes;
    }
    if (text.starts_with("b64:")) {
        auto bytes = decode_base64(text.substr(4));
        if (!bytes) complaint = "'" + std::string(text) + "' is not base64.";
        return bytes;
    }
    if (text.starts_with('@')) {
        const std::string name(text.substr(1));
        auto bytes = read_file(name);
        if (!bytes) complaint = "Unable to read file \"" + name + "\": " + std::strerror(errno) + ".";
        return bytes;
    }
    return std::string(text);
}

std::variant<payload_template, std::string> payload_template::compile(std::string_view text) {
    payload_template made;
    while (!text.empty()) {
        const std::size_t open = std::min(text.find("{{"), text.size());
        if (open > 0) made.items_.push_back({place::text, std::string(text.substr(0, open))});
        text.remove_prefix(open);
        if (text.empty()) break;
        const std::size_t close = text.find("}}");
        if (close == std::string_view::npos) return std::string("The template has a {{ without }}.");
        std::string_view name = text.substr(2, close - 2);
        text.remove_prefix(close + 2);
        while (name.starts_with(' '))
            name.remove_prefix(1);
        while (name.ends_with(' '))
            name.remove_suffix(1);
        const std::size_t blank = name.find(' ');
        const std::string argument(blank == std::string_view::npos ? "" : name.substr(blank + 1));
        const std::string_view verb = name.substr(0, blank);
        if (verb == "seq") {
            made.items_.push_back({place::sequence, {}});
        } else if (verb == "now_ns") {
            made.items_.push_back({place::now_nanoseconds, {}});
        } else if (verb == "now") {
            made.items_.push_back({place::now, {}});
        } else if (verb == "uuid") {
            made.items_.push_back({place::uuid, {}});
        } else if (verb == "rand") {
            const auto size = parse_integer(argument);
            if (!size || *size < 1 || *size > static_cast<std::int64_t>(random_size_max)) {
                return std::string("{{rand N}} takes a number of characters from 1 to 65536.");
            }
            made.items_.push_back({place::random, {}, static_cast<std::size_t>(*size)});
        } else if (verb == "env" && !argument.empty()) {
            const char* const value = std::getenv(argument.c_str());
            if (value == nullptr)
                return "The template wants the environment variable " + argument + ", which is not set.";
            made.items_.push_back({place::text, value});
        } else {
            return "The template has {{" + std::string(name) +
                   "}}; known are seq, now_ns, now, uuid, rand N and env NAME.";
        }
    }
    return made;
}

std::string payload_template::fill(std::uint64_t sequence) {
    std::string out;
    for (const item& i : items_) {
        switch (i.what) {
            case place::text: out += i.text; break;
            case place::sequence: out += std::to_string(sequence); break;
            case place::random: append_random_text(i.size, random_, out); break;
            case place::uuid: append_uuid(random_, out); break;
            case place::now_nanoseconds:
            case place::now: {
                std::timespec now{};
                std::timespec_get(&now, TIME_UTC);
                if (i.what == place::now_nanoseconds) {
                    out += std::to_string(static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec);
                } else {
                    std::tm parts{};
                    gmtime_r(&now.tv_sec, &parts);
                    char text[32] = {};
                    std::strftime(text, sizeof(text), "%FT%TZ", &parts);
                    out += text;
                }
                break;
            }
        }
    }
    return out;
}

}  // namespace martlet::cli
