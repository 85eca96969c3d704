#include "broker/http_client_page.hpp"
#include "broker/http_page.hpp"

#include <martlet/http_status.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet {

namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;

constexpr std::size_t connections_max = 64;
constexpr std::uint32_t header_size_max = 8 * 1024;
constexpr std::chrono::seconds timeout{10};

struct metric {
    std::string_view name;
    std::string_view help;
    bool is_counter;
    std::uint64_t (*value)(const broker_statistics&);
};

// clang-format off
constexpr metric metrics[] = {
    {"connections", "Transports, with or without a session", false, [](const broker_statistics& s) -> std::uint64_t { return s.connections; }},
    {"sessions", "Sessions, connected or not", false, [](const broker_statistics& s) -> std::uint64_t { return s.sessions; }},
    {"sessions_connected", "Connected sessions", false, [](const broker_statistics& s) -> std::uint64_t { return s.sessions_connected; }},
    {"subscriptions", "Subscriptions", false, [](const broker_statistics& s) -> std::uint64_t { return s.subscriptions; }},
    {"shared_subscriptions", "Shared subscriptions", false, [](const broker_statistics& s) -> std::uint64_t { return s.shared_subscriptions; }},
    {"retained", "Retained messages", false, [](const broker_statistics& s) -> std::uint64_t { return s.retained; }},
    {"retained_bytes", "Bytes of retained messages", false, [](const broker_statistics& s) -> std::uint64_t { return s.retained_bytes; }},
    {"queued", "Messages that wait in sessions", false, [](const broker_statistics& s) -> std::uint64_t { return s.queued; }},
    {"memory", "Bytes of messages and unsent output", false, [](const broker_statistics& s) -> std::uint64_t { return s.memory; }},
    {"connections_accepted", "CONNECTs answered with success", true, [](const broker_statistics& s) -> std::uint64_t { return s.connections_accepted; }},
    {"messages_received", "PUBLISH packets received", true, [](const broker_statistics& s) -> std::uint64_t { return s.messages_received; }},
    {"messages_sent", "PUBLISH packets sent", true, [](const broker_statistics& s) -> std::uint64_t { return s.messages_sent; }},
    {"bytes_received", "Bytes received", true, [](const broker_statistics& s) -> std::uint64_t { return s.bytes_received; }},
    {"bytes_sent", "Bytes sent", true, [](const broker_statistics& s) -> std::uint64_t { return s.bytes_sent; }},
    {"deliveries", "Messages handed to connections and sessions", true, [](const broker_statistics& s) -> std::uint64_t { return s.deliveries; }},
    {"dropped_full", "QoS 0 dropped, output at its bound", true, [](const broker_statistics& s) -> std::uint64_t { return s.dropped_full; }},
    {"dropped_queue", "QoS 1 and 2 dropped, queue at its bound", true, [](const broker_statistics& s) -> std::uint64_t { return s.dropped_queue; }},
    {"dropped_memory", "PUBLISH packets refused, memory at its bound", true, [](const broker_statistics& s) -> std::uint64_t { return s.dropped_memory; }},
    {"dropped_other", "Too large for the receiver, or expired", true, [](const broker_statistics& s) -> std::uint64_t { return s.dropped_other; }},
    {"retained_refused", "Not retained, at a bound", true, [](const broker_statistics& s) -> std::uint64_t { return s.retained_refused; }},
};
// clang-format on

bool is_this_machine(std::string_view host) {
    if (host.starts_with("[::1]")) return host.size() == 5 || host[5] == ':';
    host = host.substr(0, host.find(':'));
    return host == "localhost" || host == "127.0.0.1";
}

// Where a page can connect to: {"websockets":["ws://127.0.0.1:8080/mqtt"]}. The path of a listener is an option of who
// started the broker, but the text is JSON in any case.
std::string websockets_of(const broker& of) {
    std::string out = "{\"websockets\":[";
    for (const endpoint& where : of.listeners()) {
        if (where.scheme != scheme::ws && where.scheme != scheme::wss) continue;
        if (out.back() != '[') out += ',';
        out += '"';
        for (const char c : to_string(where)) {
            if (c == '"' || c == '\\') out += '\\';
            out += static_cast<unsigned char>(c) < ' ' ? '?' : c;
        }
        out += '"';
    }
    return out + "]}\n";
}

using response = http::response<http::string_body>;

response answer(const http::request<http::empty_body>& request, const broker& of) {
    response out{http::status::ok, request.version()};
    out.set(http::field::cache_control, "no-store");
    out.set(http::field::x_frame_options, "DENY");
    out.set("X-Content-Type-Options", "nosniff");
    out.set("Content-Security-Policy",
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self' "
            "ws://localhost:* wss://localhost:* ws://127.0.0.1:* wss://127.0.0.1:*");
    out.keep_alive(request.keep_alive());
    const auto fail = [&](http::status status, std::string text) {
        out.result(status);
        out.set(http::field::content_type, "text/plain; charset=utf-8");
        out.body() = std::move(text);
    };
    const auto host = request[http::field::host];
    const auto target = request.target();
    const std::string_view path = std::string_view(target.data(), target.size()).substr(0, target.find('?'));
    if (!is_this_machine({host.data(), host.size()})) {
        fail(http::status::forbidden, "Host is not this machine\n");
    } else if (request.method() != http::verb::get && request.method() != http::verb::head) {
        out.set(http::field::allow, "GET, HEAD");
        fail(http::status::method_not_allowed, "GET and HEAD only\n");
    } else if (path == "/") {
        out.set(http::field::content_type, "text/html; charset=utf-8");
        out.body().append(broker_impl::status_page).append(broker_impl::page_client).append(broker_impl::page_plots);
    } else if (path == "/status.json") {
        out.set(http::field::content_type, "application/json");
        out.body() = to_json(of.statistics());
    } else if (path == "/listeners.json") {
        out.set(http::field::content_type, "application/json");
        out.body() = websockets_of(of);
    } else if (path == "/metrics") {
        out.set(http::field::content_type, "text/plain; version=0.0.4; charset=utf-8");
        out.body() = to_prometheus(of.statistics());
    } else {
        fail(http::status::not_found, "There are /, /status.json, /listeners.json and /metrics\n");
    }
    out.prepare_payload();
    if (request.method() == http::verb::head) out.body().clear();
    return out;
}

}  // namespace

class http_status::impl : public std::enable_shared_from_this<impl> {
public:
    explicit impl(broker& of) : broker_(&of), acceptor_(of.get_executor()) {}

    boost::system::result<std::uint16_t> listen(std::uint16_t port) {
        const tcp::endpoint at(asio::ip::address_v4::loopback(), port);
        error_code error;
        acceptor_.open(at.protocol(), error);
        if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
        if (!error) acceptor_.bind(at, error);
        if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
        const auto bound = error ? at : acceptor_.local_endpoint(error);
        if (error) {
            error_code ignored;
            acceptor_.close(ignored);
            return error;
        }
        accept();
        return bound.port();
    }

    void close() {
        broker_ = nullptr;
        error_code ignored;
        acceptor_.close(ignored);
        for (const auto& weak : sessions_) {
            if (const auto open = weak.lock()) open->stream.close();
        }
    }

private:
    struct session {
        explicit session(tcp::socket socket) : stream(std::move(socket)) {}
        beast::tcp_stream stream;
        beast::flat_buffer buffer{header_size_max + 1024};
        std::optional<http::request_parser<http::empty_body>> parser;
        response reply;
    };

    void accept() {
        acceptor_.async_accept([self = shared_from_this()](error_code error, tcp::socket socket) {
            if (error == asio::error::operation_aborted || self->broker_ == nullptr) return;
            if (!error) self->begin(std::move(socket));
            self->accept();
        });
    }

    void begin(tcp::socket socket) {
        std::erase_if(sessions_, [](const auto& weak) { return weak.expired(); });
        if (sessions_.size() >= connections_max) return;
        const auto made = std::make_shared<session>(std::move(socket));
        sessions_.push_back(made);
        read(made);
    }

    void read(const std::shared_ptr<session>& on) {
        on->parser.emplace();
        on->parser->header_limit(header_size_max);
        on->parser->body_limit(0);
        on->stream.expires_after(timeout);
        http::async_read(on->stream, on->buffer, *on->parser,
                         [self = shared_from_this(), on](error_code error, std::size_t) {
                             if (error || self->broker_ == nullptr) return;
                             on->reply = answer(on->parser->get(), *self->broker_);
                             self->write(on);
                         });
    }

    void write(const std::shared_ptr<session>& on) {
        on->stream.expires_after(timeout);
        http::async_write(on->stream, on->reply, [self = shared_from_this(), on](error_code error, std::size_t) {
            if (error || self->broker_ == nullptr) return;
            if (on->reply.keep_alive()) return self->read(on);
            error_code ignored;
            on->stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
        });
    }

    broker* broker_;  // null: closed
    tcp::acceptor acceptor_;
    std::vector<std::weak_ptr<session>> sessions_;
};

http_status::http_status(broker& of) : impl_(std::make_shared<impl>(of)) {}

http_status::http_status(http_status&&) noexcept = default;

http_status& http_status::operator=(http_status&& other) noexcept {
    if (impl_ != nullptr && impl_ != other.impl_) impl_->close();
    impl_ = std::move(other.impl_);
    return *this;
}

http_status::~http_status() {
    if (impl_ != nullptr) impl_->close();
}

boost::system::result<std::uint16_t> http_status::listen(std::uint16_t port) { return impl_->listen(port); }

std::string to_json(const broker_statistics& statistics) {
    std::string out = "{";
    for (const metric& m : metrics) {
        if (out.size() > 1) out += ',';
        out.append(1, '"').append(m.name).append("\":").append(std::to_string(m.value(statistics)));
    }
    return out + "}\n";
}

std::string to_prometheus(const broker_statistics& statistics) {
    std::string out;
    for (const metric& m : metrics) {
        const std::string name = "martlet_broker_" + std::string(m.name) + (m.is_counter ? "_total" : "");
        out.append("# HELP ").append(name).append(1, ' ').append(m.help).append("\n# TYPE ").append(name);
        out.append(m.is_counter ? " counter\n" : " gauge\n").append(name).append(1, ' ');
        out.append(std::to_string(m.value(statistics))).append(1, '\n');
    }
    return out;
}

}  // namespace martlet
