#include <martlet/endpoint.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace {

using martlet::endpoint;
using martlet::parse_endpoint;
using martlet::scheme;

TEST_CASE("endpoint: schemes have their default ports") {
    struct {
        std::string_view url;
        scheme kind;
        std::uint16_t port;
    } const table[] = {
        {"mqtt://a.example", scheme::mqtt, 1883},
        {"mqtts://a.example", scheme::mqtts, 8883},
        {"ws://a.example", scheme::ws, 80},
        {"wss://a.example", scheme::wss, 443},
        {"MQTT://a.example", scheme::mqtt, 1883},
        {"mqtt://a.example:0", scheme::mqtt, 0},
        {"mqtt://a.example:65535", scheme::mqtt, 65535},
        {"mqtt://a.example:", scheme::mqtt, 1883},
    };
    for (const auto& row : table) {
        CAPTURE(row.url);
        const auto parsed = parse_endpoint(row.url);
        REQUIRE(parsed.has_value());
        CHECK(parsed->scheme == row.kind);
        CHECK(parsed->host == "a.example");
        CHECK(parsed->port == row.port);
        CHECK(parsed->path.empty());
        CHECK(!parsed->user_name);
        CHECK(!parsed->password);
    }
}

TEST_CASE("endpoint: good hosts") {
    struct {
        std::string_view url, host, text;
    } const table[] = {
        {"mqtt://127.0.0.1:1", "127.0.0.1", "mqtt://127.0.0.1:1"},
        {"mqtt://[::1]:7", "::1", "mqtt://[::1]:7"},
        {"mqtt://[2001:db8::5]", "2001:db8::5", "mqtt://[2001:db8::5]"},
        {"mqtt://[fe80::1%25lo]", "fe80::1%lo", "mqtt://[fe80::1%lo]"},
        {"mqtt://[fe80::1%lo]", "fe80::1%lo", "mqtt://[fe80::1%lo]"},
        {"mqtt://My_Host-1.Example.", "my_host-1.example.", "mqtt://my_host-1.example."},
        {"mqtt://a%2Db", "a-b", "mqtt://a-b"},
        {"mqtt://*:0", "*", "mqtt://*:0"},
    };
    for (const auto& row : table) {
        CAPTURE(row.url);
        const auto parsed = parse_endpoint(row.url);
        REQUIRE(parsed.has_value());
        CHECK(parsed->host == row.host);
        CHECK(to_string(*parsed) == row.text);
    }
}

TEST_CASE("endpoint: user name and password are percent-decoded, and absent is not empty") {
    auto parsed = parse_endpoint("mqtt://an%40na:p%3A%2F%20:w@h:9/t/1?x#");
    REQUIRE(parsed.has_value());
    CHECK(parsed->user_name == "an@na");
    CHECK(parsed->password == "p:/ :w");
    CHECK(parsed->host == "h");
    CHECK(parsed->port == 9);
    CHECK(parsed->path == "/t/1?x#");
    CHECK(to_string(*parsed) == "mqtt://h:9/t/1");

    parsed = parse_endpoint("mqtt://anna@h");
    REQUIRE(parsed.has_value());
    CHECK(parsed->user_name == "anna");
    CHECK(!parsed->password);

    parsed = parse_endpoint("mqtt://:@h");
    REQUIRE(parsed.has_value());
    CHECK(parsed->user_name == "");
    CHECK(parsed->password == "");
}

TEST_CASE("endpoint: a WebSocket URL keeps path and query as written, and the log does not show the query") {
    auto parsed = parse_endpoint("ws://h/mqtt%20x?token=1");
    REQUIRE(parsed.has_value());
    CHECK(parsed->path == "/mqtt%20x?token=1");
    CHECK(to_string(*parsed) == "ws://h/mqtt%20x");

    parsed = parse_endpoint("wss://h?token=1");
    REQUIRE(parsed.has_value());
    CHECK(parsed->path == "/?token=1");
}

TEST_CASE("endpoint: unix paths") {
    for (const std::string_view text : {"unix:/run/m.sock", "unix:///run/m.sock", "UNIX:/run/%6d.sock"}) {
        CAPTURE(text);
        const auto parsed = parse_endpoint(text);
        REQUIRE(parsed.has_value());
        CHECK(parsed->scheme == scheme::unix_socket);
        CHECK(parsed->path == "/run/m.sock");
        CHECK(parsed->host.empty());
        CHECK(parsed->port == 0);
        CHECK(to_string(*parsed) == "unix:/run/m.sock");
    }
    for (const std::string_view text : {"unix:/a%25b", "unix:/what%3F%23", "unix:////twice", "unix:/a%0Ab%7F"}) {
        CAPTURE(text);
        CHECK(to_string(*parse_endpoint(text)) == text);
    }
    CHECK(parse_endpoint("unix:relative.sock")->path == "relative.sock");
    CHECK(parse_endpoint("unix:/" + std::string(106, 'x')).has_value());
}

TEST_CASE("endpoint: bad URLs are refused with the part and its rule") {
    struct {
        std::string url;
        std::string_view why;
    } const table[] = {
        {"", "a URL begins"},
        {"localhost", "a URL begins"},
        {"localhost:1883", "a URL begins"},
        {"http://h", "a URL begins"},
        {"mqtt:h", "\"//\" must follow"},
        {"mqtt:/h", "\"//\" must follow"},
        {"mqtt://", "host: missing"},
        {"mqtt://:1883", "host: missing"},
        {"mqtt://u:p@:1883", "host: missing"},
        {"mqtt:///t", "host: missing"},
        {"mqtt://h:65536", "port: "},
        {"mqtt://h:-1", "port: "},
        {"mqtt://h:+1", "port: "},
        {"mqtt://h:1x", "port: "},
        {"mqtt://h:99999999999999999999", "port: "},
        {"mqtt://::1", "host: "},
        {"mqtt://2001:db8::1:1883", "host: an IPv6 address stands in []"},
        {"mqtt://[::1", "host: ']' is missing"},
        {"mqtt://[::1]1883", "host: ']' must be followed"},
        {"mqtt://[::g]", "host: what stands in []"},
        {"mqtt://[127.0.0.1]", "host: what stands in []"},
        {"mqtt://[]", "host: what stands in []"},
        {"mqtt://a b", "host: only"},
        {"mqtt://h%zz", "host: '%'"},
        {"mqtt://h%00", "host: '%'"},
        {"mqtt://h\xc3\xa4", "host: only"},
        {"mqtt://" + std::string(254, 'a'), "host: a name has at most"},
        {"mqtt://h?x", "host: '?'"},
        {"mqtt://h#x", "host: '?'"},
        {"mqtt://a@b@h", "user name, password: '@'"},
        {"mqtt://a%4@h", "user name: '%'"},
        {"mqtt://a:%00@h", "password: '%'"},
        {"ws://h/a#b", "path: "},
        {"ws://h/a b", "path: "},
        {"mqtt://h\n", "a URL has no control"},
        {std::string("mqtt://h\0x", 10), "a URL has no control"},
        {"unix:", "path: missing"},
        {"unix://host/path", "a unix URL has no host"},
        {"unix:/a?b", "path: "},
        {"unix:/a%00", "path: "},
        {"unix:/" + std::string(107, 'x'), "path: a unix socket's path"},
    };
    for (const auto& row : table) {
        CAPTURE(row.url);
        std::string_view why;
        const auto parsed = parse_endpoint(row.url, &why);
        CHECK(!parsed.has_value());
        CHECK(parsed.error() == martlet::errc::url_invalid);
        CHECK_MESSAGE(why.substr(0, row.why.size()) == row.why, why);
        CHECK(!parse_endpoint(row.url).has_value());
    }
}

}  // namespace
