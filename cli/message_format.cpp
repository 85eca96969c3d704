#include "message_format.hpp"

#include "json_text.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdio>
#include <cstring>

namespace martlet::cli {
namespace {

constexpr int width_max = 9'999;  // of width and precision: more is a slip of the finger

template <class... Ts>
struct overloaded : Ts... {
    using Ts::operator()...;
};
template <class... Ts>
overloaded(Ts...) -> overloaded<Ts...>;  // clang 14 does not deduce it by itself

std::tm local_time(std::time_t seconds) {
    std::tm parts{};
    localtime_r(&seconds, &parts);
    return parts;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"  // the user chooses the conversion, strftime knows them all
void append_time(const char* conversions, std::time_t seconds, std::string& out) {
    const std::tm parts = local_time(seconds);
    std::array<char, 128> text{};
    out.append(text.data(), std::strftime(text.data(), text.size(), conversions, &parts));
}
#pragma GCC diagnostic pop

void append_nanoseconds(long nanoseconds, std::string& out) {
    std::array<char, 16> text{};
    const int n = std::snprintf(text.data(), text.size(), "%09ld", nanoseconds);
    out.append(text.data(), static_cast<std::size_t>(n));
}

void append_hex(std::string_view bytes, bool upper, int group, char separator, std::string& out) {
    const std::string_view digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    int in_group = 0;
    const auto append_digit = [&](unsigned value) {
        if (group > 0 && in_group == group) {
            out += separator;
            in_group = 0;
        }
        out += digits[value];
        ++in_group;
    };
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        append_digit(byte >> 4u);
        append_digit(byte & 15u);
    }
}

/// A payload of exactly the size of a number, in the machine's byte order as mosquitto has it.
template <class Float>
std::optional<std::string> float_text(std::string_view payload, int precision) {
    if (payload.size() != sizeof(Float)) return std::nullopt;
    Float value = 0;
    std::memcpy(&value, payload.data(), sizeof(value));
    std::array<char, 512> text{};  // 309 digits of the largest double, a point, decimals
    const int n = std::snprintf(text.data(), text.size(), "%.*f", std::min(precision, 100), static_cast<double>(value));
    return std::string(text.data(), static_cast<std::size_t>(n));
}

void print_properties(const printable_message& m, json_style style, json_writer& json) {
    const message_properties& p = m.properties;
    if (p.payload_format_indicator) {
        json.key("payload-format-indicator");
        json.number(static_cast<std::uint8_t>(*p.payload_format_indicator));
    }
    if (p.message_expiry_interval) {
        json.key("message-expiry-interval");
        json.number(*p.message_expiry_interval);
    }
    if (p.content_type) {
        json.key("content-type");
        json.string(*p.content_type);
    }
    if (p.response_topic) {
        json.key("response-topic");
        json.string(*p.response_topic);
    }
    if (p.correlation_data) {
        const bool text = is_utf8(*p.correlation_data);
        json.key(text ? "correlation-data" : "correlation-data_b64");
        std::string encoded;
        if (!text) append_base64(*p.correlation_data, encoded);
        json.string(text ? *p.correlation_data : std::string_view(encoded));
    }
    if (!p.user_properties.empty()) {
        json.key("user-properties");
        const bool array = style == json_style::mosquitto_2_1;
        if (array) json.begin_array();
        if (!array) json.begin_object();
        for (const user_property& pair : p.user_properties) {
            if (array) json.begin_object();
            json.key(pair.name);
            json.string(pair.value);
            if (array) json.end_object();
        }
        if (array) json.end_array();
        if (!array) json.end_object();
    }
    for (const std::uint32_t id : m.subscription_identifiers) {
        json.key("subscription-identifier");
        json.number(id);
        break;  // a key may stand once; the one that mosquitto would print last is not worth a list
    }
    if (m.topic_alias) {
        json.key("topic-alias");
        json.number(*m.topic_alias);
    }
}

bool has_properties(const printable_message& m) {
    return m.properties != message_properties{} || m.topic_alias || !m.subscription_identifiers.empty();
}

}  // namespace

struct message_format::parser {
    std::string_view text;
    std::size_t at = 0;
    message_format result;
    std::string error;

    bool run() {
        std::string plain;
        const auto flush = [&] {
            if (!plain.empty()) result.items_.emplace_back(literal{std::exchange(plain, {})});
        };
        while (at < text.size() && error.empty()) {
            const char c = text[at++];
            if (c == '\\') {
                plain += escape();
            } else if (c == '%') {
                flush();
                specifier();
            } else if (c == '@') {
                if (at == text.size()) return fail("Incomplete format specifier.");
                const char conversion = text[at++];
                if (conversion == '@') {
                    plain += '@';
                    continue;
                }
                flush();
                result.needs_time_ = true;
                if (conversion == 'N') {
                    result.items_.emplace_back(nanoseconds{});
                } else {
                    result.items_.emplace_back(clock{conversion});
                }
            } else {
                plain += c;
            }
        }
        flush();
        return error.empty();
    }

    char escape() {
        if (at == text.size()) {
            fail("Incomplete escape specifier.");
            return 0;
        }
        const char c = text[at++];
        switch (c) {
            case '\\': return '\\';
            case '0': return '\0';
            case 'a': return '\a';
            case 'e': return '\033';
            case 'n': return '\n';
            case 'r': return '\r';
            case 't': return '\t';
            case 'v': return '\v';
            default: break;
        }
        fail(std::string("Invalid escape specifier '") + c + "'.");
        return 0;
    }

    void specifier() {
        field f;
        if (next_is('-')) f.left = true;
        if (next_is('0')) f.pad = '0';
        f.width = digits();
        if (next_is('.')) {
            f.precision = digits();
            if (at < text.size() && separators.find(text[at]) != std::string_view::npos) f.separator = text[at++];
        }
        if (f.width > width_max || f.precision > width_max) {
            fail("Format width or precision above " + std::to_string(width_max) + ".");
            return;
        }
        if (at == text.size()) {
            fail("Incomplete format specifier.");
            return;
        }
        const char letter = text[at++];
        if (letters.find(letter) == std::string_view::npos) {
            fail(std::string("Invalid format specifier '") + letter + "'.");
            return;
        }
        f.what = static_cast<format_field>(letter);
        if (std::string_view("IUjJ").find(letter) != std::string_view::npos) result.needs_time_ = true;
        result.items_.emplace_back(f);
    }

    bool next_is(char c) {
        if (at == text.size() || text[at] != c) return false;
        ++at;
        return true;
    }

    int digits() {
        int number = 0;
        while (at < text.size() && text[at] >= '0' && text[at] <= '9') {
            number = std::min(number * 10 + (text[at++] - '0'), width_max + 1);
        }
        return number;
    }

    bool fail(std::string what) {
        if (error.empty()) error = std::move(what);
        return false;
    }

    static constexpr std::string_view letters = "%ACDEFIjJlmPpqRrStUxXfd";
    static constexpr std::string_view separators = "!\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~ ";
};

std::variant<message_format, std::string> message_format::compile(std::string_view format, format_options options) {
    parser p{format, 0, {}, {}};
    p.result.options_ = options;
    if (!p.run()) return std::move(p.error);
    return std::move(p.result);
}

print_problem message_format::print(const printable_message& m, const std::timespec& now, std::string& out) const {
    print_problem problem = print_problem::none;
    for (const item& i : items_) {
        std::visit(overloaded{
                       [&](const literal& l) { out += l.text; },
                       [&](const field& f) {
                           const print_problem here = print_field(f, m, now, out);
                           if (here != print_problem::none) problem = here;
                       },
                       [&](const clock& c) {
                           const char conversions[] = {'%', c.conversion, '\0'};
                           append_time(conversions, now.tv_sec, out);
                       },
                       [&](const nanoseconds&) { append_nanoseconds(now.tv_nsec, out); },
                   },
                   i);
    }
    return problem;
}

print_problem message_format::print_field(const field& f, const printable_message& m, const std::timespec& now,
                                          std::string& out) const {
    const auto width = static_cast<std::size_t>(f.width);
    const auto pad_to_width = [&](std::size_t start, char pad) {
        const std::size_t size = out.size() - start;
        if (size >= width) return;
        if (f.left) {
            out.append(width - size, ' ');
        } else {
            out.insert(start, width - size, pad);
        }
    };
    const auto text = [&](std::string_view value) {
        const std::size_t start = out.size();
        out += f.precision < 0 ? value : value.substr(0, static_cast<std::size_t>(f.precision));
        pad_to_width(start, ' ');
    };
    const auto number = [&](std::optional<std::uint64_t> value) {
        const std::size_t start = out.size();
        if (value) out += std::to_string(*value);
        pad_to_width(start, f.pad);
    };
    const auto payload = [&](std::string_view shown) {
        const std::size_t start = out.size();
        out += shown;
        pad_to_width(start, f.pad);
    };
    const auto hex = [&](bool upper) {
        const std::size_t start = out.size();
        append_hex(width > 0 ? m.payload.substr(0, width / 2) : m.payload, upper, f.precision, f.separator, out);
        pad_to_width(start, f.pad);
    };

    const message_properties& p = m.properties;
    switch (f.what) {
        case format_field::percent: out += '%'; break;
        case format_field::topic_alias: number(m.topic_alias); break;
        case format_field::content_type: text(p.content_type.value_or("")); break;
        case format_field::correlation_data: out += p.correlation_data.value_or(""); break;
        case format_field::message_expiry: number(p.message_expiry_interval); break;
        case format_field::payload_format:
            number(p.payload_format_indicator
                       ? std::optional<std::uint64_t>(*p.payload_format_indicator == payload_format::utf8)
                       : std::nullopt);
            break;
        case format_field::iso_time: {
            std::string when;
            append_time("%FT%T%z", now.tv_sec, when);
            text(when);
            break;
        }
        case format_field::json: return print_json(false, m, now, out);
        case format_field::json_payload: return print_json(true, m, now, out);
        case format_field::length: number(m.payload.size()); break;
        case format_field::packet_identifier: number(to_number(m.id)); break;
        case format_field::user_properties: {
            bool first = true;
            for (const user_property& pair : p.user_properties) {
                if (!first) out += ' ';
                first = false;
                out.append(pair.name).append(":").append(pair.value);
            }
            break;
        }
        case format_field::payload: payload(width > 0 ? m.payload.substr(0, width) : m.payload); break;
        case format_field::qos: out += static_cast<char>('0' + to_number(m.qos)); break;
        case format_field::response_topic:
            if (p.response_topic)
                text(*p.response_topic);  // alone among the fields it leaves no blanks, as in mosquitto
            break;
        case format_field::retain: out += m.retain ? '1' : '0'; break;
        case format_field::subscription_identifier:
            number(m.subscription_identifiers.empty()
                       ? std::nullopt
                       : std::optional<std::uint64_t>(m.subscription_identifiers.front()));
            break;
        case format_field::topic: text(m.topic); break;
        case format_field::unix_time:
            append_time("%s", now.tv_sec, out);
            out += '.';
            append_nanoseconds(now.tv_nsec, out);
            break;
        case format_field::hex: hex(false); break;
        case format_field::upper_hex: hex(true); break;
        case format_field::payload_float: {
            const auto shown = float_text<float>(m.payload, f.precision);
            if (!shown) return print_problem::not_a_float;
            payload(*shown);
            break;
        }
        case format_field::payload_double: {
            const auto shown = float_text<double>(m.payload, f.precision);
            if (!shown) return print_problem::not_a_double;
            payload(*shown);
            break;
        }
    }
    return print_problem::none;
}

print_problem message_format::print_json(bool parse_payload, const printable_message& m, const std::timespec& now,
                                         std::string& out) const {
    std::string payload;
    if (parse_payload && !m.payload.empty() && !append_minified_json(m.payload, payload))
        return print_problem::not_json;

    const bool new_style = options_.style == json_style::mosquitto_2_1;
    json_writer json(out, options_.pretty);
    json.begin_object();

    std::string when;
    append_time("%FT%T.", now.tv_sec, when);
    std::string fraction;
    append_nanoseconds(now.tv_nsec, fraction);
    when.append(fraction, 0, 6);
    append_time("%z", now.tv_sec, when);
    json.key("tst");
    json.string(when);

    json.key("topic");
    json.string(m.topic);
    json.key("qos");
    json.number(to_number(m.qos));
    json.key("retain");
    if (new_style) {
        json.boolean(m.retain);
    } else {
        json.number(m.retain ? 1 : 0);
    }
    json.key("payloadlen");
    json.number(m.payload.size());
    if (m.qos != qos::at_most_once) {
        json.key("mid");
        json.number(to_number(m.id));
    }
    if (has_properties(m)) {
        json.key("properties");
        json.begin_object();
        print_properties(m, options_.style, json);
        json.end_object();
    }

    if (m.payload.empty()) {
        json.key("payload");
        json.null();
    } else if (parse_payload) {
        json.key("payload");
        json.raw(payload);
    } else if (is_utf8(m.payload)) {
        json.key("payload");
        json.string(m.payload);
    } else {
        append_base64(m.payload, payload);
        json.key("payload_b64");
        json.string(payload);
    }
    json.end_object();
    return print_problem::none;
}

}  // namespace martlet::cli
