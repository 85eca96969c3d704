// The shell over real sockets, with bytes as the specification shows them. More of it in tests/e2e.
#include <martlet/broker.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>

using namespace martlet;
using namespace std::string_view_literals;

namespace {

constexpr auto connect_v5 = "\x10\x0E\0\4MQTT\5\2\0\x3C\0\0\1a"sv;
constexpr auto connect_v3 = "\x10\x0D\0\4MQTT\4\2\0\x3C\0\1b"sv;
constexpr auto connack_v3 = "\x20\2\0\0"sv;

/// A broker on a thread of its own; the test talks to it through blocking sockets.
class running_broker {
public:
    explicit running_broker(const broker_options& options = {}) : subject(io.get_executor(), options) {}
    ~running_broker() {
        if (thread_.joinable()) stop();
    }
    endpoint listen(std::string_view url) { return subject.listen(url).value(); }
    void run() {
        thread_ = std::thread([this] { io.run(); });
    }
    void stop() {
        asio::post(io, [this] { subject.stop(); });
        thread_.join();  // the loop has nothing left to do
    }

    asio::io_context io{1};
    broker subject;

private:
    std::thread thread_;
};

template <class Socket>
std::string read(Socket& socket, std::size_t size) {
    std::string bytes(size, '\0');
    asio::read(socket, asio::buffer(bytes));
    return bytes;
}

asio::ip::tcp::socket dial(asio::io_context& io, const endpoint& to) {
    asio::ip::tcp::socket socket(io);
    socket.connect({asio::ip::make_address(to.host), to.port});
    return socket;
}

}  // namespace

TEST_CASE("broker: a message goes from one TCP connection to another") {
    running_broker broker;
    const endpoint at = broker.listen("mqtt://127.0.0.1:0");
    CHECK(at.port != 0);
    CHECK(broker.subject.port() == at.port);
    broker.run();

    asio::io_context io;
    auto one = dial(io, at);
    asio::write(one, asio::buffer(connect_v3));
    CHECK(read(one, 4) == connack_v3);
    asio::write(one, asio::buffer("\x82\x08\0\x0A\0\3a/b\1"sv));
    CHECK(read(one, 5) == "\x90\3\0\x0A\1"sv);

    auto two = dial(io, at);
    asio::write(two, asio::buffer(connect_v5));
    CHECK(read(two, 2).substr(0, 1) == "\x20");
    asio::write(two, asio::buffer("\x32\x0A\0\3a/b\0\x0A\0hi"sv));
    CHECK(read(one, 11) == "\x32\x09\0\3a/b\0\1hi"sv);
}

TEST_CASE("broker: stop tells MQTT 5 clients why, and closes everybody") {
    running_broker broker;
    const endpoint at = broker.listen("mqtt://[::1]:0");
    broker.run();
    asio::io_context io;
    auto silent = dial(io, at);
    auto three = dial(io, at);
    auto five = dial(io, at);
    asio::write(three, asio::buffer(connect_v3));
    CHECK(read(three, 4) == connack_v3);
    asio::write(five, asio::buffer(connect_v5));
    const auto head = read(five, 2);
    read(five, static_cast<unsigned char>(head[1]));

    asio::post(broker.io, [&] { broker.subject.stop(); });
    CHECK(read(five, 3).substr(0, 1) == "\xE0");
    boost::system::error_code ended;
    std::string rest(100, '\0');
    asio::read(three, asio::buffer(rest), ended);
    CHECK(ended == asio::error::eof);
    asio::read(silent, asio::buffer(rest), ended);
    CHECK(ended == asio::error::eof);
}

TEST_CASE("broker: async_stop completes when nobody is left") {
    asio::io_context io{1};
    broker subject(io);
    subject.listen("mqtt://127.0.0.1:0").value();
    auto done = subject.async_stop(asio::use_future);
    io.run();
    done.get();
    CHECK(subject.listen("mqtt://127.0.0.1:0").error() == errc::not_running);
}

TEST_CASE("broker: a Unix socket works, and its file goes away") {
    const std::string path = "/tmp/martlet-broker-test-" + std::to_string(::getpid()) + ".sock";
    {
        running_broker broker;
        broker.listen("unix:" + path);
        CHECK(broker.subject.port() == 0);
        broker.run();
        asio::io_context io;
        asio::local::stream_protocol::socket socket(io);
        socket.connect(path);
        asio::write(socket, asio::buffer(connect_v3));
        CHECK(read(socket, 4) == connack_v3);
    }
    CHECK(!std::filesystem::exists(path));
}

TEST_CASE("broker: a port in use is an error that says so") {
    running_broker broker;
    const endpoint at = broker.listen("mqtt://127.0.0.1:0");
    std::string detail;
    const auto again = broker.subject.listen("mqtt://127.0.0.1:" + std::to_string(at.port), &detail);
    CHECK(again.error() == asio::error::address_in_use);
    CHECK(detail.find("127.0.0.1") != std::string::npos);
    CHECK(broker.subject.listen("nonsense://x").error() == errc::url_invalid);
}

TEST_CASE("broker: a refused first packet closes the connection in order") {
    running_broker broker;
    const endpoint at = broker.listen("mqtt://127.0.0.1:0");
    broker.run();
    asio::io_context io;
    auto socket = dial(io, at);
    asio::write(socket, asio::buffer("\xC0\0"sv));
    boost::system::error_code ended;
    char byte = 0;
    asio::read(socket, asio::buffer(&byte, 1), ended);
    CHECK(ended == asio::error::eof);
}

TEST_CASE("broker: destroying it with connections open is safe") {
    asio::io_context io{1};
    asio::io_context other;
    auto subject = std::make_unique<broker>(io.get_executor());
    const endpoint at = subject->listen("mqtt://127.0.0.1:0").value();
    auto socket = dial(other, at);
    asio::write(socket, asio::buffer(connect_v3));
    while (subject->statistics().sessions_connected == 0)
        io.run_one();
    subject.reset();
    io.run();
    CHECK(read(socket, 4) == connack_v3);
}
