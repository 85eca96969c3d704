// One broker engine and scripted clients around it, on links in memory with a virtual clock. What an engine does not
// decide is at its simplest: everything is written at once, and with a journal everything is committed at once.
#pragma once

#include "broker/broker_engine.hpp"
#include "conformance/conformance.hpp"

#include <martlet/authenticator.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet::test {

class broker_world;

/// A scripted client of the engine.
class broker_peer : public script {
public:
    broker_peer(broker_world& world, protocol_version version);

    /// The link breaks without a word.
    void cut();
    /// DISCONNECT with success, which has to close the link.
    void leave();

    // -- whole exchanges, each checked as it goes

    /// SUBSCRIBE with one filter. What SUBACK says of it.
    reason_code subscribe(const subscription_request& wanted, std::optional<std::uint32_t> identifier = {});
    reason_code subscribe(std::string_view filter, qos maximum = qos::exactly_once) {
        return subscribe({.filter = filter, .qos = maximum});
    }
    /// UNSUBSCRIBE with one filter. What UNSUBACK says of it: before MQTT 5 nothing, success.
    reason_code unsubscribe(std::string_view filter);
    /// PUBLISH, and its acknowledgements up to the end. What the first acknowledgement says.
    reason_code publish(packets::publish message);
    reason_code publish(std::string_view topic, std::string_view payload, qos q = qos::at_most_once,
                        bool retain = false) {
        return publish(packets::publish{.topic = topic, .payload = payload, .qos = q, .retain = retain});
    }

    /// All messages that have come, acknowledged to the end, as text: "a/b=hi q1 retain dup, c=x q0". Nothing else may
    /// have come.
    [[nodiscard]] std::string messages();
    /// Acknowledges a QoS 1 message, or sends PUBREC for a QoS 2 one.
    void acknowledge(const packets::publish& message);
    [[nodiscard]] packet_id next_id() noexcept;

private:
    friend class broker_world;
    void deliver(std::string_view bytes) override;

    broker_world* world_;
    std::optional<broker_impl::peer_id> id_;
    std::uint16_t last_id_ = 100;
};

/// The hooks of a broker, by default all-permitting; each may be replaced.
class scripted_rights : public authenticator {
public:
    std::function<authentication_answer(const authentication_request&)> answer;  ///< null: later, by hand
    std::function<bool(std::string_view)> publishing = [](std::string_view) { return true; };
    std::function<bool(std::string_view)> subscribing = [](std::string_view) { return true; };
    std::vector<authentication_handler> waiting;  ///< of requests that are not answered yet
    std::vector<std::string> asked;               ///< "connect c user:password", "more method:data"

    void authenticate(const authentication_request& request, authentication_handler done) override;
    [[nodiscard]] bool may_publish(const client_info&, std::string_view topic) override { return publishing(topic); }
    [[nodiscard]] bool may_subscribe(const client_info&, std::string_view filter) override {
        return subscribing(filter);
    }
};

/// "a/b=hi q1 retain dup".
[[nodiscard]] std::string to_text(const packets::publish& message);

class broker_world {
public:
    explicit broker_world(const broker_options& options = {}, bool durable = false);

    instant now;
    broker_impl::broker_engine engine;

    /// A link, over which nothing was said yet. References stay good.
    broker_peer& dial(protocol_version version);
    /// A link with its CONNECT, which has to be accepted. The CONNACK is in `connack`.
    broker_peer& connect(const packets::connect& packet);
    broker_peer& connect(protocol_version version, std::string_view client_id) {
        return connect(hello(version, client_id));
    }
    packets::connack connack;  ///< of the last connect()

    /// A CONNECT with Clean Start and without keep-alive.
    [[nodiscard]] static packets::connect hello(protocol_version version, std::string_view client_id);
    /// The same for a session that is to be resumed and to last for an hour (before MQTT 5: until it is wiped).
    [[nodiscard]] static packets::connect resuming(protocol_version version, std::string_view client_id);

    /// Time passes; the engine's deadlines are met at their times.
    void advance(std::chrono::microseconds by);
    /// The broker's own message.
    void publish(std::string_view topic, std::string_view payload, qos q, bool retain = false);
    void shut_down();
    /// Carries what the engine has put out.
    void run();

private:
    friend class broker_peer;
    std::deque<broker_peer> peers_;
};

}  // namespace martlet::test
