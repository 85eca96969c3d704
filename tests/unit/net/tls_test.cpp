#include "net/tls.hpp"

#include "net/openssl.hpp"
#include "unit/net/tls_world.hpp"

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace martlet;
using namespace martlet::net;
using namespace martlet::net::test;
namespace asio = boost::asio;

// Both ends over TLS, driven.
struct secure {
    explicit secure(loop& on, tls_server_options s = serving(server_certificate()), tls_options c = trusting())
        : server(on, s) {
        dial_result result = dial(on, server.where(), c);
        REQUIRE_MESSAGE(!result.error, result.detail);
        client = std::make_unique<end>(on, std::move(result.link));
        client->io->start();
    }
    tls_server server;
    std::unique_ptr<end> client;
};

void echo(end& e) {
    e.on_data = [&e](std::string_view bytes) {
        e.out.append(bytes);
        return true;
    };
    e.on_turn = [&e] { e.io->flush(); };
}

// Another transport, that moves one byte at a time and says each second time that it would block.
class dribble final : public transport {
public:
    explicit dribble(std::unique_ptr<transport> inner) : inner_(std::move(inner)) {}
    io_result read_some(std::span<char> into) noexcept override {
        if ((++reads_ & 1) != 0) return inner_->read_some(into.first(1));
        return {0, asio::error::would_block, direction::read};
    }
    io_result write_some(std::span<const std::string_view> from) noexcept override {
        if ((++writes_ & 1) != 0) {
            const std::string_view one = from.front().substr(0, 1);
            return inner_->write_some({&one, 1});
        }
        return {0, asio::error::would_block, direction::write};
    }
    [[nodiscard]] bool has_buffered_input() const noexcept override { return inner_->has_buffered_input(); }
    void wait(direction what, std::shared_ptr<waiter> who) override { inner_->wait(what, std::move(who)); }
    io_result shutdown_send() noexcept override { return inner_->shutdown_send(); }
    void close() noexcept override { inner_->close(); }
    [[nodiscard]] std::string peer_address() const override { return inner_->peer_address(); }
    [[nodiscard]] std::string local_address() const override { return inner_->local_address(); }

private:
    std::unique_ptr<transport> inner_;
    unsigned reads_ = 0;
    unsigned writes_ = 0;
};

TEST_CASE("TLS: large payloads both ways at once come as they were, in both versions") {
    for (const auto version : {tls_version::v1_2, tls_version::v1_3}) {
        loop l;
        tls_server_options options = serving(server_certificate());
        options.version_max = version;
        secure s(l, options);
        echo(s.server.last());
        const std::string sent = noise(3'000'000);
        s.client->send(sent.substr(0, 10));
        s.client->send(sent.substr(10));
        l.until([&] { return s.client->received.size() == sent.size(); });
        CHECK((s.client->received == sent));
        CHECK(!s.client->closed);
    }
}

TEST_CASE("TLS: shared payloads among small pieces keep their order, also when the socket is full") {
    loop l;
    secure s(l);
    s.server.last().io->pause_reading();
    std::string expected;
    for (unsigned i = 0; i != 400; ++i) {
        const std::string small = noise(i + 1, i);
        const std::string large = noise(core::output::share_size_min + 137 * i, i);
        s.client->out.append(small);
        s.client->out.append_payload(core::outgoing_message::create("t", large, qos::at_most_once, false));
        expected += small + large;
    }
    s.client->io->flush();
    CHECK(s.client->io->is_write_blocked());
    s.client->out.append("the end");
    expected += "the end";
    s.server.last().io->resume_reading();
    l.until([&] { return s.server.last().received.size() == expected.size(); });
    CHECK((s.server.last().received == expected));
}

TEST_CASE("TLS: one byte at a time, both ways") {
    std::string detail;
    const auto server_context = make_tls_server_context(serving(server_certificate()), detail).value();
    const auto client_context = make_tls_client_context(trusting(), detail).value();
    loop l;
    link_pair links = connect(l, url("mqtt://127.0.0.1:0"));
    end a(l, client_context->wrap(std::make_unique<dribble>(std::move(links.dialed)), "localhost"));
    end b(l, server_context->wrap(std::make_unique<dribble>(std::move(links.accepted)), {}));
    echo(b);
    a.io->start();
    b.io->start();
    const std::string sent = noise(40'000);
    a.send(sent);
    l.until([&] { return a.received.size() == sent.size() || a.closed; });
    CHECK((a.received == sent));
    CHECK(!a.closed);
}

TEST_CASE("TLS: a graceful close delivers everything, and both ends see an orderly end") {
    loop l;
    secure s(l);
    const std::string sent = noise(500'000);
    s.client->send(sent);
    s.client->io->close_after_flush();
    l.until([&] { return s.server.last().closed.has_value(); });
    CHECK((s.server.last().received == sent));
    CHECK(*s.server.last().closed == asio::error::eof);
    l.until([&] { return s.client->closed.has_value(); });
    CHECK(!*s.client->closed);
}

TEST_CASE("TLS: a peer that goes without a word is the end of the stream") {
    loop l;
    secure s(l);
    echo(s.server.last());
    s.client->send("x");
    l.until([&] { return s.client->received == "x"; });
    s.client->io->close();
    l.until([&] { return s.server.last().closed.has_value(); });
    CHECK(*s.server.last().closed == asio::error::eof);
}

TEST_CASE("TLS: bytes that were not encrypted for us break the stream, and nothing of them arrives") {
    loop l;
    link_pair links = connect(l, url("mqtt://127.0.0.1:0"));
    std::string detail;
    const auto context = make_tls_server_context(serving(server_certificate()), detail).value();
    end server(l, context->wrap(std::move(links.accepted), {}));
    end client(l, std::move(links.dialed));
    server.io->start();
    client.io->start();
    client.send(std::string("\x10\x0c\0\4MQTT\5\2\0\0\0", 14));  // a client that speaks plain MQTT
    l.until([&] { return server.closed.has_value(); });
    CHECK(*server.closed == errc::tls_handshake_failed);
    CHECK(!server.io->link().failure().empty());
    CHECK(server.received.empty());
}

TEST_CASE("TLS: a server that does not speak it is told apart from a bad certificate") {
    loop l;
    std::vector<std::unique_ptr<end>> ends;
    const auto plain = l.net->listen(url("mqtt://127.0.0.1:0"), {},
                                     [&](std::unique_ptr<transport> link) {
                                         ends.push_back(std::make_unique<end>(l, std::move(link)));
                                         ends.back()->on_data = [&](std::string_view) {
                                             ends.back()->send("HTTP/1.1 400 Bad Request\r\n\r\n");
                                             return true;
                                         };
                                         ends.back()->io->start();
                                     },
                                     {});
    endpoint to = plain.listener->local();
    to.scheme = scheme::mqtts;
    const dial_result result = dial(l, to, trusting());
    CHECK(result.error == errc::tls_handshake_failed);
    CHECK(result.detail.find("does not seem to speak TLS") != std::string::npos);
}

TEST_CASE("TLS: no common version") {
    loop l;
    tls_server_options s = serving(server_certificate());
    s.version_min = tls_version::v1_3;
    tls_options c = trusting();
    c.version_max = tls_version::v1_2;
    tls_server server(l, s);
    const dial_result result = dial(l, server.where(), c);
    CHECK(result.error == errc::tls_handshake_failed);
    CHECK(result.detail.find("protocol version") != std::string::npos);
    CHECK(server.last().received.empty());
}

TEST_CASE("TLS: pre-shared keys, without any certificate") {
    for (const auto version : {tls_version::v1_2, tls_version::v1_3}) {
        CAPTURE(static_cast<int>(version));
        tls_server_options s;
        s.psk = [](std::string_view identity) { return identity == "pump-7" ? std::string("0123456789abcdef") : ""; };
        s.version_max = version;
        tls_options c;
        c.psk_identity = "pump-7";
        c.psk = "0123456789abcdef";
        {
            loop l;
            secure both(l, s, c);
            both.client->send("hello");
            l.until([&] { return both.server.last().received == "hello"; });
            CHECK(both.server.last().io->link().peer_identity() == "pump-7");
        }
        for (const bool wrong_key : {false, true}) {
            loop l;
            tls_server server(l, s);
            tls_options bad = c;
            (wrong_key ? bad.psk : bad.psk_identity) = "another-word-16b";
            const dial_result result = dial(l, server.where(), bad);
            CHECK(result.error);
            CHECK(!result.link);
        }
    }
}

TEST_CASE("TLS: the key log of either end has the same secrets, is appended to, and is its owner's alone") {
    const auto lines_of = [](const std::string& path) {
        std::vector<std::string> lines;
        std::ifstream file(path);
        for (std::string line; std::getline(file, line);)
            lines.push_back(line);
        std::ranges::sort(lines);
        return lines;
    };
    for (const tls_version version : {tls_version::v1_2, tls_version::v1_3}) {
        const folder files;
        tls_server_options s = serving(server_certificate());
        tls_options c = trusting();
        s.key_log_file = files.path("server");
        c.key_log_file = files.path("client");
        s.version_max = c.version_max = version;
        std::size_t size = 0;
        for (int connection = 1; connection <= 2; ++connection) {
            loop on;
            secure both(on, s, c);
            echo(both.server.last());
            both.client->send("x");
            on.until([&] { return both.client->received == "x"; });
            const auto lines = lines_of(c.key_log_file);
            CHECK(lines == lines_of(s.key_log_file));
            CHECK(lines.size() > size);
            size = lines.size();
            CHECK(lines.front().starts_with(version == tls_version::v1_2 ? "CLIENT_RANDOM " : "CLIENT_"));
        }
        CHECK(std::filesystem::status(c.key_log_file).permissions() ==
              (std::filesystem::perms::owner_read | std::filesystem::perms::owner_write));
    }
}

TEST_CASE("TLS: ALPN, agreed and not") {
    tls_server_options s = serving(server_certificate());
    s.alpn = {"mqtt"};
    tls_options c = trusting();
    c.alpn = {"other", "mqtt"};
    loop l;
    tls_server server(l, s);
    CHECK(!dial(l, server.where(), c).error);
    CHECK(!dial(l, server.where(), trusting()).error);  // who does not ask is not held to it
    c.alpn = {"other"};
    const dial_result result = dial(l, server.where(), c);
    CHECK(result.error == errc::tls_handshake_failed);
    CHECK(result.detail.find("no application protocol") != std::string::npos);
}

// A peer that does what ours never does: OpenSSL directly on the descriptor.
TEST_CASE("TLS: new keys in mid-stream are taken, a renegotiation is refused") {
    for (const bool v1_3 : {true, false}) {
        CAPTURE(v1_3);
        loop l;
        tls_server_options options = serving(server_certificate());
        options.version_max = v1_3 ? tls_version::v1_3 : tls_version::v1_2;
        tls_server server(l, options);
        server.on_accepted = echo;
        endpoint plain = server.where();
        plain.scheme = scheme::mqtt;
        std::unique_ptr<transport> link;
        const auto dialing = l.net->dial(plain, {}, [&](dial_result r) { link = std::move(r.link); });
        l.until([&] { return link && !server.ends.empty(); });

        const ssl_context_ptr context(SSL_CTX_new(TLS_client_method()));
        const ssl_ptr ssl(SSL_new(context.get()));
        SSL_set_fd(ssl.get(), link->native_handle());
        SSL_set_connect_state(ssl.get());
        const auto pump = [&](auto step) {
            for (;;) {
                const int done = step();
                if (done > 0) return true;
                const int why = SSL_get_error(ssl.get(), done);
                if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return false;
                l.settle();
            }
        };
        REQUIRE(pump([&] { return SSL_do_handshake(ssl.get()); }));
        std::string got(100, '\0');
        const auto exchange = [&](std::string_view word) {
            if (!pump([&] { return SSL_write(ssl.get(), word.data(), static_cast<int>(word.size())); })) return false;
            std::size_t size = 0;
            while (size < word.size()) {
                int n = 0;
                if (!pump([&] { return n = SSL_read(ssl.get(), got.data() + size, 50); })) return false;
                size += static_cast<std::size_t>(n);
            }
            return std::string_view(got).substr(0, size) == word;
        };
        CHECK(exchange("before"));
        if (v1_3) {
            for (int i = 0; i != 5; ++i) {
                REQUIRE(SSL_key_update(ssl.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
                CHECK(exchange("after new keys"));
            }
        } else {
            SSL_renegotiate(ssl.get());
            CHECK(!(pump([&] { return SSL_do_handshake(ssl.get()); }) && exchange("renegotiated")));
        }
    }
}

}  // namespace
