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
    CHECK(problem("per_listener_settings true").starts_with("b.conf:1: per_listener_settings true is not supported"));
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

TEST_CASE("broker_config: every key can be set, and refuses nonsense") {
    for (const config_key& key : broker_config_keys()) {
        CAPTURE(key.name);
        broker_settings settings;
        std::string why;
        if (key.value == "true|false" || key.value == "true") {
            CHECK(set_broker_key(key.name, "true", settings, why));
        } else if (key.value == "COUNT" || key.value == "BYTES" || key.value == "SECONDS") {
            CHECK_MESSAGE(set_broker_key(key.name, "5000", settings, why), why);
        } else {
            continue;
        }
        CHECK_FALSE(set_broker_key(key.name, "nonsense", settings, why));
    }
}
