#include "net/websocket.hpp"

#include "net/websocket_frames.hpp"
#include "net/websocket_upgrade.hpp"
#include "unit/net/loop.hpp"

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <utility>

namespace {

using namespace martlet;
using namespace martlet::net;
using namespace martlet::net::test;
namespace asio = boost::asio;

std::unique_ptr<transport> server_of(std::unique_ptr<transport> inner, websocket_server_options options = {},
                                     std::string_view path = {}) {
    return make_websocket_server(std::move(inner), path,
                                 std::make_shared<const websocket_server_options>(std::move(options)));
}

// Both ends over WebSocket, driven.
struct webbed {
    explicit webbed(loop& on) : webbed(on, connect(on, url("mqtt://127.0.0.1:0"))) {}
    webbed(loop& on, link_pair links)
        : client(on, make_websocket_client(std::move(links.dialed), url("ws://127.0.0.1/x"), {})),
          server(on, server_of(std::move(links.accepted))) {
        server.io->start();
        client.io->start();
    }
    end client;
    end server;
};

// A server of ours, and a peer that writes bytes as it likes.
struct raw_client {
    explicit raw_client(loop& on, websocket_server_options options = {})
        : raw_client(on, connect(on, url("mqtt://127.0.0.1:0")), std::move(options)) {}
    raw_client(loop& on, link_pair links, websocket_server_options options)
        : l(on),
          peer(on, std::move(links.dialed)),
          server(on, server_of(std::move(links.accepted), std::move(options))) {
        server.io->start();
        peer.io->start();
    }
    void upgrade() {
        peer.send(make_upgrade_request("h", "/", "0123456789abcdef", {}));
        l.until([&] { return end_of_head(peer.received).has_value(); });
        CHECK(peer.received.starts_with("HTTP/1.1 101 "));
        peer.received.clear();
    }
    loop& l;
    end peer;
    end server;
};

constexpr mask_key key{1, 2, 3, 4};

std::string client_frame(opcode what, std::string_view payload) {
    std::array<char, frame_head_max> head;
    std::string out(head.data(), write_frame_head(head, what, payload.size(), &key));
    const std::size_t at = out.size();
    out += payload;
    apply_mask(std::span(out).subspan(at), key, 0);
    return out;
}

// Something with the outline of an MQTT packet.
std::string packet(std::string_view payload) {
    std::string out = "0";
    std::size_t length = payload.size();
    do {
        out += static_cast<char>((length & 127) | (length >= 128 ? 128 : 0));
        length >>= 7;
    } while (length != 0);
    return out.append(payload);
}

std::string server_frame(std::string_view payload) {
    std::array<char, frame_head_max> head;
    std::string out(head.data(), write_frame_head(head, opcode::binary, payload.size(), nullptr));
    return out.append(payload);
}

void echo(end& e) {
    e.on_data = [&e](std::string_view bytes) {
        e.out.append(bytes);
        return true;
    };
    e.on_turn = [&e] { e.io->flush(); };
}

TEST_CASE("websocket: large payloads both ways at once come as they were") {
    loop l;
    webbed w(l);
    echo(w.server);
    const std::string sent = packet(noise(3'000'000));                              // comes back
    REQUIRE(w.client.io->link().write_some({}).error == asio::error::would_block);  // not before the upgrade
    bool opened = false;
    w.server.on_turn = [&] {
        opened = true;
        w.server.io->flush();
    };
    w.client.send("x");
    l.until([&] { return w.client.received == "x"; });
    CHECK(opened);
    w.client.received.clear();
    w.client.send(sent);
    l.until([&] { return w.client.received.size() == sent.size() || w.client.closed || w.server.closed; });
    CHECK((w.client.received == sent));
    CHECK(!w.client.closed);
}

TEST_CASE("websocket: shared payloads among small pieces keep their order, also when the socket is full") {
    for (const bool from_server : {false, true}) {
        loop l;
        webbed w(l);
        w.client.send("x");
        l.until([&] { return w.server.received == "x"; });
        w.server.received.clear();
        end& sender = from_server ? w.server : w.client;
        end& receiver = from_server ? w.client : w.server;
        receiver.io->pause_reading();
        std::string expected;
        for (unsigned i = 0; i != 400; ++i) {
            const std::string large = noise(core::output::share_size_min + 137 * i, i);
            const std::string whole = packet(std::string(i + 1, 'h') + large);
            const std::string small = whole.substr(0, whole.size() - large.size());
            sender.out.append(small);
            sender.out.append_payload(core::outgoing_message::create("t", large, qos::at_most_once, false));
            expected += small + large;
        }
        sender.io->flush();
        CHECK(sender.io->is_write_blocked());
        sender.out.append(packet("the end"));
        expected += packet("the end");
        receiver.io->resume_reading();
        l.until([&] { return receiver.received.size() >= expected.size(); });
        CHECK((receiver.received == expected));
    }
}

TEST_CASE("websocket: a server's packets have a frame each, and it does not mask") {
    loop l;
    raw_client r(l);
    r.upgrade();
    std::string expected;
    for (const std::size_t size : {0u, 10u, 127u, 128u, 5'000u, 1u, 100'000u, 2u, 3u}) {
        const std::string one = packet(noise(size));
        r.server.out.append(one);
        expected += server_frame(one);
    }
    // a payload that is shared stands in a buffer of its own
    const std::string large = noise(core::output::share_size_min + 1);
    const std::string head = packet(large).substr(0, 3);
    r.server.out.append(head);
    r.server.out.append_payload(core::outgoing_message::create("t", large, qos::at_most_once, false));
    expected += server_frame(head + large);
    r.server.io->flush();
    l.until([&] { return r.peer.received.size() >= expected.size(); });
    CHECK((r.peer.received == expected));
}

TEST_CASE("websocket: packets of a server are not torn when the socket is full") {
    loop l;
    raw_client r(l);
    r.upgrade();
    r.peer.io->pause_reading();
    std::string expected;
    for (unsigned i = 0; i != 100'000; ++i) {
        const std::string one = packet(noise(i % 200, i));
        r.server.out.append(one);
        expected += server_frame(one);
    }
    r.server.io->flush();
    CHECK(r.server.io->is_write_blocked());
    r.peer.io->resume_reading();
    l.until([&] { return r.peer.received.size() >= expected.size(); });
    CHECK((r.peer.received == expected));
}

TEST_CASE("websocket: what a server writes that is no packet is one frame") {
    loop l;
    raw_client r(l);
    r.upgrade();
    r.server.send("0\xff\xff\xff\xff\xff");
    l.until([&] { return r.peer.received.size() >= 8; });
    CHECK(r.peer.received == server_frame("0\xff\xff\xff\xff\xff"));
}

TEST_CASE("websocket: frames that come with the request are not lost") {
    loop l;
    raw_client r(l);
    r.peer.send(make_upgrade_request("h", "/", "0123456789abcdef", {}) + client_frame(opcode::binary, "early") +
                client_frame(opcode::binary, " bird"));
    l.until([&] { return r.server.received.size() == 10; });
    CHECK(r.server.received == "early bird");
}

TEST_CASE("websocket: everything one byte at a time") {
    loop l;
    raw_client r(l);
    const std::string all = make_upgrade_request("h", "/", "0123456789abcdef", {}) +
                            client_frame(opcode::binary, "one") + client_frame(opcode::ping, "p") +
                            client_frame(opcode::binary, " two");
    for (const char c : all) {
        r.peer.send({&c, 1});
        l.settle();
    }
    l.until([&] { return r.server.received.size() == 7; });
    CHECK(r.server.received == "one two");
    l.until([&] { return r.peer.received.ends_with("\x8A\x01p"); });
}

TEST_CASE("websocket: a ping is answered, also when nothing else is said") {
    loop l;
    raw_client r(l);
    r.upgrade();
    r.peer.send(client_frame(opcode::ping, "are you there"));
    l.until([&] { return r.peer.received.size() == 15; });
    CHECK(r.peer.received ==
          "\x8A\x0D"
          "are you there");
    CHECK(r.server.reads == 0);
}

TEST_CASE("websocket: many pings while the socket is full cost one answer, between two frames") {
    loop l;
    raw_client r(l);
    r.upgrade();
    r.peer.io->pause_reading();
    const std::string much = packet(noise(8'000'000));
    r.server.send(much);
    CHECK(r.server.io->is_write_blocked());
    std::string pings;
    for (int i = 0; i != 10'000; ++i)
        pings += client_frame(opcode::ping, std::to_string(i));
    r.peer.send(pings + client_frame(opcode::binary, "done"));
    l.until([&] { return r.server.received == "done"; });
    r.peer.io->resume_reading();
    frame_reader reader(false, 1'000'000'000);
    std::string data;
    std::size_t seen = 0;
    std::string ping;
    bool answered = false;
    l.until([&] {
        std::string fresh = r.peer.received.substr(seen);
        seen = r.peer.received.size();
        const auto got = reader.unwrap(fresh);
        REQUIRE(!got.failed);
        data.append(fresh.data(), got.payload);
        answered = r.peer.received.ends_with(
            "\x8A\x04"
            "9999");
        return data.size() == much.size() && answered;
    });
    CHECK((data == much));
}

TEST_CASE("websocket: a close frame is answered, and is the end") {
    loop l;
    raw_client r(l);
    r.upgrade();
    r.peer.send(client_frame(opcode::binary, "last words") + make_close_frame(close_code::going_away, "", &key));
    l.until([&] { return r.server.closed.has_value(); });
    CHECK(r.server.received == "last words");
    CHECK(*r.server.closed == asio::error::eof);
    l.until([&] { return r.peer.closed.has_value(); });
    CHECK(r.peer.received == std::string("\x88\x02\x03\xE9", 4));
}

TEST_CASE("websocket: a graceful close delivers everything, and both ends see an orderly end") {
    for (const bool from_server : {false, true}) {
        loop l;
        webbed w(l);
        w.client.send("x");
        l.until([&] { return w.server.received == "x"; });
        w.server.received.clear();
        end& leaver = from_server ? w.server : w.client;
        end& other = from_server ? w.client : w.server;
        const std::string sent = packet(noise(500'000));
        leaver.send(sent);
        leaver.io->close_after_flush();
        l.until([&] { return other.closed.has_value(); });
        CHECK((other.received == sent));
        CHECK(*other.closed == asio::error::eof);
        l.until([&] { return leaver.closed.has_value(); });
        CHECK(*leaver.closed == error_code());
    }
}

TEST_CASE("websocket: what breaks the protocol is told in a close frame") {
    struct row {
        std::string frame;
        unsigned code;
        std::string_view why;
    };
    const std::array rows{
        row{client_frame(opcode::text, "hello"), 1003, "a text frame; MQTT is sent in binary ones"},
        row{"\x82\x01x", 1002, "a client's frame without mask"},
        row{client_frame(opcode::binary, std::string(1'001, 'x')), 1009, "a frame over the limit"},
    };
    for (const row& r : rows) {
        loop l;
        raw_client peer(l, {.frame_bytes_max = 1'000});
        peer.upgrade();
        peer.peer.send(client_frame(opcode::binary, "before") + r.frame);
        l.until([&] { return peer.server.closed.has_value(); });
        CHECK(*peer.server.closed == errc::websocket_protocol_error);
        CHECK(peer.server.io->link().failure() == r.why);
        CHECK(peer.server.received == "before");
        l.until([&] { return peer.peer.received.size() >= 4; });
        CHECK(peer.peer.received[0] == '\x88');
        CHECK(static_cast<unsigned char>(peer.peer.received[2]) * 256 +
                  static_cast<unsigned char>(peer.peer.received[3]) ==
              static_cast<int>(r.code));
    }
}

TEST_CASE("websocket: a browser or a scanner gets an HTTP answer, and is gone") {
    loop l;
    raw_client r(l);
    r.peer.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    l.until([&] { return r.server.closed.has_value(); });
    CHECK(*r.server.closed == errc::websocket_refused);
    CHECK(r.server.io->link().failure() == "this is a WebSocket for MQTT");
    l.until([&] { return r.peer.closed.has_value(); });
    CHECK(r.peer.received.starts_with("HTTP/1.1 426 Upgrade Required\r\n"));
}

TEST_CASE("websocket: a request without end is refused at the limit, and not kept") {
    loop l;
    raw_client r(l, {.header_bytes_max = 1'000});
    r.peer.send("GET / HTTP/1.1\r\nX: " + std::string(5'000, 'x'));
    l.until([&] { return r.server.closed.has_value(); });
    l.until([&] { return r.peer.closed.has_value(); });
    CHECK(r.server.io->link().failure() == "the request's headers are over the limit");
}

// -- dialing

dial_result dial_websocket(loop& l, std::string_view answer) {
    link_pair links = connect(l, url("mqtt://127.0.0.1:0"));
    end server(l, std::move(links.accepted));
    server.on_data = [&](std::string_view) {
        server.send(answer);
        return true;
    };
    server.io->start();
    dial_result result;
    result.link =
        make_websocket_client(std::move(links.dialed), url("ws://a.example:8080/p"), {.header_bytes_max = 500});
    for (;;) {
        const io_result done = result.link->handshake();
        if (!done.blocked()) {
            result.error = done.error;
            result.detail = result.link->failure();
            break;
        }
        l.settle();
    }
    CHECK(server.received.starts_with("GET /p HTTP/1.1\r\nHost: a.example:8080\r\n"));
    return result;
}

TEST_CASE("websocket: a client that is refused says what the server said") {
    loop l;
    dial_result refused = dial_websocket(l, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    CHECK(refused.error == errc::websocket_refused);
    CHECK(refused.detail == "the server answered 403 Forbidden");
    refused = dial_websocket(l, "HTTP/1.1 200 OK\r\nX: " + std::string(600, 'x') + "\r\n\r\n");
    CHECK(refused.error == errc::websocket_refused);
    CHECK(refused.detail == "the headers of the server's answer are over the limit");
    refused = dial_websocket(l, std::string("\x20\x02\x00\x00\r\n\r\n", 8));
    CHECK(refused.detail == "the server does not speak HTTP");
}

TEST_CASE("websocket: options that would break the request are refused before anything is dialed") {
    std::string detail;
    CHECK(!check_websocket(websocket_options{}, detail));
    CHECK(check_websocket(websocket_options{.headers = {{"A", "b\r\nC: d"}}}, detail) == errc::option_invalid);
    CHECK(!detail.empty());
}

}  // namespace
