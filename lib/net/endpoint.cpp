// Endpoint URLs, after RFC 3986: scheme ":" "//" [user [":" password] "@"] host [":" port] [path], unix ":" path,
// and memory ":" name.
// By hand rather than by Boost.URL: compiling that into our library would define its symbols a second time in programs
// that link it themselves, and it could not say which part breaks which rule.
#include <martlet/endpoint.hpp>

#include <boost/asio/ip/address_v6.hpp>

#include <algorithm>
#include <array>
#include <charconv>

namespace martlet {

namespace {

constexpr std::size_t host_size_max = 253;       // of a name in DNS
constexpr std::size_t unix_path_size_max = 107;  // sun_path, with its final zero

constexpr std::array schemes{scheme::mqtt, scheme::mqtts, scheme::ws, scheme::wss, scheme::unix_socket, scheme::memory};

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
    return std::ranges::equal(a, b, {}, lower, lower);
}

int hex_value(char c) noexcept {
    if (is_digit(c)) return c - '0';
    if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
    return -1;
}

bool is_control(char c) noexcept { return (c >= '\0' && c < ' ') || c == '\x7f'; }
bool is_printable_ascii(char c) noexcept { return c > ' ' && c < '\x7f'; }

// False if a '%' is not followed by two hexadecimal digits, or if a zero byte would come out.
bool percent_decode(std::string_view in, std::string& out) {
    out.clear();
    for (std::size_t i = 0; i != in.size(); ++i) {
        if (in[i] != '%') {
            out += in[i];
            continue;
        }
        if (in.size() - i < 3) return false;
        const int high = hex_value(in[i + 1]);
        const int low = hex_value(in[i + 2]);
        if (high < 0 || low < 0 || (high == 0 && low == 0)) return false;
        out += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return true;
}

bool is_host_sign(char c) noexcept { return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_'; }

class parser {
public:
    explicit parser(std::string_view url) : rest_(url) {}

    // Empty if all is well, else what is wrong.
    std::string_view parse(endpoint& out) {
        if (std::ranges::any_of(rest_, is_control)) return "a URL has no control characters";
        if (const auto why = parse_scheme(out); !why.empty()) return why;
        if (out.scheme == scheme::unix_socket) return parse_unix_path(out);
        if (out.scheme == scheme::memory) return parse_name_in_memory(out);

        if (!rest_.starts_with("//")) return "\"//\" must follow the scheme";
        rest_.remove_prefix(2);
        const std::string_view authority = rest_.substr(0, rest_.find_first_of("/?#"));
        if (const auto why = parse_path(out, rest_.substr(authority.size())); !why.empty()) return why;

        const auto at = authority.rfind('@');
        if (at == authority.npos) return parse_host_and_port(out, authority);
        if (const auto why = parse_user(out, authority.substr(0, at)); !why.empty()) return why;
        return parse_host_and_port(out, authority.substr(at + 1));
    }

private:
    std::string_view parse_scheme(endpoint& out) {
        const auto colon = rest_.find(':');
        const auto name = rest_.substr(0, colon);
        const auto found =
            std::ranges::find_if(schemes, [name](scheme s) { return equal_ignoring_case(name, to_string(s)); });
        if (colon == rest_.npos || found == schemes.end()) {
            return "a URL begins with mqtt://, mqtts://, ws://, wss://, unix: or memory:";
        }
        out.scheme = *found;
        out.port = default_port(out.scheme);
        rest_.remove_prefix(colon + 1);
        return {};
    }

    // "unix:/path" or, as for files, "unix:///path" with an empty host
    std::string_view parse_unix_path(endpoint& out) {
        if (rest_.starts_with("//")) {
            rest_.remove_prefix(2);
            if (!rest_.starts_with('/')) return "a unix URL has no host: unix:/path";
        }
        if (rest_.find_first_of("?#") != rest_.npos) return "path: '?' and '#' must be percent-encoded";
        if (!percent_decode(rest_, out.path)) return "path: '%' must be followed by two hexadecimal digits, not 00";
        if (out.path.empty()) return "path: missing";
        if (out.path.size() > unix_path_size_max) return "path: a unix socket's path has at most 107 bytes";
        return {};
    }

    std::string_view parse_name_in_memory(endpoint& out) {
        out.path = rest_;
        const bool is_right =
            !rest_.empty() && rest_.size() <= host_size_max && std::ranges::all_of(rest_, is_host_sign);
        return is_right ? "" : "name: 1 to 253 letters, digits, '-', '.' and '_'";
    }

    static std::string_view parse_path(endpoint& out, std::string_view path) {
        if (out.scheme == scheme::ws || out.scheme == scheme::wss) {
            if (path.find('#') != path.npos) return "path: a WebSocket URL has no '#' part";
            if (!std::ranges::all_of(path, is_printable_ascii)) {
                return "path: blanks and bytes beyond ASCII must be percent-encoded";
            }
            if (path.starts_with('?')) out.path = '/';
        } else if (!path.empty() && path.front() != '/') {
            return "host: '?' and '#' are not allowed";
        }
        out.path += path;
        return {};
    }

    static std::string_view parse_user(endpoint& out, std::string_view user) {
        if (user.find('@') != user.npos) return "user name, password: '@' must be percent-encoded";
        const auto colon = user.find(':');
        if (!percent_decode(user.substr(0, colon), out.user_name.emplace())) {
            return "user name: '%' must be followed by two hexadecimal digits, not 00";
        }
        if (colon == user.npos) return {};
        if (!percent_decode(user.substr(colon + 1), out.password.emplace())) {
            return "password: '%' must be followed by two hexadecimal digits, not 00";
        }
        return {};
    }

    static std::string_view parse_host_and_port(endpoint& out, std::string_view text) {
        if (text.starts_with('[')) {
            const auto end = text.find(']');
            if (end == text.npos) return "host: ']' is missing";
            if (const auto why = parse_ipv6(out, text.substr(1, end - 1)); !why.empty()) return why;
            return parse_port(out, text.substr(end + 1));
        }
        const auto colon = text.find(':');
        const auto why = parse_name(out, text.substr(0, colon));
        return why.empty() && colon != text.npos ? parse_port(out, text.substr(colon)) : why;
    }

    static std::string_view parse_ipv6(endpoint& out, std::string_view text) {
        out.host = text;
        // RFC 6874: the '%' before a zone is itself encoded; people write it bare
        if (const auto zone = out.host.find("%25"); zone != out.host.npos) out.host.erase(zone + 1, 2);
        error_code error;
        (void)boost::asio::ip::make_address_v6(out.host, error);
        return error ? "host: what stands in [] must be an IPv6 address" : "";
    }

    static std::string_view parse_name(endpoint& out, std::string_view text) {
        if (!percent_decode(text, out.host)) return "host: '%' must be followed by two hexadecimal digits, not 00";
        if (out.host.empty()) return "host: missing";
        if (out.host.size() > host_size_max) return "host: a name has at most 253 signs";
        if (out.host == "*") return {};  // all addresses, to listen
        if (!std::ranges::all_of(out.host, is_host_sign)) {
            return "host: only letters, digits, '-', '.' and '_'; an IPv6 address stands in []";
        }
        std::ranges::transform(out.host, out.host.begin(), lower);
        return {};
    }

    // A ':' without digits after it means the default [RFC 3986 §3.2.3].
    static std::string_view parse_port(endpoint& out, std::string_view text) {
        constexpr std::string_view why = "port: must be a number from 0 to 65535";
        if (text.empty()) return {};
        if (text.front() != ':') return "host: ']' must be followed by ':' and a port, by '/' or by nothing";
        text.remove_prefix(1);
        if (text.empty()) return {};
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.port);
        if (error != std::errc() || end != text.data() + text.size()) {
            return text.find(':') != text.npos ? "host: an IPv6 address stands in []" : why;
        }
        return {};
    }

    std::string_view rest_;
};

}  // namespace

std::string_view to_string(scheme s) noexcept {
    switch (s) {
        case scheme::mqtt: return "mqtt";
        case scheme::mqtts: return "mqtts";
        case scheme::ws: return "ws";
        case scheme::wss: return "wss";
        case scheme::unix_socket: return "unix";
        case scheme::memory: return "memory";
    }
    return "?";
}

boost::system::result<endpoint> parse_endpoint(std::string_view url, std::string_view* why) {
    endpoint out;
    const std::string_view problem = parser(url).parse(out);
    if (problem.empty()) return out;
    if (why) *why = problem;
    return make_error_code(errc::url_invalid);
}

std::string to_string(const endpoint& where) {
    std::string url(to_string(where.scheme));
    if (!has_host(where.scheme)) {
        // What would be read as something else is escaped, or gets the empty host before it.
        url += where.path.starts_with("//") ? "://" : ":";
        for (const char c : where.path) {
            constexpr std::string_view digits = "0123456789ABCDEF";
            if (c == '%' || c == '?' || c == '#' || is_control(c)) {
                const auto byte = static_cast<unsigned char>(c);
                url.append({'%', digits[byte >> 4], digits[byte & 15]});
            } else {
                url += c;
            }
        }
        return url;
    }
    const bool is_ipv6 = where.host.find(':') != where.host.npos;
    url += is_ipv6 ? "://[" + where.host + "]" : "://" + where.host;
    if (where.port != default_port(where.scheme)) url += ":" + std::to_string(where.port);
    return url + where.path.substr(0, where.path.find('?'));  // a query may hold a secret
}

}  // namespace martlet
