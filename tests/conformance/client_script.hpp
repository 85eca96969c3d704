// A scripted server against one client engine, on a link in memory with a virtual clock: what a client does by itself,
// above its core.
#pragma once

#include "client/client_engine.hpp"
#include "conformance/conformance.hpp"

#include <martlet/client_options.hpp>

#include <initializer_list>
#include <memory>
#include <string_view>

namespace martlet::test {

class client_script : public script {
public:
    client_script(client_options options, protocol_version version);

    client_options options;
    instant now;
    detail::client_engine engine;

    /// Starts the client, which dials and says CONNECT. What start() says.
    error_code start();
    /// The same with the server's answer. The CONNECT is in `connect`.
    void open(const packets::connack& answer = {});
    packets::connect connect;
    /// The link breaks; the client dials again and says CONNECT, which is left to be heard.
    void reconnect();
    void advance(std::chrono::microseconds by);
    /// Hears what the engine has put out and does what it wants of the link.
    void run();

    /// A stream of the application; asked for, and granted by the script.
    detail::stream_state_ptr subscribe(std::string_view filter, qos q = qos::exactly_once);
    /// What subscribe() says of these filters.
    error_code refusal(std::initializer_list<subscription_request> filters);

private:
    void deliver(std::string_view bytes) override;
    static detail::stream_state_ptr make_stream(std::initializer_list<subscription_request> filters);
};

}  // namespace martlet::test
