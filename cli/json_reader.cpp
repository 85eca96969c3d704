#include "json_reader.hpp"

#include <charconv>
#include <cstdint>

namespace martlet::cli {
namespace {

constexpr int depth_max = 64;

void append_utf8(std::uint32_t code, std::string& out) {
    if (code < 0x80) {
        out += static_cast<char>(code);
    } else if (code < 0x800) {
        out += static_cast<char>(0xC0 | (code >> 6));
        out += static_cast<char>(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        out += static_cast<char>(0xE0 | (code >> 12));
        out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (code & 0x3F));
    } else {
        out += static_cast<char>(0xF0 | (code >> 18));
        out += static_cast<char>(0x80 | ((code >> 12) & 0x3F));
        out += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
        out += static_cast<char>(0x80 | (code & 0x3F));
    }
}

class reader {
public:
    explicit reader(std::string_view text) noexcept : rest_(text) {}

    std::optional<json_value> run() {
        json_value v;
        skip_space();
        if (!value(v, 0)) return std::nullopt;
        skip_space();
        if (!rest_.empty()) return std::nullopt;
        return v;
    }

private:
    void skip_space() {
        const std::size_t n = rest_.find_first_not_of(" \t\r\n");
        rest_.remove_prefix(n == std::string_view::npos ? rest_.size() : n);
    }

    bool take(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }

    bool word(std::string_view w) {
        if (!rest_.starts_with(w)) return false;
        rest_.remove_prefix(w.size());
        return true;
    }

    bool value(json_value& out, int depth) {
        if (rest_.empty() || depth > depth_max) return false;
        switch (rest_.front()) {
            case '{': return object(out.is.emplace<json_value::object>(), depth);
            case '[': return array(out.is.emplace<json_value::array>(), depth);
            case '"': return string(out.is.emplace<std::string>());
            case 't': return out.is = true, word("true");
            case 'f': return out.is = false, word("false");
            case 'n': return out.is = nullptr, word("null");
            default: return number(out.is.emplace<double>());
        }
    }

    bool object(json_value::object& out, int depth) {
        rest_.remove_prefix(1);
        skip_space();
        if (take('}')) return true;
        for (;;) {
            auto& member = out.emplace_back();
            if (rest_.empty() || rest_.front() != '"' || !string(member.first)) return false;
            skip_space();
            if (!take(':')) return false;
            skip_space();
            if (!value(member.second, depth + 1)) return false;
            skip_space();
            if (take('}')) return true;
            if (!take(',')) return false;
            skip_space();
        }
    }

    bool array(json_value::array& out, int depth) {
        rest_.remove_prefix(1);
        skip_space();
        if (take(']')) return true;
        for (;;) {
            if (!value(out.emplace_back(), depth + 1)) return false;
            skip_space();
            if (take(']')) return true;
            if (!take(',')) return false;
            skip_space();
        }
    }

    bool number(double& out) {
        const std::size_t length = rest_.find_first_not_of("0123456789+-.eE");
        const std::string_view text = rest_.substr(0, length);
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
        if (error != std::errc() || end != text.data() + text.size()) return false;
        rest_.remove_prefix(text.size());
        return true;
    }

    bool hex4(std::uint32_t& out) {
        if (rest_.size() < 4) return false;
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + 4, out, 16);
        if (error != std::errc() || end != rest_.data() + 4) return false;
        rest_.remove_prefix(4);
        return true;
    }

    bool string(std::string& out) {
        rest_.remove_prefix(1);
        for (;;) {
            const std::size_t plain = rest_.find_first_of("\"\\");
            if (plain == std::string_view::npos) return false;
            out += rest_.substr(0, plain);
            const char c = rest_[plain];
            rest_.remove_prefix(plain + 1);
            if (c == '"') return true;
            if (!escape(out)) return false;
        }
    }

    bool escape(std::string& out) {
        if (rest_.empty()) return false;
        const char c = rest_.front();
        rest_.remove_prefix(1);
        switch (c) {
            case '"':
            case '\\':
            case '/': out += c; return true;
            case 'b': out += '\b'; return true;
            case 'f': out += '\f'; return true;
            case 'n': out += '\n'; return true;
            case 'r': out += '\r'; return true;
            case 't': out += '\t'; return true;
            case 'u': {
                std::uint32_t code = 0;
                if (!hex4(code)) return false;
                if (code >= 0xD800 && code < 0xDC00) {  // the first half of a pair
                    std::uint32_t low = 0;
                    if (!word("\\u") || !hex4(low) || low < 0xDC00 || low > 0xDFFF) return false;
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                } else if (code >= 0xDC00 && code < 0xE000) {
                    return false;
                }
                append_utf8(code, out);
                return true;
            }
            default: return false;
        }
    }

    std::string_view rest_;
};

}  // namespace

const json_value* json_value::find(std::string_view key) const noexcept {
    const object* const all = members();
    if (all == nullptr) return nullptr;
    for (const auto& [name, v] : *all) {
        if (name == key) return &v;
    }
    return nullptr;
}

std::optional<json_value> parse_json(std::string_view text) { return reader(text).run(); }

}  // namespace martlet::cli
