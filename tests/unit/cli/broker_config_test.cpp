// The subset of mosquitto.conf: what is read, and that everything else is refused with its line.
#include "broker_config.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>

using namespace martlet;
using namespace martlet::cli;

namespace {

broker_settings parse(std::string_view text) {
    broker_settings settings;
    std::string why;
    REQUIRE_MESSAGE(parse_broker_config(text, "b.conf", settings, why), why);
    complete(settings);
    return settings;
}

std::string problem(std::string_view text) {
    broker_settings settings;
    std::string why;
    CHECK_FALSE(parse_broker_config(text, "b.conf", settings, why));
    return why;
}

}  // namespace

TEST_CASE("broker_config: nothing said is a loopback listener for this machine's anonymous clients") {
    const auto s = parse("# nothing\n\n");
    REQUIRE(s.listeners.size() == 1);
    CHECK(s.listeners[0].url == "mqtt://127.0.0.1:1883");
    CHECK_FALSE(s.options.allow_anonymous_remote);
    CHECK_FALSE(s.wants_accounts());
}

TEST_CASE("broker_config: listeners as mosquitto writes them") {
    const auto s = parse(
        "listener 1884\nlistener 0 127.0.0.1\r\nlistener 1885 ::1\n  listener 0 /run/mqtt.sock\nport "
        "1886\nbind_address 10.0.0.1\n");
    REQUIRE(s.listeners.size() == 5);
    CHECK(s.listeners[0].url == "mqtt://*:1884");
    CHECK(s.listeners[1].url == "mqtt://127.0.0.1:0");
    CHECK(s.listeners[2].url == "mqtt://[::1]:1885");
    CHECK(s.listeners[3].url == "unix:/run/mqtt.sock");
    CHECK(s.listeners[4].url == "mqtt://10.0.0.1:1886");
    CHECK(s.listeners[1].where == "b.conf:2");
}

TEST_CASE("broker_config: anonymous clients are refused as soon as there are users, unless told") {
    CHECK(parse("password_file u").accounts.allow_local_anonymous == false);
    CHECK(parse("acl_file a").accounts.allow_local_anonymous);
    CHECK_FALSE(parse("acl_file a").accounts.allow_anonymous);
    CHECK(parse("password_file u\nallow_anonymous true").accounts.allow_anonymous);
    CHECK(parse("allow_anonymous false").wants_accounts());
    CHECK(parse("allow_anonymous true").options.allow_anonymous_remote);
}

TEST_CASE("broker_config: limits, with mosquitto's 0 for none") {
    const auto s = parse(
        "max_connections 7\nmax_queued_messages 0\nmax_inflight_messages 20\nmax_packet_size 2000\nmax_qos 1\n"
        "max_keepalive 60\nretain_available false\naccept_protocol_versions 4, 5\nsys_interval 1.5\nmemory_limit 1000\n"
        "clientid_prefixes a\nclientid_prefixes b\non_full stop_reading\ndeny_subscribe x/#=0x87\n");
    CHECK(s.options.connections_max == 7);
    CHECK(s.options.queue_count_max == std::numeric_limits<std::size_t>::max());
    CHECK(s.options.inflight_max == 20);
    CHECK(s.options.packet_size_max == 2000);
    CHECK(s.options.maximum_qos == qos::at_least_once);
    CHECK(s.options.keep_alive_max == 60);
    CHECK_FALSE(s.options.retain_available);
    CHECK_FALSE(s.options.protocol_versions.has(protocol_version::v3_1));
    CHECK(s.options.protocol_versions.has(protocol_version::v5));
    CHECK(s.options.sys_interval == std::chrono::milliseconds(1500));
    CHECK(s.options.memory_max == 1000);
    CHECK(s.options.client_id_prefixes == std::vector<std::string>{"a", "b"});
    CHECK(s.options.on_full == full_policy::stop_reading);
    REQUIRE(s.options.deny_subscribe.size() == 1);
    CHECK(s.options.deny_subscribe[0].reason == reason_code::not_authorized);
}

TEST_CASE("broker_config: what is wrong is said with file, line and rule") {
    CHECK(problem("\nfrobnicate true\n") == "b.conf:2: unknown key 'frobnicate'");
    CHECK(problem("max_connections\n") == "b.conf:1: 'max_connections' has no value");
    CHECK(problem("retain_available yes\n") == "b.conf:1: retain_available: 'yes' is not true or false");
    CHECK(problem("max_qos 3") == "b.conf:1: max_qos: '3' is not a whole number from 0 to 2");
    CHECK(problem("max_keepalive -1") == "b.conf:1: max_keepalive: '-1' is not a whole number from 0 to 65535");
    CHECK(problem("listener x") == "b.conf:1: 'x' is not a port");
    CHECK(problem("listener 1 /a") == "b.conf:1: a Unix socket has port 0");
    CHECK(problem("port 1\nper_listener_settings maybe") == "b.conf:2: 'maybe' is not true or false");
    CHECK(problem("listener 1\nper_listener_settings true") ==
          "b.conf:2: per_listener_settings must stand before everything that it is about");
    CHECK(problem("upgrade_outgoing_qos true").starts_with("b.conf:1: upgrade_outgoing_qos: true is not supported: "));
    CHECK(problem("max_inflight_bytes 1000") ==
          "b.conf:1: max_inflight_bytes: '1000' is not a whole number from 0 to 0");
    CHECK(problem("plugin x.so") == "b.conf:1: plugin is not supported: there are no plugins; the library has hooks");
    CHECK(problem("accept_protocol_versions 4,6") ==
          "b.conf:1: accept_protocol_versions: '4,6' is not a list of 3, 4 and 5");
    CHECK(problem("deny_subscribe a=0x10").starts_with("b.conf:1: deny_subscribe: 'a=0x10' is not FILTER or"));
    CHECK(problem("include_dir /no/such/folder") == "b.conf:1: /no/such/folder: No such file or directory");
    broker_settings settings;
    std::string why;
    CHECK_FALSE(read_broker_config("/no/such/file", settings, why));
    CHECK(why == "/no/such/file: No such file or directory");
}

TEST_CASE("broker_config: keys behind a listener are its own") {
    const auto s = parse(
        "listener 8883\ncertfile c.pem\nkeyfile k.pem\ncafile a.pem\nrequire_certificate true\n"
        "use_identity_as_username true\ntls_version tlsv1.3\ncrlfile r.pem\n"
        "listener 9001 127.0.0.1\nprotocol websockets\nwebsockets_origin https://a.example\n"
        "listener 9443 ::1\nprotocol websockets\ncertfile w.pem\ncapath /ca\n"
        "listener 1884\nsocket_domain ipv4\nlistener 1885\nsocket_domain ipv6\nmax_connections 7\n");
    REQUIRE(s.listeners.size() == 5);
    CHECK(s.listeners[0].url == "mqtts://*:8883");
    REQUIRE(s.listeners[0].options);
    const auto& tls = s.listeners[0].options->tls;
    CHECK(tls.certificate_file == "c.pem");
    CHECK(tls.key_file == "k.pem");
    CHECK(tls.ca_file == "a.pem");
    CHECK(tls.crl_file == "r.pem");
    CHECK(tls.client_certificates == client_certificates::require);
    CHECK(tls.version_min == tls_version::v1_3);
    CHECK(s.listeners[0].options->use_identity_as_user_name);
    CHECK(s.listeners[1].url == "ws://127.0.0.1:9001");
    CHECK(s.listeners[1].options->websocket.origins == std::vector<std::string>{"https://a.example"});
    CHECK(s.listeners[2].url == "wss://[::1]:9443");
    CHECK(s.listeners[2].options->tls.ca_path == "/ca");
    CHECK(s.listeners[3].url == "mqtt://0.0.0.0:1884");
    CHECK(s.listeners[4].url == "mqtt://[::]:1885");
    CHECK(s.options.connections_max == 7);
    const auto first = parse("port 8883\ncertfile c.pem\n");
    CHECK(first.listeners[0].url == "mqtts://*:8883");
    CHECK(parse("certfile c.pem\n").listeners[0].url == "mqtts://*:1883");
}

TEST_CASE("broker_config: what is wrong with a listener") {
    CHECK(problem("certfile c\nlistener 1\n") ==
          "b.conf:1: certfile is about a listener, and stands before the first one");
    CHECK(problem("\nlistener 1\nkeyfile k\n") == "b.conf:2: this listener's keyfile needs a certfile");
    CHECK(problem("listener 1\ncertfile c\nrequire_certificate true") ==
          "b.conf:1: this listener's require_certificate needs a cafile or a capath, the authority of the clients");
    CHECK(problem("listener 1\nuse_identity_as_username true") ==
          "b.conf:1: this listener's use_identity_as_username needs require_certificate or psk_hint");
    CHECK(problem("listener 1\nprotocol amqp") == "b.conf:2: protocol: 'amqp' is not mqtt or websockets");
    CHECK(problem("listener 1\ntls_version tlsv1.1") ==
          "b.conf:2: tls_version: 'tlsv1.1' is not tlsv1.2 or tlsv1.3; older versions are broken");
    CHECK(problem("listener 1\npsk_hint h") == "b.conf:1: this listener's psk_hint needs a psk_file");
    CHECK(problem("psk_file /none\nlistener 1\npsk_hint h") == "/none: No such file or directory");
    CHECK(problem("listener 0 /s\ncertfile c") ==
          "b.conf:1: this listener's Unix socket has neither TLS nor WebSocket");
}

TEST_CASE("broker_config: per_listener_settings") {
    const auto s = parse(
        "per_listener_settings true\nlistener 1\npassword_file p\nacl_file a\nlistener 2\nallow_anonymous true\n");
    CHECK(s.per_listener_settings);
    CHECK_FALSE(s.wants_accounts());
    REQUIRE(s.listeners.size() == 2);
    CHECK(s.listeners[0].accounts.password_file == "p");
    CHECK(s.listeners[0].accounts.acl_file == "a");
    CHECK_FALSE(s.listeners[0].allow_anonymous.has_value());
    CHECK(s.listeners[1].allow_anonymous == true);
    CHECK(s.listeners[1].accounts.password_file.empty());
}

TEST_CASE("broker_config: persistence") {
    CHECK(parse("persistence true\npersistence_location /var/lib/x/\n").store_file == "/var/lib/x/martlet.db");
    CHECK(parse("persistence true\npersistence_location /d\npersistence_file f\n").store_file == "/d/f");
    CHECK(parse("persistence false\npersistence_location /d\n").store_file.empty());
}

TEST_CASE("broker_config: bridges as mosquitto writes them") {
    const auto s = parse(
        "connection hub\naddress hub.example:8883 mqtts://b.example\nremote_username joe\nremote_password secret\n"
        "topic pump/# out 2 \"\" site-7/\ntopic set/+ in 1\ntopic both/# both 0 here/ there/\ntopic x\n"
        "bridge_cafile ca.pem\nkeepalive_interval 20\ncleansession false\n"
        "connection other\naddress 10.0.0.1\ntopic #\nremote_clientid me\n");
    REQUIRE(s.bridges.size() == 2);
    const auto& hub = s.bridges[0];
    CHECK(hub.name == "hub");
    CHECK(hub.remote.urls == std::vector<std::string>{"mqtt://hub.example:8883", "mqtts://b.example"});
    CHECK(hub.remote.user_name == "joe");
    CHECK(hub.remote.password == "secret");
    CHECK(hub.remote.tls.ca_file == "ca.pem");
    CHECK(hub.remote.keep_alive == std::chrono::seconds(20));
    REQUIRE(hub.rules.size() == 4);
    CHECK(hub.rules[0].filter == "pump/#");
    CHECK(hub.rules[0].direction == bridge_direction::out);
    CHECK(hub.rules[0].qos == qos::exactly_once);
    CHECK(hub.rules[0].local_prefix.empty());
    CHECK(hub.rules[0].remote_prefix == "site-7/");
    CHECK(hub.rules[1].direction == bridge_direction::in);
    CHECK(hub.rules[2].local_prefix == "here/");
    CHECK(hub.rules[3].direction == bridge_direction::out);
    CHECK(hub.rules[3].qos == qos::at_most_once);
    CHECK(s.bridges[1].remote.client_id == "me");

    CHECK(problem("topic a") == "b.conf:1: topic is about a bridge, and stands before the first `connection`");
    CHECK(problem("connection a\ntopic x") == "b.conf:1: bridge 'a' has no address");
    CHECK(problem("connection a\naddress b") == "b.conf:1: bridge 'a' has no topic");
    CHECK(problem("connection a\ntopic x up") == "b.conf:2: topic: 'up' is not out, in or both");
    CHECK(problem("connection a\ntopic x out 3") == "b.conf:2: topic: '3' is not a QoS: 0, 1 or 2");
    CHECK(problem("connection a\ntopic x/#/y") ==
          "b.conf:2: topic: 'x/#/y' is not a topic filter, or its prefix has a wildcard");
    CHECK(problem("connection a\ncleansession true").starts_with("b.conf:2: cleansession: 'true' is not supported: "));
    CHECK(problem("connection a\naddress x:y").starts_with("b.conf:2: 'x:y': port: "));
}

TEST_CASE("broker_config: every key can be set, and refuses nonsense") {
    for (const config_key& key : broker_config_keys()) {
        CAPTURE(key.name);
        broker_settings settings;
        std::string why;
        if (key.value == "false") {
            CHECK(set_broker_key(key.name, "false", settings, why));
            CHECK_FALSE(set_broker_key(key.name, "true", settings, why));
        } else if (key.value == "true|false" || key.value == "true") {
            CHECK(set_broker_key(key.name, "true", settings, why));
        } else if (key.value == "COUNT" || key.value == "BYTES" || key.value == "SECONDS") {
            CHECK_MESSAGE(set_broker_key(key.name, "5000", settings, why), why);
        } else {
            continue;
        }
        CHECK_FALSE(set_broker_key(key.name, "nonsense", settings, why));
    }
}
