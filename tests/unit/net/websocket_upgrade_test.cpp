#include "net/websocket_upgrade.hpp"

#include "net/base64.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace {

using namespace martlet;
using namespace martlet::net;

constexpr std::string_view key = "the sample nonce";  // of RFC 6455 §1.3
const std::string request = make_upgrade_request("a.example", "/mqtt", key, {});

std::string with(std::string text, std::string_view from, std::string_view to) {
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

std::string status(const upgrade_answer& answer) { return answer.response.substr(9, 3); }

TEST_CASE("upgrade: the example of RFC 6455 §1.3") {
    CHECK(base64(key) == "dGhlIHNhbXBsZSBub25jZQ==");
    CHECK(accept_for("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    CHECK(base64("") == "");
    CHECK(base64("f") == "Zg==");
    CHECK(base64("fo") == "Zm8=");
    CHECK(base64("foo") == "Zm9v");
}

TEST_CASE("upgrade: a request of ours is answered, and the answer accepted") {
    const upgrade_answer answer = answer_upgrade(request, {}, {});
    CHECK(answer.refusal.empty());
    CHECK(check_upgrade_response(answer.response, key).empty());
    CHECK(answer.response.find("Sec-WebSocket-Protocol: mqtt\r\n") != std::string::npos);
    CHECK(!check_upgrade_response(answer.response, "another 16 bytes").empty());
}

TEST_CASE("upgrade: headers of the user are sent, unless they would break the request") {
    const std::string sent = make_upgrade_request("h", "/", key, {.headers = {{"Authorization", "Bearer x"}}});
    CHECK(sent.find("\r\nAuthorization: Bearer x\r\n") != std::string::npos);
    CHECK(make_upgrade_request("h", "/", key, {.headers = {{"A", "x\r\nB: y"}}}).empty());
    CHECK(make_upgrade_request("h", "/", key, {.headers = {{"A B", "x"}}}).empty());
    CHECK(make_upgrade_request("h", "/", key, {.headers = {{"", "x"}}}).empty());
}

TEST_CASE("upgrade: names are compared without case, lists by their members") {
    const std::string other = with(with(request, "Upgrade: websocket", "UPGRADE: WebSocket"), "Connection: Upgrade",
                                   "connection: keep-alive, UPGRADE");
    CHECK(answer_upgrade(other, {}, {}).refusal.empty());
    const auto many = answer_upgrade(with(request, "Protocol: mqtt", "Protocol: soap, mqttv3.1, mqtt"), {}, {});
    CHECK(many.response.find("Sec-WebSocket-Protocol: mqtt\r\n") != std::string::npos);
    const auto old = answer_upgrade(with(request, "Protocol: mqtt", "Protocol: mqttv3.1"), {}, {});
    CHECK(old.response.find("Sec-WebSocket-Protocol: mqttv3.1\r\n") != std::string::npos);
}

TEST_CASE("upgrade: requests that are refused, and how") {
    CHECK(status(answer_upgrade("nonsense\r\n\r\n", {}, {})) == "400");
    CHECK(status(answer_upgrade(with(request, "GET", "POST"), {}, {})) == "405");
    CHECK(status(answer_upgrade(with(request, "HTTP/1.1", "HTTP/1.0"), {}, {})) == "400");
    CHECK(status(answer_upgrade(with(request, "Upgrade: websocket\r\n", ""), {}, {})) == "426");
    CHECK(status(answer_upgrade(with(request, "Connection: Upgrade", "Connection: close"), {}, {})) == "426");
    CHECK(status(answer_upgrade(with(request, "Version: 13", "Version: 8"), {}, {})) == "426");
    CHECK(status(answer_upgrade(with(request, "Key: dGhl", "Key: "), {}, {})) == "400");
    CHECK(status(answer_upgrade(with(request, "Sec-WebSocket-Protocol: mqtt\r\n", ""), {}, {})) == "400");
    CHECK(status(answer_upgrade(with(request, "Protocol: mqtt", "Protocol: soap"), {}, {})) == "400");
    CHECK(status(answer_upgrade(with(request, "Protocol: mqtt", "Protocol: mqttx"), {}, {})) == "400");
    CHECK(status(refuse_long_head()) == "431");
}

TEST_CASE("upgrade: a listener with a path serves only that") {
    CHECK(answer_upgrade(request, "/mqtt", {}).refusal.empty());
    CHECK(answer_upgrade(with(request, "/mqtt", "/mqtt?token=1"), "/mqtt", {}).refusal.empty());
    CHECK(status(answer_upgrade(request, "/other", {})) == "404");
    CHECK(answer_upgrade(with(request, "/mqtt", "/any/thing"), {}, {}).refusal.empty());
}

TEST_CASE("upgrade: pages of strangers may not connect unless they are named") {
    const auto from = [](std::string_view origin, const websocket_server_options& options = {}) {
        return status(answer_upgrade(with(request, "\r\nUpgrade", "\r\nOrigin: " + std::string(origin) + "\r\nUpgrade"),
                                     {}, options));
    };
    CHECK(from("https://a.example") == "101");
    CHECK(from("https://A.example:8443") == "101");
    CHECK(from("http://localhost:8000") == "101");
    CHECK(from("http://127.0.0.1") == "101");
    CHECK(from("http://[::1]:80") == "101");
    CHECK(from("https://evil.example") == "403");
    CHECK(from("https://a.example.evil.example") == "403");
    CHECK(from("null") == "403");
    CHECK(from("https://evil.example", {.origins = {"*"}}) == "101");
    CHECK(from("https://b.example", {.origins = {"https://b.example"}}) == "101");
    CHECK(from("https://a.example", {.origins = {"https://b.example"}}) == "403");
}

TEST_CASE("upgrade: answers that are no upgrade, and what is said about them") {
    const std::string good = answer_upgrade(request, {}, {}).response;
    CHECK(check_upgrade_response("SSH-2.0-OpenSSH\r\n\r\n", key) == "the server does not speak HTTP");
    CHECK(check_upgrade_response(with(good, "101 Switching Protocols", "404 Not Found"), key) ==
          "the server answered 404 Not Found");
    CHECK(check_upgrade_response(with(good, "Upgrade: websocket", "Upgrade: h2c"), key) ==
          "the server's answer lacks Upgrade: websocket");
    CHECK(check_upgrade_response(with(good, "Accept: ", "Accept: x"), key) ==
          "the server's Sec-WebSocket-Accept is wrong");
    CHECK(check_upgrade_response(with(good, "Protocol: mqtt", "Protocol: soap"), key) ==
          "the server did not choose the subprotocol mqtt");
    CHECK(check_upgrade_response(with(good, "Sec-WebSocket-Protocol: mqtt\r\n", ""), key) ==
          "the server did not choose the subprotocol mqtt");
    CHECK(check_upgrade_response(with(good, "\r\nUpgrade", "\r\nSec-WebSocket-Extensions: x\r\nUpgrade"), key) ==
          "the server uses an extension that nobody offered");
}

}  // namespace
