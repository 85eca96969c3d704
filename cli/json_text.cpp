#include "json_text.hpp"

#include <array>
#include <cstddef>

namespace martlet::cli {
namespace {

constexpr int copied_depth_max = 512;

/// Reads one JSON value and copies it without white space.
class minifier {
public:
    minifier(std::string_view text, std::string& out) noexcept : rest_(text), out_(out) {}

    bool run() {
        skip_space();
        if (!value(0)) return false;
        skip_space();
        return rest_.empty();
    }

private:
    bool value(int depth) {
        if (rest_.empty() || depth > copied_depth_max) return false;
        switch (rest_.front()) {
            case '{': return object(depth);
            case '[': return array(depth);
            case '"': return string();
            case 't': return word("true");
            case 'f': return word("false");
            case 'n': return word("null");
            default: return number();
        }
    }

    bool object(int depth) {
        take(1);
        skip_space();
        if (next_is('}')) return true;
        for (;;) {
            if (rest_.empty() || rest_.front() != '"' || !string()) return false;
            skip_space();
            if (!next_is(':')) return false;
            skip_space();
            if (!value(depth + 1)) return false;
            skip_space();
            if (next_is('}')) return true;
            if (!next_is(',')) return false;
            skip_space();
        }
    }

    bool array(int depth) {
        take(1);
        skip_space();
        if (next_is(']')) return true;
        for (;;) {
            if (!value(depth + 1)) return false;
            skip_space();
            if (next_is(']')) return true;
            if (!next_is(',')) return false;
            skip_space();
        }
    }

    bool string() {
        std::size_t i = 1;
        for (;; ++i) {
            if (i >= rest_.size() || static_cast<unsigned char>(rest_[i]) < 0x20) return false;
            if (rest_[i] == '"') break;
            if (rest_[i] != '\\') continue;
            ++i;
            if (i >= rest_.size()) return false;
            if (rest_[i] == 'u') {
                if (i + 4 >= rest_.size()) return false;
                for (std::size_t digit = i + 1; digit <= i + 4; ++digit) {
                    if (hex_digits.find(rest_[digit]) == std::string_view::npos) return false;
                }
                i += 4;
            } else if (escapes.find(rest_[i]) == std::string_view::npos) {
                return false;
            }
        }
        if (!is_utf8(rest_.substr(0, i))) return false;
        take(i + 1);
        return true;
    }

    bool number() {
        std::size_t i = 0;
        const auto digits = [&] {
            const std::size_t before = i;
            while (i < rest_.size() && rest_[i] >= '0' && rest_[i] <= '9')
                ++i;
            return i > before;
        };
        if (i < rest_.size() && rest_[i] == '-') ++i;
        const bool zero = i < rest_.size() && rest_[i] == '0';
        const std::size_t start = i;
        if (!digits() || (zero && i > start + 1)) return false;
        if (i < rest_.size() && rest_[i] == '.') {
            ++i;
            if (!digits()) return false;
        }
        if (i < rest_.size() && (rest_[i] == 'e' || rest_[i] == 'E')) {
            ++i;
            if (i < rest_.size() && (rest_[i] == '+' || rest_[i] == '-')) ++i;
            if (!digits()) return false;
        }
        take(i);
        return true;
    }

    bool word(std::string_view w) {
        if (!rest_.starts_with(w)) return false;
        take(w.size());
        return true;
    }

    bool next_is(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        take(1);
        return true;
    }

    void take(std::size_t n) {
        out_.append(rest_.substr(0, n));
        rest_.remove_prefix(n);
    }

    void skip_space() {
        const std::size_t n = rest_.find_first_not_of(" \t\r\n");
        rest_.remove_prefix(n == std::string_view::npos ? rest_.size() : n);
    }

    static constexpr std::string_view hex_digits = "0123456789abcdefABCDEF";
    static constexpr std::string_view escapes = "\"\\/bfnrt";
    std::string_view rest_;
    std::string& out_;
};

/// Length of the UTF-8 sequence at the beginning of `text`; 0 if there is none.
std::size_t sequence_length(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto follows = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
        return i < text.size() && byte(i) >= low && byte(i) <= high;
    };
    const unsigned lead = byte(0);
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return follows(1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
        const bool second = follows(1, lead == 0xE0 ? 0xA0 : 0x80, lead == 0xED ? 0x9F : 0xBF);
        return second && follows(2) ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
        const bool second = follows(1, lead == 0xF0 ? 0x90 : 0x80, lead == 0xF4 ? 0x8F : 0xBF);
        return second && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t n = sequence_length(text);
        if (n == 0) return false;
        text.remove_prefix(n);
    }
    return true;
}

void append_json_string(std::string_view text, std::string& out) {
    static constexpr std::string_view hex = "0123456789abcdef";
    out += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        switch (c) {
            case '"': out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            case '\b': out += "\\b"; break;
            case '\f': out += "\\f"; break;
            case '\n': out += "\\n"; break;
            case '\r': out += "\\r"; break;
            case '\t': out += "\\t"; break;
            default:
                if (byte < 0x20) {
                    out.append("\\u00") += hex[byte >> 4];
                    out += hex[byte & 15];
                } else {
                    out += c;
                }
        }
    }
    out += '"';
}

void append_base64(std::string_view bytes, std::string& out) {
    static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto byte = [&](std::size_t k) -> std::uint32_t {
            return i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u;
        };
        const std::uint32_t bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        out += digits[bits >> 18];
        out += digits[bits >> 12 & 63];
        out += i + 1 < bytes.size() ? digits[bits >> 6 & 63] : '=';
        out += i + 2 < bytes.size() ? digits[bits & 63] : '=';
    }
}

bool append_minified_json(std::string_view text, std::string& out) {
    const std::size_t before = out.size();
    if (minifier(text, out).run()) return true;
    out.resize(before);
    return false;
}

void json_writer::begin_object() {
    separate();
    out_ += '{';
    levels_ += 'o';
    first_ = true;
}

void json_writer::end_object() {
    levels_.pop_back();
    if (!first_ || pretty_) indent();
    out_ += '}';
    first_ = false;
}

void json_writer::begin_array() {
    separate();
    out_ += '[';
    levels_ += 'a';
    first_ = true;
}

void json_writer::end_array() {
    levels_.pop_back();
    out_ += ']';
    first_ = false;
}

void json_writer::key(std::string_view name) {
    separate();
    append_json_string(name, out_);
    out_ += ':';
    if (pretty_) out_ += '\t';
    after_key_ = true;
}

void json_writer::string(std::string_view text) {
    separate();
    append_json_string(text, out_);
}

void json_writer::number(std::uint64_t n) {
    separate();
    out_ += std::to_string(n);
}

void json_writer::boolean(bool b) {
    separate();
    out_ += b ? "true" : "false";
}

void json_writer::null() {
    separate();
    out_ += "null";
}

void json_writer::raw(std::string_view minified) {
    if (!pretty_) {
        separate();
        out_ += minified;
        return;
    }
    for (std::size_t i = 0; i < minified.size();) {  // token by token
        switch (minified[i]) {
            case '{':
                begin_object();
                ++i;
                continue;
            case '}':
                end_object();
                ++i;
                continue;
            case '[':
                begin_array();
                ++i;
                continue;
            case ']':
                end_array();
                ++i;
                continue;
            case ',': ++i; continue;
            case ':':
                out_ += ":\t";
                after_key_ = true;
                ++i;
                continue;
            default: break;
        }
        std::size_t end = i;
        if (minified[i] == '"') {
            for (++end; minified[end] != '"'; ++end) {
                if (minified[end] == '\\') ++end;
            }
            ++end;
        } else {
            end = minified.find_first_of(",:]}", i);
            if (end == std::string_view::npos) end = minified.size();
        }
        separate();
        out_ += minified.substr(i, end - i);
        i = end;
    }
}

void json_writer::separate() {
    if (after_key_) {
        after_key_ = false;
        first_ = false;
        return;
    }
    if (levels_.empty()) return;
    const bool array = levels_.back() == 'a';
    if (!first_) out_ += array && pretty_ ? ", " : ",";
    if (!array) indent();
    first_ = false;
}

void json_writer::indent() {
    if (!pretty_) return;
    out_ += '\n';
    out_.append(levels_.size(), '\t');
}

}  // namespace martlet::cli
