// JSON as text: enough to print messages, and to take a payload over into them without changing its numbers. RFC 8259.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace martlet::cli {

/// True for well-formed UTF-8 of any length; U+0000 is allowed.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// Appends `text`, which must be UTF-8, as a JSON string with its quotes.
void append_json_string(std::string_view text, std::string& out);

/// Appends bytes in base64 with padding, without quotes. RFC 4648.
void append_base64(std::string_view bytes, std::string& out);

/// Appends `text` without insignificant white space. False, and nothing appended, if it is not one JSON value.
bool append_minified_json(std::string_view text, std::string& out);

/// Writes one object after another, compact or indented by tabs ("key":<tab>value) as cJSON does.
class json_writer {
public:
    json_writer(std::string& out, bool pretty) noexcept : out_(out), pretty_(pretty) {}

    void begin_object();
    void end_object();
    void begin_array();
    void end_array();
    void key(std::string_view name);
    void string(std::string_view text);
    void number(std::uint64_t n);
    void boolean(bool b);
    void null();
    /// A whole JSON value as text, put in as it is (compact) or indented anew.
    void raw(std::string_view minified);

private:
    void separate();
    void indent();

    std::string& out_;
    bool pretty_;
    bool first_ = true;  // of the present object or array
    bool after_key_ = false;
    std::string levels_;  // of the open ones, from the outside: 'a'rray or 'o'bject
};

}  // namespace martlet::cli
