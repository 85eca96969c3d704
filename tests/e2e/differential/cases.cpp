#include "e2e/differential/cases.hpp"

#include <fstream>
#include <stdexcept>

namespace martlet::test::differential {
namespace {

int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    throw std::runtime_error("\\x without two hex digits");
}

/// Takes what follows a backslash at text[at]; `at` is left behind it.
char escape(std::string_view text, std::size_t& at) {
    if (at >= text.size()) throw std::runtime_error("backslash at the end");
    const char c = text[at++];
    switch (c) {
        case 'n': return '\n';
        case 't': return '\t';
        case 'r': return '\r';
        case 'e': return '\033';
        case '0': return '\0';
        case 'x': {
            if (at + 2 > text.size()) throw std::runtime_error("\\x without two hex digits");
            const int value = hex_digit(text[at]) * 16 + hex_digit(text[at + 1]);
            at += 2;
            return static_cast<char>(value);
        }
        default: return c;
    }
}

std::vector<std::string> columns(const std::string& line) {
    std::vector<std::string> out(1);
    for (const char c : line) {
        if (c == '\t')
            out.emplace_back();
        else
            out.back() += c;
    }
    for (std::string& column : out) {
        if (column == "-") column.clear();
    }
    return out;
}

std::vector<std::vector<std::string>> read_table(const std::string& path, std::size_t width) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot read " + path);
    std::vector<std::vector<std::string>> rows;
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') continue;
        auto row = columns(line);
        if (row.size() > width) throw std::runtime_error("too many columns: " + line);
        row.resize(width);
        rows.push_back(std::move(row));
    }
    return rows;
}

std::vector<words> split_setup(std::string_view text) {
    std::vector<words> setup;
    for (const std::string& word : split_words(text)) {
        if (setup.empty() || word == ";") setup.emplace_back();
        if (word != ";") setup.back().push_back(word);
    }
    return setup;
}

}  // namespace

words split_words(std::string_view text) {
    words out;
    bool in_word = false;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at++];
        if (c == ' ') {
            in_word = false;
            continue;
        }
        if (!in_word) out.emplace_back();
        in_word = true;
        if (c == '\'' || c == '"') {
            while (at < text.size() && text[at] != c) {
                char next = text[at++];
                if (c == '"' && next == '\\') next = escape(text, at);
                out.back() += next;
            }
            if (at == text.size()) throw std::runtime_error("quote is not closed: " + std::string(text));
            ++at;
        } else {
            out.back() += c;
        }
    }
    return out;
}

std::string unescaped(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at++];
        out += c == '\\' ? escape(text, at) : c;
    }
    return out;
}

std::string escaped(std::string_view text) {
    static constexpr std::string_view hex = "0123456789abcdef";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else if (c == '\\') {
            out += "\\\\";
        } else if (byte < 32 || byte == 127 || byte >= 0x80) {
            out.append("\\x") += hex[byte >> 4];
            out += hex[byte & 15];
        } else {
            out += c;
        }
    }
    return out;
}

std::vector<test_case> read_cases(const std::string& path) {
    std::vector<test_case> cases;
    for (const auto& row : read_table(path, 4))
        cases.push_back({row[0], split_words(row[1]), unescaped(row[2]), split_setup(row[3])});
    return cases;
}

std::vector<difference> read_differences(const std::string& path) {
    std::vector<difference> list;
    for (const auto& row : read_table(path, 4)) {
        const bool is_part = row[2].starts_with('~');
        list.push_back({row[0], row[1], unescaped(std::string_view(row[2]).substr(is_part ? 1 : 0)), is_part, row[3]});
    }
    return list;
}

}  // namespace martlet::test::differential
