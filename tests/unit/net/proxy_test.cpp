#include "net/proxy.hpp"

#include "net/client_layers.hpp"
#include "unit/net/loop.hpp"

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace martlet;
using namespace martlet::net;
using namespace martlet::net::test;
using namespace std::string_literals;
using namespace std::string_view_literals;

// A proxy that answers by a script: to what has come in, with the bytes to send; then it is an echo.
class scripted_proxy {
public:
    using script = std::vector<std::pair<std::string, std::string>>;  // expected, answer

    scripted_proxy(loop& on, script lines) : lines_(std::move(lines)) {
        listening_ = on.net->listen(url("mqtt://127.0.0.1:0"), {},
                                    [this, &on](std::unique_ptr<transport> link) {
                                        peer = std::make_unique<end>(on, std::move(link));
                                        peer->on_data = [this](std::string_view) {
                                            step();
                                            return true;
                                        };
                                        peer->io->start();
                                    },
                                    {});
    }
    [[nodiscard]] std::string url_of(std::string_view scheme, std::string_view user = {}) const {
        return std::string(scheme) + "://" + std::string(user) +
               "127.0.0.1:" + std::to_string(listening_.listener->local().port);
    }
    std::unique_ptr<end> peer;
    std::size_t done = 0;

private:
    void step() {
        if (done == lines_.size()) {
            peer->send(peer->received);
            peer->received.clear();
            return;
        }
        const auto& [expected, answer] = lines_[done];
        if (peer->received.size() < expected.size()) return;
        CHECK(peer->received == expected);
        peer->received.clear();
        ++done;
        for (const char c : answer)
            peer->send({&c, 1});  // in pieces
    }
    script lines_;
    listen_result listening_;
};

dial_result dial_by(loop& l, const std::string& proxy, std::string_view to = "mqtt://broker.example:1883") {
    client_layers layers({.proxy = proxy});
    dial_result result;
    bool done = false;
    const auto dialing = l.net->dial(url(to), {.layers = layers.for_dial(url(to))}, [&](dial_result r) {
        result = std::move(r);
        done = true;
    });
    l.until([&] { return done; });
    return result;
}

// The answer of a proxy: connected, from 0.0.0.0:0.
const std::string connected{"\5\0\0\1\0\0\0\0\0\0"sv};
const std::string by_name{
    "\5\1\0\3\x0E"
    "broker.example\x07\x5B"sv};

void check_through(loop& l, dial_result result) {
    REQUIRE_MESSAGE(!result.error, result.detail);
    end client(l, std::move(result.link));
    client.io->start();
    client.send("through");
    l.until([&] { return client.received == "through"; });
}

TEST_CASE("SOCKS5: without and with a user, the proxy looks up the name") {
    loop l;
    scripted_proxy open(l, {{"\5\1\0"s, "\5\0"s}, {by_name, connected}});
    check_through(l, dial_by(l, open.url_of("socks5h")));

    scripted_proxy closed(l, {{"\5\2\0\2"s, "\5\2"s}, {"\1\1u\4p@ss"s, "\1\0"s}, {by_name, connected}});
    check_through(l, dial_by(l, closed.url_of("socks5h", "u:p%40ss@")));

    scripted_proxy indifferent(l, {{"\5\2\0\2"s, "\5\0"s}, {by_name, connected}});
    check_through(l, dial_by(l, indifferent.url_of("socks5h", "u:p@")));
}

TEST_CASE("SOCKS5: addresses go as addresses, and every kind of address may come back") {
    loop l;
    scripted_proxy four(l, {{"\5\1\0"s, "\5\0"s}, {"\5\1\0\1\xC0\0\2\7\x22\xB3"s, "\5\0\0\3\4host\0\1"s}});
    check_through(l, dial_by(l, four.url_of("socks5h"), "mqtt://192.0.2.7:8883"));
    scripted_proxy six(
        l, {{"\5\1\0"s, "\5\0"s},
            {"\5\1\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\x07\x5B"s, "\5\0\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1"s}});
    check_through(l, dial_by(l, six.url_of("socks5h"), "mqtt://[::1]:1883"));
}

TEST_CASE("SOCKS5: refusals, in words") {
    struct row {
        scripted_proxy::script script;
        std::string user;
        errc error;
        std::string_view text;
    };
    const std::vector<row> rows{
        {{{"\5\1\0"s, "\5\xFF"s}}, "", errc::proxy_refused_credentials, "the proxy wants a user name and password"},
        {{{"\5\2\0\2"s, "\5\2"s}, {"\1\1u\1p"s, "\1\1"s}},
         "u:p@",
         errc::proxy_refused_credentials,
         "the proxy refused the user name or password"},
        {{{"\5\1\0"s, "HTTP/1.1 400"}}, "", errc::proxy_failed, "the proxy does not speak SOCKS5"},
        {{{"\5\1\0"s, "\5\0"s}, {by_name, "\5\5\0\1\0\0\0\0\0\0"s}},
         "",
         errc::proxy_failed,
         "the proxy could not connect: connection refused"},
        {{{"\5\1\0"s, "\5\0"s}, {by_name, "\5\x99\0\1\0\0\0\0\0\0"s}},
         "",
         errc::proxy_failed,
         "the proxy could not connect: reason 153"},
        {{{"\5\1\0"s, "\5\0"s}, {by_name, "\5\0\0\7\0\0\0\0\0\0"s}},
         "",
         errc::proxy_failed,
         "the proxy's answer has an unknown kind of address"},
    };
    for (const row& r : rows) {
        loop l;
        scripted_proxy proxy(l, r.script);
        const dial_result result = dial_by(l, proxy.url_of("socks5h", r.user));
        CHECK(result.error == r.error);
        CHECK_MESSAGE(result.detail.ends_with(": " + std::string(r.text)), result.detail);
    }
}

TEST_CASE("HTTP CONNECT: without and with a user, by name and by address") {
    loop l;
    scripted_proxy open(l, {{"CONNECT broker.example:1883 HTTP/1.1\r\nHost: broker.example:1883\r\n\r\n",
                             "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"}});
    check_through(l, dial_by(l, open.url_of("http")));
    scripted_proxy closed(l, {{"CONNECT [::1]:1883 HTTP/1.1\r\nHost: [::1]:1883\r\n"
                               "Proxy-Authorization: Basic dXNlcjpwOnc=\r\n\r\n",
                               "HTTP/1.0 200\r\n\r\n"}});
    check_through(l, dial_by(l, closed.url_of("http", "user:p%3Aw@"), "mqtt://[::1]"));
}

TEST_CASE("HTTP CONNECT: refusals, in words, and an answer without end") {
    const std::string request = "CONNECT broker.example:1883 HTTP/1.1\r\nHost: broker.example:1883\r\n\r\n";
    struct row {
        std::string answer;
        errc error;
        std::string_view text;
    };
    const std::vector<row> rows{
        {"HTTP/1.1 407 Authenticate\r\n\r\n", errc::proxy_refused_credentials,
         "the proxy answered 407 Authenticate; there are no user name and password for it"},
        {"HTTP/1.1 503 Nobody\x1b[2J\r\n\r\n", errc::proxy_failed, "the proxy answered 503 Nobody?[2J"},
        {"SSH-2.0-x\r\n\r\n", errc::proxy_failed, "the proxy does not speak HTTP"},
        {"HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x'), errc::proxy_failed, "the proxy does not speak HTTP"},
    };
    for (const row& r : rows) {
        loop l;
        scripted_proxy proxy(l, {{request, r.answer}});
        const dial_result result = dial_by(l, proxy.url_of("http"));
        CHECK(result.error == r.error);
        CHECK_MESSAGE(result.detail.ends_with(": " + std::string(r.text)), result.detail);
    }
}

TEST_CASE("proxy: one that hangs up or is not there") {
    loop l;
    const auto listening =
        l.net->listen(url("mqtt://127.0.0.1:0"), {}, [](std::unique_ptr<transport> link) { link->close(); }, {});
    const std::string at = "127.0.0.1:" + std::to_string(listening.listener->local().port);
    const dial_result result = dial_by(l, "socks5h://" + at);
    CHECK(result.error);
    CHECK(result.detail.starts_with("connecting to " + at + ": "));
}

TEST_CASE("proxy: URLs") {
    const auto parsed = [](std::string_view text) {
        std::string why;
        const auto made = parse_proxy(text, why);
        if (!made) return why;
        return made->hop.host + " " + std::to_string(made->hop.port) + " " + made->hop.user_name.value_or("-") + " " +
               made->hop.password.value_or("-");
    };
    CHECK(parsed("socks5h://p.example") == "p.example 1080 - -");
    CHECK(parsed("socks5h://u:s%3Ax@[::1]:1883") == "::1 1883 u s:x");
    CHECK(parsed("http://p.example") == "p.example 8080 - -");
    CHECK(parsed("http://p.example:8883/") == "p.example 8883 - -");
    CHECK(parsed("socks5://p") ==
          "proxy: with socks5:// the name would be looked up here; socks5h:// lets the proxy do it");
    CHECK(parsed("p.example:1080") == "proxy: a URL begins with socks5h:// or http://");
    CHECK(parsed("http://p/x") == "proxy: a proxy's URL has no path");
    CHECK(parsed("http://") == "proxy: host: missing");
    CHECK(parsed("socks5h://" + std::string(256, 'u') + "@p") ==
          "proxy: user name and password have at most 255 bytes");
    loop l;
    const dial_result result = dial_by(l, "ftp://p");
    CHECK(result.error == errc::url_invalid);
    CHECK(result.detail == "proxy: a URL begins with socks5h:// or http://");
}

}  // namespace
