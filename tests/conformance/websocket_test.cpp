// Section 6: MQTT over WebSocket.
#include "net/websocket.hpp"

#include "net/transport.hpp"
#include "net/websocket_frames.hpp"
#include "net/websocket_upgrade.hpp"

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

using namespace martlet;
using namespace martlet::net;
using namespace std::string_view_literals;

namespace {

// What one end of a connection has got and has said.
struct wire {
    std::string to_read;
    std::string written;
};

class memory_link final : public transport {
public:
    explicit memory_link(wire& on) : wire_(on) {}
    io_result read_some(std::span<char> into) noexcept override {
        const std::size_t count = std::min(into.size(), wire_.to_read.size());
        std::copy_n(wire_.to_read.begin(), count, into.begin());
        wire_.to_read.erase(0, count);
        return {count, count == 0 ? error_code(boost::asio::error::would_block) : error_code()};
    }
    io_result write_some(std::span<const std::string_view> from) noexcept override {
        std::size_t count = 0;
        for (const std::string_view part : from) {
            wire_.written += part;
            count += part.size();
        }
        return {count, {}};
    }
    void wait(direction, std::shared_ptr<waiter>) override {}
    io_result shutdown_send() noexcept override { return {}; }
    void close() noexcept override {}
    [[nodiscard]] std::string peer_address() const override { return "memory"; }
    [[nodiscard]] std::string local_address() const override { return "memory"; }

private:
    wire& wire_;
};

constexpr mask_key key{1, 2, 3, 4};

std::string masked_frame(opcode what, std::string_view payload) {
    std::array<char, frame_head_max> head;
    std::string frame(head.data(), write_frame_head(head, what, payload.size(), &key));
    const std::size_t at = frame.size();
    frame += payload;
    apply_mask(std::span(frame).subspan(at), key, 0);
    return frame;
}

std::unique_ptr<transport> open_server(wire& on) {
    auto server = make_websocket_server(std::make_unique<memory_link>(on), {},
                                        std::make_shared<const websocket_server_options>());
    on.to_read = make_upgrade_request("h", "/mqtt", "0123456789abcdef", {});
    REQUIRE(!server->handshake().error);
    on.written.clear();
    return server;
}

}  // namespace

TEST_CASE(
    "5.0/MQTT-6.0.0-1 3.1.1/MQTT-6.0.0-1: packets travel in binary frames, and a text frame closes the connection") {
    wire on;
    const auto server = open_server(on);
    const std::array<std::string_view, 1> packet{"\xD0\0"sv};  // PINGRESP
    CHECK(server->write_some(packet).bytes == 2);
    CHECK(on.written == "\x82\x02\xD0\0"sv);
    on.written.clear();

    std::string got(100, '\0');
    on.to_read = masked_frame(opcode::binary, "\xC0\0"sv) + masked_frame(opcode::text, "\xC0\0"sv);
    const io_result first = server->read_some(got);
    CHECK(got.substr(0, first.bytes) == "\xC0\0"sv);
    CHECK(server->read_some(got).error == errc::websocket_protocol_error);
    CHECK(on.written.substr(0, 1) == "\x88");
    CHECK(on.written.substr(2, 2) == "\x03\xEB");  // 1003
    CHECK(server->write_some(packet).failed());
}

TEST_CASE("5.0/MQTT-6.0.0-3 3.1.1/MQTT-6.0.0-3: a client offers the subprotocol mqtt, and who does not is refused") {
    wire on;
    const auto client =
        make_websocket_client(std::make_unique<memory_link>(on), parse_endpoint("ws://h/mqtt").value(), {});
    CHECK(client->handshake().blocked());
    CHECK(on.written.find("\r\nSec-WebSocket-Protocol: mqtt\r\n") != std::string::npos);

    std::string other = make_upgrade_request("h", "/mqtt", "0123456789abcdef", {});
    other.replace(other.find("Protocol: mqtt"), 14, "Protocol: soap");
    CHECK(!answer_upgrade(other, {}, {}).refusal.empty());
}

TEST_CASE("5.0/MQTT-6.0.0-4 3.1.1/MQTT-6.0.0-4: the server chooses mqtt, and a client accepts no other choice") {
    const std::string request = make_upgrade_request("h", "/mqtt", "0123456789abcdef", {});
    const std::string answer = answer_upgrade(request, {}, {}).response;
    CHECK(answer.find("\r\nSec-WebSocket-Protocol: mqtt\r\n") != std::string::npos);
    CHECK(check_upgrade_response(answer, "0123456789abcdef").empty());

    std::string other = answer;
    other.replace(other.find("Protocol: mqtt"), 14, "Protocol: soap");
    CHECK(!check_upgrade_response(other, "0123456789abcdef").empty());
}
