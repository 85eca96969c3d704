#include "net/websocket_upgrade.hpp"

#include "net/base64.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/uuid/detail/sha1.hpp>

#include <algorithm>

namespace martlet::net {

namespace http = boost::beast::http;

namespace {

constexpr std::string_view subprotocol = "mqtt";          // [MQTT-6.0.0-3], [MQTT-6.0.0-4]
constexpr std::string_view subprotocol_3_1 = "mqttv3.1";  // of clients from before MQTT 3.1.1

std::string_view view(boost::beast::string_view text) noexcept { return {text.data(), text.size()}; }

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
    return std::ranges::equal(a, b, {}, lower, lower);
}

bool has_token(boost::beast::string_view list, std::string_view token) {
    return http::token_list(list).exists({token.data(), token.size()});
}

// RFC 7230 §3.2.6.
bool is_token(std::string_view text) noexcept {
    const auto is_sign = [](char c) {
        return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    };
    return !text.empty() && std::ranges::all_of(text, is_sign);
}

bool is_header_value(std::string_view text) noexcept {
    return std::ranges::none_of(text, [](char c) { return (c >= '\0' && c < ' ' && c != '\t') || c == '\x7f'; });
}

// What the server says ends in our log.
std::string printable(std::string_view text) {
    std::string out(text.substr(0, 100));
    std::ranges::replace_if(
        out, [](char c) { return c < ' ' || c >= '\x7f'; }, '?');
    return out;
}

// "https://a.example:8443" -> "a.example"; "[::1]:80" -> "::1"
std::string host_of(std::string_view where) {
    if (const auto scheme = where.find("://"); scheme != where.npos) where.remove_prefix(scheme + 3);
    where = where.substr(0, where.find('/'));
    std::string host;
    if (where.starts_with('[')) {
        host = where.substr(1, where.find(']') - 1);
    } else {
        host = where.substr(0, where.find(':'));
    }
    std::ranges::transform(host, host.begin(), lower);
    return host;
}

bool is_this_machine(const std::string& host) {
    boost::system::error_code not_literal;
    const auto address = boost::asio::ip::make_address(host, not_literal);
    return host == "localhost" || (!not_literal && address.is_loopback());
}

// A web page of anybody can make the browser of somebody connect to this machine. RFC 6455 §10.2.
bool may_connect(std::string_view origin, std::string_view host, const websocket_server_options& options) {
    if (origin.empty()) return true;
    if (options.origins.empty()) {
        const std::string page = host_of(origin);
        return !page.empty() && (page == host_of(host) || is_this_machine(page));
    }
    return std::ranges::any_of(options.origins,
                               [&](const std::string& o) { return o == "*" || equal_ignoring_case(o, origin); });
}

upgrade_answer refuse(std::string_view status, std::string why, std::string_view more_headers = {}) {
    upgrade_answer answer;
    answer.response = "HTTP/1.1 " + std::string(status) + "\r\nConnection: close\r\nContent-Type: text/plain\r\n" +
                      std::string(more_headers) + "Content-Length: " + std::to_string(why.size() + 1) + "\r\n\r\n" +
                      why + "\n";
    answer.refusal = std::move(why);
    return answer;
}

template <class Parser>
bool parse(Parser& parser, std::string_view head) {
    boost::system::error_code error;
    parser.header_limit(static_cast<std::uint32_t>(head.size() + 1));
    parser.eager(false);
    (void)parser.put(boost::asio::const_buffer(head.data(), head.size()), error);
    return !error && parser.is_header_done();
}

}  // namespace

std::optional<std::size_t> end_of_head(std::string_view bytes) noexcept {
    const auto at = bytes.find("\r\n\r\n");
    if (at == bytes.npos) return std::nullopt;
    return at + 4;
}

std::string accept_for(std::string_view encoded_key) {
    constexpr std::string_view magic = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    boost::uuids::detail::sha1 hash;
    hash.process_bytes(encoded_key.data(), encoded_key.size());
    hash.process_bytes(magic.data(), magic.size());
    boost::uuids::detail::sha1::digest_type digest;
    hash.get_digest(digest);
    std::string bytes;
    for (const auto part : digest) {  // words up to Boost 1.85, bytes from then on
        for (std::size_t i = sizeof part; i != 0; --i)
            bytes += static_cast<char>(part >> (8 * (i - 1)) & 0xFF);
    }
    return base64(bytes);
}

std::string make_upgrade_request(std::string_view host, std::string_view target, std::string_view key,
                                 const websocket_options& options) {
    std::string request = "GET " + std::string(target) + " HTTP/1.1\r\nHost: " + std::string(host) +
                          "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                          "Sec-WebSocket-Key: " +
                          base64(key) + "\r\nSec-WebSocket-Protocol: " + std::string(subprotocol) + "\r\n";
    for (const auto& [name, value] : options.headers) {
        if (!is_token(name) || !is_header_value(value)) return {};
        request += name + ": " + value + "\r\n";
    }
    return request + "\r\n";
}

std::string check_upgrade_response(std::string_view head, std::string_view key) {
    http::response_parser<http::empty_body> parser;
    parser.skip(true);
    if (!parse(parser, head)) return "the server does not speak HTTP";
    const auto& response = parser.get();
    if (response.result_int() != 101) {
        return "the server answered " + std::to_string(response.result_int()) + ' ' +
               printable(view(response.reason()));
    }
    if (!equal_ignoring_case(view(response[http::field::upgrade]), "websocket") ||
        !has_token(response[http::field::connection], "upgrade")) {
        return "the server's answer lacks Upgrade: websocket";
    }
    if (view(response[http::field::sec_websocket_accept]) != accept_for(base64(key))) {
        return "the server's Sec-WebSocket-Accept is wrong";
    }
    if (!view(response[http::field::sec_websocket_extensions]).empty()) {
        return "the server uses an extension that nobody offered";
    }
    if (view(response[http::field::sec_websocket_protocol]) != subprotocol) {  // [MQTT-6.0.0-4]
        return "the server did not choose the subprotocol mqtt";
    }
    return {};
}

upgrade_answer answer_upgrade(std::string_view head, std::string_view path, const websocket_server_options& options) {
    http::request_parser<http::empty_body> parser;
    parser.skip(true);
    if (!parse(parser, head)) return refuse("400 Bad Request", "this is no HTTP request");
    const auto& request = parser.get();
    if (request.method() != http::verb::get) return refuse("405 Method Not Allowed", "only GET", "Allow: GET\r\n");
    if (request.version() != 11) return refuse("400 Bad Request", "only HTTP/1.1");

    const std::string_view target = view(request.target());
    if (!path.empty() && target.substr(0, target.find('?')) != path.substr(0, path.find('?'))) {
        return refuse("404 Not Found", "nothing is served at this path");
    }
    if (!equal_ignoring_case(view(request[http::field::upgrade]), "websocket") ||
        !has_token(request[http::field::connection], "upgrade")) {
        return refuse("426 Upgrade Required", "this is a WebSocket for MQTT",
                      "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    }
    if (view(request[http::field::sec_websocket_version]) != "13") {
        return refuse("426 Upgrade Required", "only version 13 of WebSocket", "Sec-WebSocket-Version: 13\r\n");
    }
    const std::string_view key = view(request[http::field::sec_websocket_key]);
    if (key.size() != 24 || !key.ends_with("==")) return refuse("400 Bad Request", "Sec-WebSocket-Key is wrong");
    const auto origin = request[http::field::origin];
    if (!may_connect(view(origin), view(request[http::field::host]), options)) {
        return refuse("403 Forbidden", "web pages of " + printable(view(origin)) + " may not connect");
    }

    std::string_view chosen;
    const auto offered = request[http::field::sec_websocket_protocol];
    for (const std::string_view known : {subprotocol, subprotocol_3_1}) {
        if (chosen.empty() && has_token(offered, known)) chosen = known;
    }
    if (chosen.empty()) {  // [MQTT-6.0.0-3]
        return refuse("400 Bad Request", "the client does not offer the subprotocol mqtt");
    }
    upgrade_answer answer;
    answer.response =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: " +
        accept_for(key) + "\r\nSec-WebSocket-Protocol: " + std::string(chosen) + "\r\n\r\n";
    return answer;
}

upgrade_answer refuse_long_head() {
    return refuse("431 Request Header Fields Too Large", "the request's headers are over the limit");
}

}  // namespace martlet::net
