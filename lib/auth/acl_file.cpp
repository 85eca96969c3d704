#include "auth/acl_file.hpp"

#include "auth/text_file.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <utility>

namespace martlet::auth_impl {

namespace {

constexpr std::string_view blanks = " \t";

/// Takes a word from the front of `text`, and the blanks around it.
std::string_view take_word(std::string_view& text) noexcept {
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    const std::string_view word = text.substr(0, text.find_first_of(blanks));
    text.remove_prefix(word.size());
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    return word;
}

std::optional<access> access_of(std::string_view word) noexcept {
    if (word == "read") return access::read;
    if (word == "write") return access::write;
    if (word == "readwrite") return access::read_write;
    if (word == "deny") return access::none;
    return std::nullopt;
}

bool has(access rights, access wanted) noexcept {
    return (static_cast<unsigned>(rights) & static_cast<unsigned>(wanted)) != 0;
}

void trim_end(std::string_view& text) noexcept { text = text.substr(0, text.find_last_not_of(blanks) + 1); }

/// Takes a level from the front of `text`; false at the end.
bool take_level(std::string_view& text, bool& ended, std::string_view& level) noexcept {
    if (ended) return false;
    const std::size_t slash = text.find('/');
    level = text.substr(0, slash);
    ended = slash == std::string_view::npos;
    text.remove_prefix(ended ? text.size() : slash + 1);
    return true;
}

bool is_dollar_against_wildcard(std::string_view a, std::string_view b) noexcept {
    return a.starts_with('$') && (b.starts_with('+') || b.starts_with('#'));  // [MQTT-4.7.2-1]
}

}  // namespace

// ---- filters

bool covers(std::string_view outer, std::string_view inner) noexcept {
    if (is_dollar_against_wildcard(inner, outer)) return false;
    bool outer_ended = false;
    bool inner_ended = false;
    std::string_view o;
    std::string_view i;
    for (;;) {
        const bool more = take_level(outer, outer_ended, o);
        if (more && o == "#") return true;  // also the level above it
        if (more != take_level(inner, inner_ended, i)) return false;
        if (!more) return true;
        if (i == "#" || (o != "+" && o != i)) return false;
    }
}

bool overlaps(std::string_view a, std::string_view b) noexcept {
    if (is_dollar_against_wildcard(a, b) || is_dollar_against_wildcard(b, a)) return false;
    bool a_ended = false;
    bool b_ended = false;
    std::string_view x;
    std::string_view y;
    for (;;) {
        const bool more_a = take_level(a, a_ended, x);
        const bool more_b = take_level(b, b_ended, y);
        if ((more_a && x == "#") || (more_b && y == "#")) return true;
        if (more_a != more_b) return false;
        if (!more_a) return true;
        if (x != "+" && y != "+" && x != y) return false;
    }
}

// ---- reading

std::optional<acl> acl::parse(std::string_view text, std::string_view file_name, std::string& why) {
    acl out;
    rules* section = &out.anonymous_;
    bool any = false;
    std::size_t number = 0;
    const auto fail = [&](std::string_view rule) {
        why.assign(file_name).append(1, ':').append(std::to_string(number)).append(": ").append(rule);
        return std::nullopt;
    };
    for (std::string_view line; take_line(text, line);) {
        ++number;
        trim_end(line);
        const std::string_view key = take_word(line);
        if (key.empty() || key.front() == '#') continue;
        if (line.empty()) return fail("'" + std::string(key) + "' has no value");
        if (key == "user") {
            if (!is_valid_utf8_string(line)) return fail("the user name is not well-formed UTF-8");
            section = &out.users_[std::string(line)];
            any = true;
            continue;
        }
        if (key != "topic" && key != "pattern") {
            return fail("unknown word '" + std::string(key) + "'; a line is user, topic or pattern");
        }
        std::string_view rest = line;
        const auto rights = access_of(take_word(rest));
        if (rights && rest.empty()) return fail("the topic filter is missing");
        rule r{rights.value_or(access::read_write), std::string(rights ? rest : line)};
        if (!is_valid_topic_filter(r.filter)) return fail("'" + r.filter + "' is no valid topic filter");
        if (r.filter.starts_with("$share/")) return fail("rights are for the filter without $share/group/");
        const bool is_pattern = key == "pattern";
        r.has_client_id = is_pattern && r.filter.find("%c") != std::string::npos;
        r.has_user_name = is_pattern && r.filter.find("%u") != std::string::npos;
        rules& list = is_pattern ? out.patterns_ : *section;
        list.insert(r.rights == access::none ? list.begin() : list.end(), std::move(r));
        any = true;
    }
    number = std::max<std::size_t>(number, 1);
    if (!any) return fail("there is no rule in it; to forbid everything: topic deny #");
    return out;
}

// ---- deciding

const acl::rules& acl::of(const client_info& client) const noexcept {
    if (client.user_name.empty()) return anonymous_;
    const auto found = users_.find(client.user_name);
    return found != users_.end() ? found->second : nothing_;
}

// A name that holds a separator or a wildcard would reach beyond its own level: such a pattern is not the client's.
bool acl::expand(const rule& r, const client_info& client, std::string& out) {
    const auto fits = [](std::string_view name) {
        return !name.empty() && name.find_first_of("+#/") == std::string_view::npos;
    };
    if ((r.has_client_id && !fits(client.client_id)) || (r.has_user_name && !fits(client.user_name))) return false;
    out.clear();
    for (std::size_t at = 0; at < r.filter.size(); ++at) {
        const std::string_view two = std::string_view(r.filter).substr(at, 2);
        if (two == "%c" || two == "%u") {
            out += two == "%c" ? client.client_id : client.user_name;
            ++at;
        } else {
            out += r.filter[at];
        }
    }
    return true;
}

// What the first rule that decides says.
template <class F>
std::optional<bool> acl::first(const rules& list, const client_info& client, F&& decides) const {
    std::string expanded;
    for (const rule& r : list) {
        std::string_view filter = r.filter;
        if (r.has_client_id || r.has_user_name) {
            if (!expand(r, client, expanded)) continue;
            filter = expanded;
        }
        if (const std::optional<bool> decision = decides(r.rights, filter)) return decision;
    }
    return std::nullopt;
}

bool acl::allows(const client_info& client, std::string_view topic, access wanted) const {
    const auto decides = [&](access rights, std::string_view filter) -> std::optional<bool> {
        if ((rights != access::none && !has(rights, wanted)) || !topic_matches(filter, topic)) return std::nullopt;
        return rights != access::none;
    };
    if (const auto decision = first(of(client), client, decides)) return *decision;
    return first(patterns_, client, decides).value_or(false);
}

bool acl::allows_subscription(const client_info& client, std::string_view wanted, bool partly) const {
    const auto decides = [&](access rights, std::string_view filter) -> std::optional<bool> {
        if (rights == access::none) return covers(filter, wanted) ? std::optional(false) : std::nullopt;
        if (!has(rights, access::read)) return std::nullopt;
        return (partly ? overlaps(filter, wanted) : covers(filter, wanted)) ? std::optional(true) : std::nullopt;
    };
    if (const auto decision = first(of(client), client, decides)) return *decision;
    return first(patterns_, client, decides).value_or(false);
}

bool acl::depends_on_users() const noexcept {
    return !users_.empty() ||
           std::any_of(patterns_.begin(), patterns_.end(), [](const rule& r) { return r.has_user_name; });
}

bool acl::is_safe_name(std::string_view name) const noexcept {
    return patterns_.empty() || name.find_first_of("+#") == std::string_view::npos;
}

}  // namespace martlet::auth_impl
