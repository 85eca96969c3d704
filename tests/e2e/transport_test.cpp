// Client and broker of the public API over every transport: TCP, Unix sockets, TLS, WebSocket, both, and through a proxy.
#include <martlet/broker.hpp>
#include <martlet/client.hpp>
#include <martlet/tls.hpp>
#include <martlet/websocket.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using namespace martlet;

const test_certificates& certificates() {
    static const test_certificates made = make_test_certificates().value();
    return made;
}

listener_options secure_listener() {
    listener_options options;
    options.tls.certificate_pem = certificates().server_certificate;
    options.tls.key_pem = certificates().server_key;
    return options;
}

tls_options trusting() {
    tls_options options;
    options.ca_pem = certificates().ca_certificate;
    return options;
}

std::string url_of(const endpoint& at) {
    const std::string host = at.host.find(':') == std::string::npos ? at.host : "[" + at.host + "]";
    if (at.scheme == scheme::unix_socket) return "unix:" + at.path;
    return std::string(to_string(at.scheme)) + "://" + host + ":" + std::to_string(at.port) + at.path;
}

struct world {
    explicit world(const broker_options& options = {}) : broker(io.get_executor(), options) {}

    endpoint listen(const std::string& url, const listener_options& options = secure_listener()) {
        std::string detail;
        const auto at = broker.listen(url, options, &detail);
        REQUIRE_MESSAGE(at.has_value(), detail);
        return *at;
    }
    template <class T>
    T await(std::future<T> result) {
        while (result.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
            REQUIRE(io.run_one() != 0);
        return result.get();
    }
    template <class Condition>
    void until(Condition done) {
        while (!done())
            REQUIRE(io.run_one() != 0);
    }

    asio::io_context io{1};
    martlet::broker broker;
};

client_options to(const std::string& url) {
    client_options options;
    options.urls = {url};
    options.tls = trusting();
    options.reconnect.before_first_connect = false;
    return options;
}

// The end of async_run, and the events before it.
struct run_result {
    error_code error;
    std::string text;  // of the last failed connect
};

run_result run_to_the_end(world& w, client_options options) {
    client c(w.io.get_executor(), std::move(options));
    run_result result;
    bool done = false;
    std::function<void()> next = [&] {
        c.async_next_event([&](error_code error, client_event e) {
            if (error) return;
            if (e.kind == client_event::kind_type::connect_failed) result.text = e.text;
            next();
        });
    };
    next();
    c.async_run([&](error_code error) {
        result.error = error;
        done = true;
    });
    w.until([&] { return done; });
    for (int i = 0; i != 20; ++i)
        w.io.poll();
    return result;
}

TEST_CASE("transports: a TLS session is resumed by the next connection if that is asked for, and told") {
    for (const std::string& at : {std::string("mqtts://127.0.0.1:0"), std::string("wss://127.0.0.1:0")}) {
        for (const bool resumes : {false, true}) {
            CAPTURE(at);
            CAPTURE(resumes);
            world w;
            client_options options = to(url_of(w.listen(at)));
            options.tls.resume_sessions = resumes;
            client c(w.io.get_executor(), std::move(options));
            for (int run = 0; run != 2; ++run) {
                bool ended = false;
                c.async_run([&](error_code error) { ended = !error; });
                w.await(c.async_publish("t", "x", {.qos = qos::at_least_once}, asio::use_future));
                REQUIRE(c.connection());
                CHECK(c.connection()->tls_session_resumed == (resumes && run == 1));
                w.await(c.async_disconnect(asio::use_future));
                w.until([&] { return ended; });
            }
        }
    }
}

TEST_CASE("transports: QoS 0, 1 and 2, empty and large, both ways, over each of them") {
    std::string folder = "/tmp/martlet_e2e_XXXXXX";
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    for (const std::string& at : {std::string("mqtt://127.0.0.1:0"), "unix:" + folder + "/s",
                                  std::string("mqtts://127.0.0.1:0"), std::string("mqtts://[::1]:0"),
                                  std::string("ws://127.0.0.1:0/some/path"), std::string("wss://127.0.0.1:0")}) {
        CAPTURE(at);
        world w;
        const endpoint where = w.listen(at);
        client c(w.io.get_executor(), to(url_of(where)));
        bool ended = false;
        c.async_run([&](error_code) { ended = true; });
        subscription all = w.await(c.async_subscribe("t", qos::exactly_once, asio::use_future));
        std::string large(1'000'000, '\0');
        for (std::size_t i = 0; i != large.size(); ++i)
            large[i] = static_cast<char>(i * 31 + i / 255);
        for (const qos level : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
            for (const std::string& payload : {std::string(), std::string("small"), large}) {
                auto published = c.async_publish("t", payload, {.qos = level}, asio::use_future);
                const message got = w.await(all.async_receive(asio::use_future));
                CHECK((got.text() == payload));
                CHECK(w.await(std::move(published)).reason == reason_code::success);
            }
        }
        w.await(c.async_disconnect(asio::use_future));
        w.until([&] { return ended; });
    }
    std::filesystem::remove_all(folder);
}

TEST_CASE("transports: a cut in mid-stream is resumed, and nothing is lost or repeated") {
    for (const std::string at : {"mqtts://127.0.0.1:0", "ws://127.0.0.1:0", "wss://127.0.0.1:0"}) {
        CAPTURE(at);
        world w;
        const endpoint where = w.listen(at);

        // a relay that cuts its first connections after so many bytes
        asio::ip::tcp::acceptor relay(w.io, {asio::ip::address_v4::loopback(), 0});
        struct lane {
            explicit lane(asio::io_context& io) : near(io), far(io) {}
            asio::ip::tcp::socket near;
            asio::ip::tcp::socket far;
            std::string up = std::string(4096, ' ');
            std::string down = std::string(4096, ' ');
            std::size_t left = 0;
        };
        std::deque<std::shared_ptr<lane>> lanes;
        std::vector<std::size_t> budgets{30'000, 60'000, 90'000};
        std::function<void()> accept;
        const auto cut = [](lane& l) {
            boost::system::error_code ignored;
            l.near.close(ignored);
            l.far.close(ignored);
        };
        std::function<void(std::shared_ptr<lane>, bool)> pump = [&](std::shared_ptr<lane> l, bool upwards) {
            auto& from = upwards ? l->near : l->far;
            auto& buffer = upwards ? l->up : l->down;
            from.async_read_some(asio::buffer(buffer), [&, l, upwards](error_code error, std::size_t n) {
                if (error || (l->left -= std::min(l->left, n)) == 0) return cut(*l);
                auto& into = upwards ? l->far : l->near;
                asio::async_write(into, asio::buffer(upwards ? l->up : l->down, n),
                                  [&, l, upwards](error_code failed, std::size_t) {
                                      if (failed) return cut(*l);
                                      pump(l, upwards);
                                  });
            });
        };
        accept = [&] {
            auto l = std::make_shared<lane>(w.io);
            relay.async_accept(l->near, [&, l](error_code error) {
                if (error) return;
                l->left = lanes.size() < budgets.size() ? budgets[lanes.size()] : std::size_t(-1);
                lanes.push_back(l);
                l->far.connect({asio::ip::address_v4::loopback(), where.port});
                pump(l, true);
                pump(l, false);
                accept();
            });
        };
        accept();

        endpoint through = where;
        through.port = relay.local_endpoint().port();
        client_options options = to(url_of(through));
        options.client_id = "resumes";
        options.session = session_mode::resume;
        options.reconnect.delay_min = std::chrono::milliseconds(1);
        options.reconnect.before_first_connect = true;
        client c(w.io.get_executor(), options);
        c.async_run([](error_code) {});
        subscription all = w.await(c.async_subscribe("t", qos::exactly_once, asio::use_future));
        constexpr int count = 200;
        std::vector<std::future<publish_result>> published;
        for (int i = 0; i != count; ++i) {
            published.push_back(c.async_publish("t", std::to_string(i) + std::string(500, 'x'),
                                                {.qos = qos::exactly_once}, asio::use_future));
        }
        for (int i = 0; i != count; ++i) {
            const message got = w.await(all.async_receive(asio::use_future));
            CHECK(got.text().substr(0, got.text().find('x')) == std::to_string(i));
        }
        for (auto& one : published)
            w.await(std::move(one));
        CHECK(lanes.size() > budgets.size());
        relay.close();
        for (const auto& l : lanes)
            cut(*l);
    }
}

TEST_CASE("transports: a bad certificate ends async_run with the reason, and is not tried again") {
    world w;
    const endpoint where = w.listen("mqtts://127.0.0.1:0");
    client_options options = to(url_of(where));
    options.reconnect.before_first_connect = true;  // what is fatal is not waited out
    options.tls = {};
    run_result result = run_to_the_end(w, options);
    CHECK(result.error == errc::certificate_untrusted);
    CHECK_MESSAGE(
        result.text.find("was issued by CN=Martlet test authority, which is not trusted") != std::string::npos,
        result.text);

    options.tls = trusting();
    options.tls.server_name = "other.example";
    result = run_to_the_end(w, options);
    CHECK(result.error == errc::certificate_wrong_host);
    CHECK(result.text.ends_with("certificate is for localhost, 127.0.0.1, ::1, not for other.example"));

    options.tls = trusting();
    options.tls.ca_file = "/nonexistent/ca.pem";
    result = run_to_the_end(w, options);
    CHECK(result.error == errc::tls_options_invalid);
    CHECK(result.text == "ca_file /nonexistent/ca.pem: No such file or directory");
}

TEST_CASE("transports: a client certificate is the user name, and without one there is no way in") {
    struct remember final : authenticator {
        void authenticate(const authentication_request& request, authentication_handler done) override {
            asked.emplace_back(request.client.identity);
            done({});
        }
        bool may_publish(const client_info& who, std::string_view) override { return who.user_name == "client"; }
        std::vector<std::string> asked;
    };
    const auto rights = std::make_shared<remember>();
    broker_options options;
    options.authenticator = rights;
    world w(options);
    listener_options by_certificate = secure_listener();
    by_certificate.tls.client_certificates = client_certificates::require;
    by_certificate.tls.ca_pem = certificates().ca_certificate;
    const endpoint asked_too = w.listen("mqtts://127.0.0.1:0", by_certificate);
    by_certificate.use_identity_as_user_name = true;
    const endpoint strict = w.listen("mqtts://127.0.0.1:0", by_certificate);
    by_certificate.tls.client_certificates = client_certificates::request;
    const endpoint lenient = w.listen("wss://127.0.0.1:0", by_certificate);

    client_options with = to(url_of(strict));
    with.tls.certificate_pem = certificates().client_certificate;
    with.tls.key_pem = certificates().client_key;
    with.user_name = "somebody else";
    for (const endpoint& at : {strict, lenient}) {
        with.urls = {url_of(at)};
        client c(w.io.get_executor(), with);
        c.async_run([](error_code) {});
        const auto result = w.await(c.async_publish("t", "x", {.qos = qos::at_least_once}, asio::use_future));
        CHECK(!is_failure(result.reason));
        CHECK(rights->asked.empty());
    }
    with.urls = {url_of(asked_too)};
    client c(w.io.get_executor(), with);
    c.async_run([](error_code) {});
    w.until([&] { return !rights->asked.empty(); });
    CHECK(rights->asked.front() == "client");

    client_options without = to(url_of(strict));
    without.reconnect.enabled = false;
    CHECK(run_to_the_end(w, without).error == errc::tls_certificate_required);
    without.urls = {url_of(lenient)};
    CHECK(run_to_the_end(w, without).error == reason_code::not_authorized);
}

TEST_CASE("transports: a broker takes new certificates when it is told to") {
    world w;
    std::string folder = "/tmp/martlet_e2e_XXXXXX";
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    const auto write = [&](const std::string& name, const std::string& text) {
        std::ofstream(folder + "/" + name) << text;
        return folder + "/" + name;
    };
    listener_options options;
    options.tls.certificate_file = write("cert.pem", certificates().server_certificate);
    options.tls.key_file = write("key.pem", certificates().server_key);
    const endpoint where = w.listen("mqtts://127.0.0.1:0", options);
    const test_certificates second = make_test_certificates().value();

    const auto connects = [&](const std::string& roots) {
        client_options o = to(url_of(where));
        o.tls.ca_pem = roots;
        o.reconnect.enabled = false;
        client c(w.io.get_executor(), o);
        std::optional<error_code> ended;
        c.async_run([&](error_code error) { ended = error; });
        w.until([&] { return ended || c.connection(); });
        const bool is_connected = !ended;
        c.stop();
        w.until([&] { return ended.has_value(); });
        return is_connected;
    };
    CHECK(connects(certificates().ca_certificate));
    write("cert.pem", second.server_certificate);
    std::string detail;
    CHECK(w.broker.reload_tls(&detail) == errc::tls_options_invalid);
    CHECK(detail.find("the key does not fit the certificate") != std::string::npos);
    CHECK(connects(certificates().ca_certificate));
    write("key.pem", second.server_key);
    CHECK(!w.broker.reload_tls(&detail));
    CHECK(!connects(certificates().ca_certificate));
    CHECK(connects(second.ca_certificate));
    std::filesystem::remove_all(folder);
}

TEST_CASE("transports: a listener of TLS without a certificate does not begin") {
    world w;
    std::string detail;
    CHECK(w.broker.listen("mqtts://127.0.0.1:0", &detail).error() == errc::tls_options_invalid);
    CHECK(detail == "listening at mqtts://127.0.0.1:0: certificate_file: a TLS listener needs a certificate");
}

TEST_CASE("transports: TLS and WebSocket through an HTTP proxy") {
    for (const std::string at : {"mqtts://127.0.0.1:0", "wss://127.0.0.1:0", "mqtt://127.0.0.1:0"}) {
        CAPTURE(at);
        world w;
        const endpoint where = w.listen(at);
        asio::ip::tcp::acceptor proxy(w.io, {asio::ip::address_v4::loopback(), 0});
        asio::ip::tcp::socket near(w.io);
        asio::ip::tcp::socket far(w.io);
        std::string request;
        std::string up(4096, ' ');
        std::string down(4096, ' ');
        std::function<void(asio::ip::tcp::socket&, asio::ip::tcp::socket&, std::string&)> pump =
            [&](asio::ip::tcp::socket& from, asio::ip::tcp::socket& into, std::string& buffer) {
                from.async_read_some(asio::buffer(buffer), [&](error_code error, std::size_t n) {
                    if (error) return;
                    asio::write(into, asio::buffer(buffer, n));
                    pump(from, into, buffer);
                });
            };
        proxy.async_accept(near, [&](error_code) {
            near.async_read_some(asio::buffer(up), [&](error_code, std::size_t n) {
                request = up.substr(0, n);
                far.connect({asio::ip::address_v4::loopback(), where.port});
                asio::write(near, asio::buffer(std::string_view("HTTP/1.1 200 OK\r\n\r\n")));
                pump(near, far, up);
                pump(far, near, down);
            });
        });
        client_options options = to(url_of(where));
        options.proxy = "http://me:secret@127.0.0.1:" + std::to_string(proxy.local_endpoint().port());
        client c(w.io.get_executor(), options);
        c.async_run([](error_code) {});
        w.await(c.async_publish("t", "x", {.qos = qos::at_least_once}, asio::use_future));
        CHECK(request.starts_with("CONNECT 127.0.0.1:" + std::to_string(where.port) + " HTTP/1.1\r\n"));
        near.close();
        far.close();
    }
}

}  // namespace
