// The status page over real HTTP: what is served, to whom, and what is refused.
#include <martlet/http_status.hpp>
#include <martlet/websocket.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>

#include <string>

using namespace martlet;

namespace {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

struct web {
    web() : served(io.get_executor()), status(served) {
        const auto got = status.listen(0);
        REQUIRE(got.has_value());
        port = *got;
    }
    /// Everything that comes back until the server closes.
    std::string send(const std::string& request) {
        tcp::socket socket(io);
        socket.connect({asio::ip::address_v4::loopback(), port});
        asio::write(socket, asio::buffer(request));
        std::string reply;
        bool done = false;
        asio::async_read(socket, asio::dynamic_buffer(reply), [&](error_code, std::size_t) { done = true; });
        io.restart();
        while (!done && io.run_one() != 0) {}
        return reply;
    }
    std::string get(const std::string& path, const std::string& host = "localhost", const std::string& method = "GET") {
        return send(method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
    }

    asio::io_context io;
    broker served;
    http_status status;
    std::uint16_t port = 0;
};

bool has(const std::string& reply, std::string_view text) { return reply.find(text) != std::string::npos; }

}  // namespace

TEST_CASE("http_status: page, JSON and Prometheus' text") {
    web w;
    const std::string page = w.get("/");
    CHECK(page.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(has(page, "text/html"));
    CHECK(has(page, "default-src 'none'"));
    CHECK(has(page, "<title>martlet broker</title>"));
    CHECK(has(page, "new WebSocket("));
    CHECK(page.ends_with("</html>\n"));
    CHECK_FALSE(has(page, "http://"));  // nothing from elsewhere
    CHECK_FALSE(has(page, "https://"));

    const std::string json = w.get("/status.json?x");
    CHECK(has(json, "application/json"));
    CHECK(has(json, "\r\n\r\n{\"connections\":0,\"sessions\":0,"));
    CHECK(json.ends_with("}\n"));

    CHECK(w.get("/listeners.json").ends_with("\r\n\r\n{\"websockets\":[]}\n"));
    if (has_websocket()) {
        const endpoint where = w.served.listen("ws://127.0.0.1:0/mqtt").value();
        REQUIRE(w.served.listen("mqtt://127.0.0.1:0").has_value());
        CHECK(has(w.get("/listeners.json"),
                  "{\"websockets\":[\"ws://127.0.0.1:" + std::to_string(where.port) + "/mqtt\"]}\n"));
    }

    const std::string metrics = w.get("/metrics");
    CHECK(has(metrics, "# TYPE martlet_broker_connections gauge\nmartlet_broker_connections 0\n"));
    CHECK(has(metrics, "# TYPE martlet_broker_messages_received_total counter\n"));
}

TEST_CASE("http_status: HEAD has no body; other methods, paths and hosts are refused") {
    web w;
    const std::string head = w.get("/status.json", "127.0.0.1:80", "HEAD");
    CHECK(head.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(head.ends_with("\r\n\r\n"));
    CHECK(w.get("/", "[::1]:9").starts_with("HTTP/1.1 200"));
    CHECK(w.get("/x").starts_with("HTTP/1.1 404"));
    CHECK(w.get("/", "localhost", "POST").starts_with("HTTP/1.1 405"));
    for (const char* host : {"evil.example", "127.0.0.1.evil.example", "localhostx", "[::1]x", ""})
        CHECK(w.get("/", host).starts_with("HTTP/1.1 403"));
}

TEST_CASE("http_status: long headers and bodies end the connection") {
    web w;
    CHECK_FALSE(
        has(w.send("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(10'000, 'x') + "\r\n\r\n"), "200 OK"));
    CHECK_FALSE(has(w.send("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"), "200 OK"));
    CHECK_FALSE(has(w.send("nonsense\r\n\r\n"), "200 OK"));
    CHECK(w.get("/").starts_with("HTTP/1.1 200"));
}

TEST_CASE("http_status: a port that is taken is an error, and closing ends all") {
    web w;
    http_status second(w.served);
    CHECK(second.listen(w.port).error() == asio::error::address_in_use);
    const std::uint16_t port = w.port;
    w.status = http_status(w.served);
    tcp::socket socket(w.io);
    error_code error;
    socket.connect({asio::ip::address_v4::loopback(), port}, error);
    CHECK(error == asio::error::connection_refused);
}
