// Paho's async_client of C++ (libpaho-mqttpp3).
#include "driver.h"

#include <iostream>
#include <memory>
#include <mqtt/async_client.h>
#include <string>
#include <unistd.h>

namespace {

std::string transport_scheme(const std::string& transport) {
    return transport == "tcp" ? "tcp" : transport == "tls" ? "ssl" : transport;
}

mqtt::connect_options make_options(char** arguments, char** words, int count) {
    const std::string transport = arguments[3];
    const int version = std::stoi(arguments[4]);
    const bool is_clean = words[2][0] == '1';
    mqtt::connect_options options;
    options.set_mqtt_version(version);
    if (transport[0] == 'w') options.set_keep_alive_interval(45);  // as Paho C wants it for WebSocket
    if (version == 5) {
        options.set_clean_start(is_clean);
        if (!is_clean) {
            mqtt::properties properties;
            properties.add(mqtt::property(mqtt::property::SESSION_EXPIRY_INTERVAL, 300));
            options.set_properties(properties);
        }
    } else {
        options.set_clean_session(is_clean);
    }
    if (transport == "tls" || transport == "wss") {
        mqtt::ssl_options tls;
        tls.set_trust_store(arguments[5]);
        tls.set_verify(true);
        options.set_ssl(tls);
    }
    if (count == 8) {
        const auto size = static_cast<std::size_t>(from_hex(words[7]));
        options.set_will(mqtt::will_options(words[4], words[7], size, std::stoi(words[5]), words[6][0] == '1'));
    }
    return options;
}

void serve(char** arguments) {
    const int version = std::stoi(arguments[4]);
    std::unique_ptr<mqtt::async_client> client;
    std::string line;
    char* words[words_max];
    while (std::getline(std::cin, line)) {
        const int count = split_words(line.data(), words);
        const std::string command = count == 0 ? "" : words[0];
        if (command == "connect" && count >= 4) {
            const std::string url = transport_scheme(arguments[3]) + "://" + arguments[1] + ':' + arguments[2];
            client = std::make_unique<mqtt::async_client>(url, words[1], mqtt::create_options(version));
            client->set_message_callback([](mqtt::const_message_ptr m) {
                say_message(m->get_topic().c_str(), m->get_qos(), m->is_retained(), m->get_payload_ref().data(),
                            m->get_payload_ref().size());
            });
            const auto token = client->connect(make_options(arguments, words, count));
            token->wait();
            say("connected %d", token->get_connect_response().is_session_present() ? 1 : 0);
        } else if (command == "subscribe" && count == 3) {
            client->subscribe(words[1], std::stoi(words[2]))->wait();
            say("subscribed");
        } else if (command == "publish" && count == 5) {
            const auto size = static_cast<std::size_t>(from_hex(words[4]));
            client->publish(words[1], words[4], size, std::stoi(words[2]), words[3][0] == '1')->wait();
            say("published");
        } else if (command == "disconnect") {
            client->disconnect()->wait();
            say("disconnected");
            return;
        } else if (command == "drop") {
            _exit(0);
        } else {
            check(0, "command", "unknown");
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    check(argc == 6, "arguments", "HOST PORT TRANSPORT VERSION CA-FILE");
    try {
        serve(argv);
    } catch (const std::exception& e) {
        check(0, "exception", e.what());
    }
}
