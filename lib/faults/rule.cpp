#include "faults/rule.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

namespace martlet::faults_impl {
namespace {

constexpr std::uint16_t bit(packet_type type) noexcept {
    return static_cast<std::uint16_t>(1u << static_cast<unsigned>(type));
}

/// A number and the letters behind it: "5ms", "400B", "8kB/s".
struct quantity {
    double number = 0;
    std::string_view unit;
};

std::optional<quantity> read_quantity(std::string_view text) noexcept {
    quantity q;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), q.number);
    if (error != std::errc() || !std::isfinite(q.number) || q.number < 0) return std::nullopt;
    q.unit = text.substr(static_cast<std::size_t>(end - text.data()));
    return q;
}

std::optional<std::uint64_t> read_count(std::string_view text) noexcept {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

std::optional<double> factor_of_time(std::string_view unit) noexcept {
    if (unit == "us") return 1.0;
    if (unit == "ms") return 1e3;
    if (unit == "s") return 1e6;
    if (unit == "m") return 60e6;
    return std::nullopt;
}

std::optional<double> factor_of_size(std::string_view unit) noexcept {
    if (unit == "B") return 1.0;
    if (unit == "kB") return 1e3;
    if (unit == "MB") return 1e6;
    return std::nullopt;
}

constexpr double time_max = 86'400e6 * 365;  // a year, in microseconds

std::optional<duration> read_time(std::string_view text) noexcept {
    const auto q = read_quantity(text);
    const auto factor = q ? factor_of_time(q->unit) : std::nullopt;
    if (!factor || q->number * *factor > time_max) return std::nullopt;
    return duration(static_cast<duration::rep>(q->number * *factor));
}

std::optional<std::uint64_t> read_size(std::string_view text) noexcept {
    const auto q = read_quantity(text);
    const auto factor = q ? factor_of_size(q->unit) : std::nullopt;
    if (!factor || q->number * *factor > 9e18) return std::nullopt;
    return static_cast<std::uint64_t>(q->number * *factor);
}

std::optional<reason_code> read_code(std::string_view text) noexcept {
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        text.remove_prefix(2);
        base = 16;
    }
    unsigned number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || number > 0xFF) return std::nullopt;
    return static_cast<reason_code>(number);
}

std::optional<double> read_percent(std::string_view text) noexcept {
    const auto q = read_quantity(text);
    if (!q || q->unit != "%" || q->number > 100) return std::nullopt;
    return q->number / 100;
}

struct target_name {
    std::string_view name;
    std::uint16_t types;
};
constexpr auto targets = std::to_array<target_name>({
    {"any", rule::all_types},
    {"connect", bit(packet_type::connect)},
    {"connack", bit(packet_type::connack)},
    {"publish", bit(packet_type::publish)},
    {"puback", bit(packet_type::puback)},
    {"pubrec", bit(packet_type::pubrec)},
    {"pubrel", bit(packet_type::pubrel)},
    {"pubcomp", bit(packet_type::pubcomp)},
    {"subscribe", bit(packet_type::subscribe)},
    {"suback", bit(packet_type::suback)},
    {"unsubscribe", bit(packet_type::unsubscribe)},
    {"unsuback", bit(packet_type::unsuback)},
    {"ping", bit(packet_type::pingreq) | bit(packet_type::pingresp)},
    {"pingreq", bit(packet_type::pingreq)},
    {"pingresp", bit(packet_type::pingresp)},
    {"disconnect", bit(packet_type::disconnect)},
    {"auth", bit(packet_type::auth)},
});

std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> words;
    constexpr std::string_view blanks = " \t\r";
    for (;;) {
        text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
        if (text.empty()) return words;
        words.push_back(text.substr(0, text.find_first_of(blanks)));
        text.remove_prefix(words.back().size());
    }
}

class parser {
public:
    parser(std::string_view text, rule& out, std::string& why) : words_(words_of(text)), out_(out), why_(why) {}

    bool parse() {
        if (words_.empty()) return fail("it is empty");
        if (!read_action()) return false;
        while (at_ < words_.size()) {
            if (!read_word(words_[at_++])) return false;
        }
        return check();
    }

private:
    bool fail(std::string_view text) {
        why_ = text;
        return false;
    }
    bool fail_word(std::string_view word, std::string_view rule) {
        why_.assign("'").append(word).append("' is not ").append(rule);
        return false;
    }

    // The word behind the action, if it begins with a digit.
    std::optional<std::string_view> take_number() {
        if (at_ == words_.size() || words_[at_].front() < '0' || words_[at_].front() > '9') return std::nullopt;
        if (words_[at_].ends_with('%')) return std::nullopt;
        return words_[at_++];
    }

    bool read_time_of(std::string_view name, duration& time) {
        const auto word = take_number();
        const auto read = word ? read_time(*word) : std::nullopt;
        if (!read) return fail(std::string(name) + " wants a time, such as 50ms");
        time = *read;
        return true;
    }

    bool read_count_of(std::string_view name) {
        const auto word = take_number();
        const auto read = word ? read_count(*word) : std::nullopt;
        if (!read || *read == 0) return fail(std::string(name) + " wants a whole number from 1");
        out_.amount = *read;
        return true;
    }

    bool read_delay() {
        const auto word = take_number();
        std::string_view time = word.value_or("");
        for (const std::string_view sign : {"\xC2\xB1", "+-"}) {
            const std::size_t at = time.find(sign);
            if (at == std::string_view::npos) continue;
            const auto spread = read_time(time.substr(at + sign.size()));
            if (!spread) return fail_word(*word, "a time with its spread, such as 50ms±20ms");
            out_.spread = *spread;
            time = time.substr(0, at);
            break;
        }
        const auto read = read_time(time);
        if (!read) return fail("delay wants a time, such as 50ms or 50ms±20ms");
        out_.time = *read;
        return true;
    }

    bool read_throttle() {
        const auto word = take_number();
        if (word && word->ends_with("/s")) {
            if (const auto rate = read_size(word->substr(0, word->size() - 2)); rate && *rate != 0) {
                out_.amount = *rate;
                return true;
            }
        }
        return fail("throttle wants a rate, such as 8kB/s");
    }

    bool read_refusal(packet_type answered) {
        out_.action = action::refuse;
        out_.types = bit(answered);
        out_.out = false;
        has_target_ = true;
        return true;
    }

    bool read_action() {
        const std::string_view name = words_[at_++];
        constexpr auto plain = std::to_array<std::pair<std::string_view, action>>({{"drop", action::drop},
                                                                                   {"dup", action::dup},
                                                                                   {"corrupt", action::corrupt},
                                                                                   {"reset", action::reset},
                                                                                   {"half-close", action::half_close},
                                                                                   {"half-open", action::half_open},
                                                                                   {"disconnect", action::disconnect}});
        for (const auto& [word, meaning] : plain) {
            if (name != word) continue;
            out_.action = meaning;
            return true;
        }
        constexpr auto counted = std::to_array<std::pair<std::string_view, action>>(
            {{"reorder", action::reorder}, {"truncate", action::truncate}, {"split", action::split}});
        for (const auto& [word, meaning] : counted) {
            if (name != word) continue;
            out_.action = meaning;
            return read_count_of(name);
        }
        if (name == "delay") return out_.action = action::delay, read_delay();
        if (name == "throttle") return out_.action = action::throttle, read_throttle();
        if (name == "stall") return out_.action = action::stall, read_time_of(name, out_.time);
        if (name == "coalesce") {
            out_.action = action::coalesce;
            out_.time = std::chrono::milliseconds(20);
            const bool has_time = at_ != words_.size() && words_[at_].front() >= '0' && words_[at_].front() <= '9' &&
                                  !words_[at_].ends_with('%');
            return !has_time || read_time_of(name, out_.time);
        }
        if (name == "connack") return read_refusal(packet_type::connect);
        if (name == "suback") return read_refusal(packet_type::subscribe);
        if (name == "puback") return read_refusal(packet_type::publish);
        if (name == "no-connack" || name == "lose-session") {
            const bool loses = name == "lose-session";
            out_.action = loses ? action::lose_session : action::drop;
            out_.types = bit(loses ? packet_type::connect : packet_type::connack);
            has_target_ = true;
            return true;
        }
        return fail_word(name,
                         "an action: drop, dup, delay, reorder, corrupt, truncate, split, coalesce, throttle, "
                         "stall, half-open, reset, half-close, disconnect, connack, suback, puback, no-connack, "
                         "lose-session");
    }

    bool read_word(std::string_view word) {
        std::string_view name = word;
        bool in = true;
        bool out = true;
        if (word.starts_with("in>") || word.starts_with("out>")) {
            in = word.starts_with("in>");
            out = !in;
            name.remove_prefix(in ? 3 : 4);
        }
        for (const target_name& target : targets) {
            if (target.name != name) continue;
            if (std::exchange(has_target_, true)) return fail_word(word, "possible: the rule has a target already");
            out_.types = target.types;
            out_.in = in;
            out_.out = out;
            return true;
        }
        if (word.ends_with('%') && word.find('=') == std::string_view::npos) {
            const auto chance = read_percent(word);
            if (!chance) return fail_word(word, "a chance from 0% to 100%");
            out_.chance = *chance;
            return true;
        }
        if (word.starts_with("size>")) return read_into(out_.larger_than, word, word.substr(5));
        const std::size_t equals = word.find('=');
        if (equals == std::string_view::npos) return fail_word(word, "a part of a rule");
        return read_pair(word, word.substr(0, equals), word.substr(equals + 1));
    }

    bool read_into(std::optional<std::uint64_t>& field, std::string_view word, std::string_view value) {
        field = read_count(value);
        return field || fail_word(word, "right: its value is a whole number");
    }
    bool read_positive(std::optional<std::uint64_t>& field, std::string_view word, std::string_view value) {
        return read_into(field, word, value) && (*field != 0 || fail_word(word, "right: it counts from 1"));
    }
    static bool read_text(std::optional<std::string>& field, std::string_view value) {
        field = std::string(value);
        return true;
    }

    bool read_pair(std::string_view word, std::string_view key, std::string_view value) {
        if (key == "n") return read_positive(out_.nth, word, value);
        if (key == "every") return read_positive(out_.every, word, value);
        if (key == "times") return read_positive(out_.times, word, value);
        if (key == "after") return read_after(word, value);
        if (key == "sweep") {
            out_.is_sweep = true;
            const auto [low, high] = ends_of(value);
            const auto from = read_size(low).has_value() ? read_size(low) : read_count(low);
            const auto to = read_size(high);
            if (!from || !to || *from > *to) return fail_word(word, "right: a sweep is over bytes, such as 1..400B");
            out_.after_bytes = {*from, *to};
            return true;
        }
        if (key == "client") return read_text(out_.client, value);
        if (key == "user") return read_text(out_.user, value);
        if (key == "ip") return read_text(out_.address, value);
        if (key == "listener") return read_text(out_.listener, value);
        if (key == "on") {
            return is_valid_topic_name(value) ? read_text(out_.armed_by, value) : fail_word(value, "a topic name");
        }
        if (key == "topic") {
            return is_valid_topic_filter(value) ? read_text(out_.topic, value) : fail_word(value, "a topic filter");
        }
        if (key == "qos") {
            const auto number = read_count(value);
            if (!number || *number > 2) return fail_word(word, "right: a QoS is 0, 1 or 2");
            out_.wanted_qos = static_cast<qos>(*number);
            return true;
        }
        if (key == "connections") {
            const auto share = read_percent(value);
            if (!share) return fail_word(word, "right: a share of the connections is 0% to 100%");
            out_.share = *share;
            return true;
        }
        if (key == "for") {
            out_.lasts = read_time(value);
            return out_.lasts || fail_word(word, "right: it wants a time, such as 5s");
        }
        if (key == "rc") {
            out_.reason = read_code(value);
            return out_.reason || fail_word(word, "right: a reason code is 0x00 to 0xFF");
        }
        if (key == "byte") {
            const auto number = read_count(value);
            if (!number) return fail_word(word, "right: its value is a whole number");
            out_.byte = static_cast<std::size_t>(*number);
            return true;
        }
        return fail_word(word, "a part of a rule");
    }

    static std::pair<std::string_view, std::string_view> ends_of(std::string_view value) noexcept {
        const std::size_t dots = value.find("..");
        if (dots == std::string_view::npos) return {value, value};
        return {value.substr(0, dots), value.substr(dots + 2)};
    }

    // K, TIME or SIZE, or a range of them; the first end of a range may leave its unit out.
    bool read_after(std::string_view word, std::string_view value) {
        const auto [low, high] = ends_of(value);
        const auto wrong = [&, w = word] {
            return fail_word(w, "right: after= wants a number of packets, a size (400B) or a time (5s), or a range");
        };
        const auto top = read_quantity(high);
        auto bottom = read_quantity(low);
        if (!top || !bottom) return wrong();
        if (bottom->unit.empty()) bottom->unit = top->unit;
        if (top->unit.empty()) {
            const auto from = read_count(low);
            const auto to = read_count(high);
            if (!from || !to || *from > *to || *to == 0) return wrong();
            out_.after_packets = {*from, *to};
            return true;
        }
        if (const auto factor = factor_of_size(top->unit)) {
            const auto other = factor_of_size(bottom->unit);
            // As they are: what is too large has no place in an integer.
            if (!other || top->number * *factor > 9e18 || bottom->number * *other > top->number * *factor) {
                return wrong();
            }
            out_.after_bytes = {static_cast<std::uint64_t>(bottom->number * *other),
                                static_cast<std::uint64_t>(top->number * *factor)};
            return true;
        }
        const auto factor = factor_of_time(top->unit);
        const auto other = factor_of_time(bottom->unit);
        if (!factor || !other || top->number * *factor > time_max || bottom->number * *other > top->number * *factor) {
            return wrong();
        }
        out_.after_time = {duration(static_cast<duration::rep>(bottom->number * *other)),
                           duration(static_cast<duration::rep>(top->number * *factor))};
        return true;
    }

    bool check() {
        if (out_.action == action::refuse) {
            if (!out_.reason || *out_.reason < reason_code::unspecified_error) {
                return fail("a refusal wants a reason from 0x80 on, such as rc=0x97");
            }
        } else if (out_.reason && out_.action != action::disconnect) {
            return fail("rc= belongs to disconnect, connack, suback and puback");
        }
        if (out_.byte && out_.action != action::corrupt) return fail("byte= belongs to corrupt");
        if (out_.after_bytes && out_.after_bytes->high == 0 && out_.is_sweep) return fail("a sweep begins at 1B");
        if (out_.is_sweep && !is_about_connection(out_.action)) return fail("a sweep is for what ends a connection");
        if (out_.is_timed() && (out_.nth || out_.every || out_.after_packets || out_.types != rule::all_types ||
                                out_.topic || out_.wanted_qos || out_.larger_than || out_.chance < 1)) {
            return fail("at a time or a number of bytes there is no packet to look at: connections=P% is a chance");
        }
        return true;
    }

    std::vector<std::string_view> words_;
    std::size_t at_ = 0;
    bool has_target_ = false;
    rule& out_;
    std::string& why_;
};

std::optional<std::uint32_t> read_ipv4(std::string_view text) noexcept {
    std::uint32_t address = 0;
    for (int part = 0; part != 4; ++part) {
        const auto number = read_count(text.substr(0, text.find('.')));
        if (!number || *number > 255) return std::nullopt;
        address = address << 8 | static_cast<std::uint32_t>(*number);
        const std::size_t dot = text.find('.');
        if ((dot == std::string_view::npos) != (part == 3)) return std::nullopt;
        text.remove_prefix(part == 3 ? text.size() : dot + 1);
    }
    return address;
}

}  // namespace

bool rule::needs_packets() const noexcept {
    if (types != all_types || topic || wanted_qos || larger_than || armed_by || client || user) return true;
    if (nth || every || after_packets || chance < 1) return true;
    switch (action) {
        case action::drop:
        case action::dup:
        case action::reorder:
        case action::corrupt:
        case action::truncate:
        case action::refuse:
        case action::lose_session: return true;
        case action::disconnect: return reason.has_value();
        default: return false;
    }
}

bool parse_rule(std::string_view text, rule& out, std::string& why) {
    out = {};
    out.text = text;
    return parser(out.text, out, why).parse();
}

bool matches_glob(std::string_view pattern, std::string_view text) noexcept {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = std::string_view::npos;  // the last one, and what it stands for ends at `from`
    std::size_t from = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            from = t;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*')
        ++p;
    return p == pattern.size();
}

bool matches_address(std::string_view pattern, std::string_view address) noexcept {
    std::string_view host = address;
    if (host.starts_with('[')) {
        host = host.substr(1, host.find(']') - 1);
    } else if (std::count(host.begin(), host.end(), ':') == 1) {
        host = host.substr(0, host.find(':'));
    }
    const std::size_t slash = pattern.find('/');
    if (slash == std::string_view::npos) return matches_glob(pattern, host);
    const auto bits = read_count(pattern.substr(slash + 1));
    const auto net = read_ipv4(pattern.substr(0, slash));
    const auto own = read_ipv4(host);
    if (!bits || !net || !own || *bits > 32) return false;
    const std::uint32_t mask = *bits == 0 ? 0 : std::numeric_limits<std::uint32_t>::max() << (32 - *bits);
    return (*net & mask) == (*own & mask);
}

}  // namespace martlet::faults_impl
