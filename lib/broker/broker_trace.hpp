// A transport that tells each packet to the log, in Mosquitto's words: a part of the shell, so that a broker that is not
// asked for it pays nothing.
#pragma once

#include "net/transport.hpp"

#include <martlet/broker_options.hpp>
#include <martlet/core/codec.hpp>
#include <martlet/core/read_buffer.hpp>
#include <martlet/packets.hpp>
#include <martlet/types.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace martlet::broker_impl {

/// The lines about the packets of one connection, without I/O.
class packet_trace {
public:
    /// \p write gets each line; \p client_id is asked for the name of the client, when that is not known from CONNECT.
    packet_trace(std::function<void(std::string_view line)> write, std::function<std::string()> client_id);

    void received(std::string_view bytes) { look_at(in_, role::broker, bytes); }
    void sent(std::string_view bytes) { look_at(out_, role::client, bytes); }

private:
    struct way {
        core::read_buffer bytes;
        bool is_lost = false;  // not MQTT: nothing can be told any more
    };
    void look_at(way& w, role receiver, std::string_view bytes);
    void tell_received(const packet& what);
    void tell_sent(const packet& what);
    void tell_publish(std::string_view verb, const packets::publish& what);
    [[nodiscard]] const std::string& who();
    void write(const std::string& line) const { write_(line); }

    std::function<void(std::string_view)> write_;
    std::function<std::string()> client_id_;
    way in_;
    way out_;
    protocol_version version_ = protocol_version::v3_1_1;
    std::string who_;
    std::string will_;  // what to say of it when the client is accepted
};

/// Passes everything on.
class traced_transport final : public net::transport {
public:
    traced_transport(std::unique_ptr<net::transport> inner, packet_trace trace)
        : inner_(std::move(inner)), trace_(std::move(trace)) {}

    net::io_result handshake() noexcept override { return inner_->handshake(); }
    net::io_result read_some(std::span<char> into) noexcept override;
    net::io_result write_some(std::span<const std::string_view> from) noexcept override;
    [[nodiscard]] bool has_buffered_input() const noexcept override { return inner_->has_buffered_input(); }
    void wait(net::direction what, std::shared_ptr<net::waiter> who) override { inner_->wait(what, std::move(who)); }
    net::io_result shutdown_send() noexcept override { return inner_->shutdown_send(); }
    void close() noexcept override { inner_->close(); }
    [[nodiscard]] int native_handle() noexcept override { return inner_->native_handle(); }
    [[nodiscard]] std::string peer_address() const override { return inner_->peer_address(); }
    [[nodiscard]] std::string local_address() const override { return inner_->local_address(); }
    [[nodiscard]] std::string failure() const override { return inner_->failure(); }
    [[nodiscard]] std::string peer_identity() const override { return inner_->peer_identity(); }

private:
    std::unique_ptr<net::transport> inner_;
    packet_trace trace_;
};

}  // namespace martlet::broker_impl
