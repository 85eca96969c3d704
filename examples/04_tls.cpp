// TLS: the server's certificate is verified unless you say otherwise, and a refusal says why.
//   04_tls [url [ca-file]]      "mqtts://host[:8883]"; without a CA file the system's authorities count
// Without a URL it runs against a server of its own, whose certificate nobody knows, once trusting its authority and once
// not.
#include <martlet/broker.hpp>
#include <martlet/client.hpp>
#include <martlet/tls.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <utility>

namespace asio = boost::asio;

// Prints how it went; no error: the message is delivered.
martlet::error_code publish_once(asio::io_context& io, const std::string& url, martlet::tls_options tls) {
    martlet::client_options options;
    options.urls = {url};
    options.tls = std::move(tls);
    // A certificate that is refused ends async_run at once: trying again would not help.
    options.reconnect.before_first_connect = false;
    martlet::client client(io, std::move(options));

    std::optional<martlet::error_code> end;
    client.async_run([&](martlet::error_code error) { end = error; });
    // The text names what is wrong: "certificate is for a.example, not b.example".
    client.async_next_event([&](martlet::error_code, const martlet::client_event&) {
        client.async_next_event([&](martlet::error_code error, const martlet::client_event& event) {
            if (!error && event.cause) std::cout << "refused: " << event.cause.message() << ": " << event.text << '\n';
        });
    });
    asio::co_spawn(
        io,
        [&]() -> asio::awaitable<void> {
            co_await client.async_publish("pump/7/state", "on", {.qos = martlet::qos::at_least_once});
            std::cout << "delivered to " << client.connection()->url << '\n';
            co_await client.async_disconnect();
        },
        [](const std::exception_ptr&) {});  // what ended the run is known
    while (!end && io.run_one() != 0) {}
    return end.value_or(martlet::errc::not_running);
}

int main(int argc, char** argv) {
    asio::io_context io;
    if (argc > 1) {
        martlet::tls_options tls;
        if (argc > 2) tls.ca_file = argv[2];
        return publish_once(io, argv[1], tls) ? 1 : 0;
    }

    const auto made = martlet::make_test_certificates().value();  // for tests: an authority, and a server that it knows
    martlet::listener_options serving;
    serving.tls.certificate_pem = made.server_certificate;
    serving.tls.key_pem = made.server_key;
    martlet::broker broker(io.get_executor());
    const auto where = broker.listen("mqtts://127.0.0.1:0", serving).value();
    const auto url = "mqtts://127.0.0.1:" + std::to_string(where.port);

    martlet::tls_options trusting;
    trusting.ca_pem = made.ca_certificate;
    const bool is_delivered = !publish_once(io, url, trusting);
    const bool is_refused = publish_once(io, url, {}) == martlet::errc::certificate_untrusted;
    return is_delivered && is_refused ? 0 : 1;
}
