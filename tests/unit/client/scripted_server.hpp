// A server for the client's tests, on a real socket of the loopback.
#pragma once

#include "support/decoded.hpp"

#include <martlet/core/codec.hpp>
#include <martlet/packets.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <cstddef>
#include <optional>
#include <poll.h>
#include <string>
#include <variant>
#include <vector>

namespace martlet::test {

namespace asio = boost::asio;

// A server of one thought: it answers what a packet asks for, echoes what is published, and can be told not to.
class scripted_server {
public:
    explicit scripted_server(asio::io_context& io) : acceptor_(io, {asio::ip::make_address("127.0.0.1"), 0}) {
        asio::co_spawn(io, serve(), asio::detached);
    }

    [[nodiscard]] std::string url() const {
        return "mqtt://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    }
    [[nodiscard]] bool has(packet_type type) const {
        for (const auto one : seen) {
            if (one == type) return true;
        }
        return false;
    }
    void hang_up() {
        error_code ignored;
        if (socket_) socket_->close(ignored);
    }
    void close() {
        acceptor_.close();
        hang_up();
    }
    /// Bytes have come that were not read; waits for them without running the loop.
    [[nodiscard]] bool has_unread() {
        pollfd input{socket_->native_handle(), POLLIN, 0};
        return ::poll(&input, 1, 10'000) == 1 && socket_->available() != 0;
    }

    std::vector<packet_type> seen;
    packets::connack connack;
    bool acknowledges = true;
    bool echoes = true;
    std::size_t connections = 0;

private:
    asio::awaitable<void> serve() {
        for (;;) {
            auto [error, socket] = co_await acceptor_.async_accept(as_tuple(asio::use_awaitable));
            if (error) co_return;
            ++connections;
            socket_.emplace(std::move(socket));
            co_await converse();
            socket_.reset();
        }
    }

    asio::awaitable<void> converse() {
        std::string input;
        std::vector<char> room(65'536);
        for (;;) {
            auto [error, size] = co_await socket_->async_read_some(asio::buffer(room),
                                                                   asio::experimental::as_tuple(asio::use_awaitable));
            if (error) co_return;
            input.append(room.data(), size);
            std::string output;
            core::frame frame;
            fault why;
            std::size_t hint = 0;
            while (core::cut_frame(input, protocol_version::v5, 268'435'460, frame, why, hint) ==
                   core::frame_status::complete) {
                packet p;
                if (core::decode(frame, protocol_version::v5, role::broker, p)) co_return;
                seen.push_back(frame.type);
                output += answer(p);
                input.erase(0, frame.packet.size());
            }
            if (output.empty()) continue;
            auto [failed, written] = co_await asio::async_write(*socket_, asio::buffer(output),
                                                                asio::experimental::as_tuple(asio::use_awaitable));
            if (failed) co_return;
        }
    }

    std::string answer(const packet& p) {
        const auto bytes = [](const packet& out) { return encode(out, protocol_version::v5); };
        if (std::holds_alternative<packets::connect>(p)) return bytes(connack);
        if (!acknowledges) return {};
        if (const auto* s = std::get_if<packets::subscribe>(&p)) {
            return bytes(packets::suback{s->id, std::vector(s->subscriptions.size(), reason_code::success), {}});
        }
        if (const auto* u = std::get_if<packets::unsubscribe>(&p)) {
            return bytes(packets::unsuback{u->id, std::vector(u->filters.size(), reason_code::success), {}});
        }
        if (const auto* m = std::get_if<packets::publish>(&p)) {
            std::string out;
            if (echoes) {
                packets::publish echo = *m;
                echo.qos = qos::at_most_once;
                echo.id = packet_id::none;
                out += bytes(echo);
            }
            if (m->qos == qos::at_least_once) out += bytes(packets::puback{m->id, {}, {}});
            if (m->qos == qos::exactly_once) out += bytes(packets::pubrec{m->id, {}, {}});
            return out;
        }
        if (const auto* r = std::get_if<packets::pubrel>(&p)) return bytes(packets::pubcomp{r->id, {}, {}});
        return {};
    }

    asio::ip::tcp::acceptor acceptor_;
    std::optional<asio::ip::tcp::socket> socket_;
};

}  // namespace martlet::test
