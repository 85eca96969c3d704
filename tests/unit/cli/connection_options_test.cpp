#include "connection_options.hpp"

#include "words.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <string>
#include <unistd.h>

using namespace martlet;
using namespace martlet::cli;
using martlet::test::words;

namespace {

struct reading {
    connection_settings settings;
    std::string error;
};

reading read(const words& w, profile p = profile::native, command c = command::pub) {
    reading r{default_settings(p), {}};
    command_line in(w.argv(), c, p);
    while (const option* const row = in.next())
        CHECK(read_connection_option(*row, in, r.settings));
    finish_connection_options(in, r.settings);
    r.error = in.error();
    return r;
}

client_options client_of(const words& w, profile p = profile::native) { return to_client_options(read(w, p).settings); }

std::string url_of(const words& w) { return client_of(w).urls.at(0); }

}  // namespace

TEST_CASE("connection: host, port and Unix socket become a URL") {
    CHECK(url_of({}) == "mqtt://localhost:1883");
    CHECK(url_of({"-h", "a.example", "-p", "1"}) == "mqtt://a.example:1");
    CHECK(url_of({"-h", "::1"}) == "mqtt://[::1]:1883");
    CHECK(url_of({"-h", "a b"}) == "mqtt://a%20b:1883");
    CHECK(url_of({"--unix", "/run/a b%.sock"}) == "unix:/run/a%20b%25.sock");
    CHECK(url_of({"--unix", "/run/x", "-h", "later"}) == "mqtt://later:1883");
}

TEST_CASE("connection: -L takes user, host, port and topic apart") {
    const reading r = read({"-L", "MQTT://joe:s:e@host:2/a/b?c#d"});
    CHECK(r.error.empty());
    CHECK(r.settings.user_name == "joe");
    CHECK(r.settings.password == "s:e");
    CHECK(r.settings.host == "host");
    CHECK(r.settings.port == 2);
    CHECK(r.settings.url_topic == "a/b?c#d");

    CHECK(read({"-L", "mqtt://host/t"}).settings.port == 1883);
    CHECK(read({"-L", "mqtt://[::1]:5/t"}).settings.host == "::1");
    CHECK(read({"-L", "mqtt://[::1]:5/t"}).settings.port == 5);
    CHECK_FALSE(read({"-L", "mqtt://joe@host/t"}).settings.password);

    CHECK(read({"-L", "http://x/t"}, profile::mosquitto).error == "unsupported URL scheme.\n");
    CHECK(read({"-L", "mqtt://x"}).error == "");  // the topic may come from -t
    CHECK(read({"-L", "mqtt://x:0/t"}).error == "Invalid port given: 0");
    CHECK(read({"-L", "mqtt://[::1/t"}).error == "Invalid URL for -L argument specified - ']' missing.");
    CHECK(read({"-L", "ws://x/t"}, profile::mosquitto).error == "unsupported URL scheme.\n");
}

TEST_CASE("connection: the password of a URL is overwritten where it stood") {
    const words w{"-L", "mqtt://joe:secret@host/topic"};
    CHECK(read(w).settings.password == "secret");
    CHECK(w[1] == "mqtt://joe:xxxxxx@host/topic");
}

TEST_CASE("connection: versions, and what switches to 5") {
    CHECK_FALSE(read({}).settings.version);
    CHECK(read({}, profile::mosquitto).settings.version == protocol_version::v3_1_1);
    CHECK(read({"-V", "31"}).settings.version == protocol_version::v3_1);
    CHECK(read({"-V", "mqttv311"}).settings.version == protocol_version::v3_1_1);
    CHECK(read({"-V", "5"}).settings.version == protocol_version::v5);
    CHECK(read({"-x", "10"}, profile::mosquitto).settings.version == protocol_version::v5);
    CHECK(read({"-D", "publish", "content-type", "x"}, profile::mosquitto).settings.version == protocol_version::v5);
    CHECK(read({"-V", "3"}).error == "Invalid protocol version argument given.");
    CHECK(read({"-D", "publish", "content-type", "x", "-V", "311"}).error ==
          "--property needs MQTT 5, but -V asks for an older one.");
}

TEST_CASE("connection: session and expiry") {
    CHECK(client_of({}).session == session_mode::fresh);
    CHECK_FALSE(client_of({}).session_expiry);
    CHECK(client_of({"-c", "-i", "me"}).session == session_mode::resume);
    CHECK(client_of({"-c", "-i", "me"}).session_expiry == std::chrono::seconds(0xFFFFFFFF));
    CHECK(client_of({"-x", "0x10"}).session_expiry == std::chrono::seconds(16));
    CHECK(client_of({"-x", "-1", "-i", "me"}).session_expiry == std::chrono::seconds(0xFFFFFFFF));
    CHECK(client_of({"-x", "∞", "-i", "me"}).session_expiry == std::chrono::seconds(0xFFFFFFFF));

    CHECK(read({"-x", "abc"}).error == "session-expiry-interval not a number.");
    CHECK(read({"-x", ""}).error == "session-expiry-interval not a number.");
    CHECK(read({"-x", "4294967296"}).error == "session-expiry-interval out of range.");
    CHECK(read({"-x", "-2"}).error == "session-expiry-interval out of range.");
    CHECK(read({"-c"}).error == "You must provide a client id if you are using the -c option.");
    CHECK(read({"-c"}, profile::mosquitto).error == "You must provide a client id if you are using the -c option.");
    CHECK(read({"-x", "-1"}).error ==
          "You must provide a client id if you are using an infinite session expiry interval.");
}

TEST_CASE("connection: client identifiers") {
    CHECK(client_of({"-i", "me"}).client_id == "me");
    CHECK(client_of({"-I", "pre-"}).client_id == "pre-" + std::to_string(::getpid()));
    CHECK(client_of({}).client_id.empty());
    CHECK(read({"-i", "a", "-I", "b"}).error == "-i and -I argument cannot be used together.");
    CHECK(read({"-I", "a", "-i", "b"}).error == "-i and -I argument cannot be used together.");
}

TEST_CASE("connection: MQTT 3.1 gets an identifier, since it needs one") {
    const std::string id = client_of({"-V", "31"}).client_id;
    CHECK(id.starts_with("martlet-"));
    CHECK(id.size() == 23);
    CHECK(id != client_of({"-V", "31"}).client_id);
}

TEST_CASE("connection: what older versions lack is not left out silently") {
    CHECK(read({"-x", "5", "-V", "311"}).error == "-x needs MQTT 5, but -V asks for an older one.");
    CHECK(read({"-P", "secret", "-V", "311"}).error == "A password (-P) needs a user name (-u) before MQTT 5.");
    CHECK(read({"-P", "secret"}).error.empty());
}

TEST_CASE("connection: numbers out of range") {
    CHECK(read({"-h", ""}).error == "Invalid host given: it must not be empty.");
    CHECK(read({"-u", "\xff"}).error == "Malformed UTF-8 in -u argument.");
    CHECK(read({"-i", "\xff"}).error == "Malformed UTF-8 in -i argument.");
    CHECK(read({"-p", "0"}).error == "Invalid port given: 0");
    CHECK(read({"-k", "4"}).error == "Invalid keepalive given, it must be between 5 and 65535 inclusive.");
    CHECK(read({"-k", "65536"}).error == "Invalid keepalive given, it must be between 5 and 65535 inclusive.");
    CHECK(read({"-M", "0"}).error == "Maximum inflight messages must be greater than 0.");
    CHECK(client_of({"-M", "70000"}).inflight_max == 65'535);
    CHECK(read({"--connect-timeout", "0"}).error == "Invalid connect timeout \"0\".");
    CHECK(client_of({"--connect-timeout", "0.25"}).connect_timeout == std::chrono::milliseconds(250));
}

TEST_CASE(
    "connection: 1,000 messages are in flight, before MQTT 5 at most 20 messages are in flight unless -M says "
    "otherwise") {
    CHECK(client_of({}).inflight_max == 1'000);
    CHECK(client_of({"-V", "311"}).inflight_max == 20);
    CHECK(client_of({"-V", "311", "-M", "1000"}).inflight_max == 1'000);
}

TEST_CASE("connection: wills") {
    const client_options o = client_of({"--will-topic", "t", "--will-payload", "p", "--will-qos", "2", "--will-retain",
                                        "-D", "will", "will-delay-interval", "3"});
    REQUIRE(o.will);
    CHECK(o.will->topic == "t");
    CHECK(o.will->payload == "p");
    CHECK(o.will->qos == qos::exactly_once);
    CHECK(o.will->retain);
    CHECK(o.will->delay == std::chrono::seconds(3));

    CHECK(read({"--will-payload", "p"}).error == "Will payload given, but no will topic given.");
    CHECK(read({"--will-retain"}).error == "Will retain given, but no will topic given.");
    CHECK(read({"--will-qos", "3"}).error == "Invalid will QoS 3.");
    CHECK(read({"--will-topic", "a/#"}).error == "Invalid will topic 'a/#', does it contain '+' or '#'?");
}

TEST_CASE("connection: port 8883 means TLS, which must not be left out silently") {
    CHECK(url_of({"-p", "8883"}) == "mqtts://localhost:8883");
    CHECK(url_of({"-p", "8883", "--no-tls"}) == "mqtt://localhost:8883");
    CHECK(url_of({"-p", "8883", "--unix", "/x"}) == "unix:/x");
}

TEST_CASE("connection: what names an authority or a key switches TLS on") {
    CHECK(url_of({"--cafile", "f"}) == "mqtts://localhost:8883");
    CHECK(url_of({"--capath", "d", "-p", "1"}) == "mqtts://localhost:1");
    CHECK(url_of({"--tls-use-os-certs"}) == "mqtts://localhost:8883");
    CHECK(url_of({"-L", "MQTTS://h/t"}) == "mqtts://h:8883");
    CHECK(read({"-L", "mqtts://h/t"}).settings.url_topic == "t");

    const client_options o = client_of({"--cafile", "ca", "--cert", "c", "--key", "k", "--ciphers", "A",
                                        "--tls-version", "tlsv1.3", "--tls-alpn", "mqtt", "--crlfile", "l"});
    CHECK(o.tls.ca_file == "ca");
    CHECK(o.tls.certificate_file == "c");
    CHECK(o.tls.key_file == "k");
    CHECK(o.tls.crl_file == "l");
    CHECK(o.tls.ciphers == "A");
    CHECK(o.tls.version_min == tls_version::v1_3);
    CHECK(o.tls.alpn == std::vector<std::string>{"mqtt"});
    CHECK(o.tls.verify == tls_verification::full);

    const client_options psk = client_of({"--psk", "00fF", "--psk-identity", "me"});
    CHECK(psk.urls.at(0) == "mqtts://localhost:8883");
    CHECK(psk.tls.psk == std::string("\0\xff", 2));
    CHECK(psk.tls.psk_identity == "me");
}

TEST_CASE("connection: insecure means in each profile what it says there") {
    CHECK(client_of({"--cafile", "f", "--insecure"}).tls.verify == tls_verification::insecure_none);
    CHECK(client_of({"--cafile", "f", "--insecure"}, profile::mosquitto).tls.verify ==
          tls_verification::insecure_any_host_name);
}

TEST_CASE("connection: contradictions of TLS, WebSocket and proxies") {
    const auto* const both_wanted = "Both certfile and keyfile must be provided if one of them is set.";
    CHECK(read({"--key", "f", "--cafile", "c"}).error == both_wanted);
    CHECK(read({"--cert", "f", "--cafile", "c"}, profile::mosquitto).error == both_wanted);
    CHECK(read({"--cert", "f", "--cafile", "c"}).error.empty());  // the key is in the same file
    CHECK(read({"--psk", "00", "--psk-identity", "i", "--cafile", "c"}).error ==
          "Only one of --psk or --cafile/--capath may be used at once.");
    CHECK(read({"--psk", "00"}).error == "--psk-identity required if --psk used.");
    CHECK(read({"--psk", "0"}).error == "--psk wants an even number of hexadecimal digits.");
    CHECK(read({"--psk", "0x"}).error == "--psk wants an even number of hexadecimal digits.");
    CHECK(read({"--tls-version", "tlsv1.1"}).error == "Invalid --tls-version 'tlsv1.1': it is tlsv1.2 or tlsv1.3.");
    CHECK(read({"--keyform", "engine"}).error == "--keyform engine is not supported: only pem is.");
    CHECK(read({"--cafile", "c", "--no-tls"}).error == "--no-tls contradicts an option that switches TLS on.");
    CHECK(
        read({"--insecure"}).error ==
        "--cert, --insecure and the like are about TLS, which is not switched on: --cafile FILE, --tls-use-os-certs or "
        "--url mqtts://HOST does it.");
    CHECK(read({"--path", "/x"}).error == "--path and --header are of use with --ws only.");
    CHECK(read({"--ws", "--path", "x"}).error == "--path begins with '/'.");
    CHECK(read({"--ws", "--header", "x"}).error == "--header wants 'Name: value'.");
}

TEST_CASE("connection: WebSocket and proxies") {
    CHECK(url_of({"--ws"}) == "ws://localhost:80");
    CHECK(url_of({"--ws", "--path", "/broker", "-p", "8080"}) == "ws://localhost:8080/broker");
    CHECK(url_of({"--ws", "--tls-use-os-certs"}) == "wss://localhost:443");
    CHECK(url_of({"-L", "ws://h:9001/topic"}) == "ws://h:9001");
    CHECK(client_of({"--ws", "--header", "X-Key: a: b"}).websocket.headers ==
          std::vector<std::pair<std::string, std::string>>{{"X-Key", "a: b"}});
    CHECK(client_of({"--proxy", "socks5h://p"}).proxy == "socks5h://p");
    CHECK(client_of({"-h", "a", "--failover", "mqtt://b", "--failover", "mqtts://c:1"}).urls ==
          std::vector<std::string>{"mqtt://a:1883", "mqtt://b", "mqtts://c:1"});
    CHECK(read({"--failover", "b:1883"}).error.starts_with("Invalid --failover 'b:1883': "));
}

TEST_CASE("connection: topics and filters of the command line") {
    const words none{};
    command_line in(none.argv(), command::pub, profile::mosquitto);
    CHECK(check_topic_name(in, "a/b", "publish", "-t"));
    CHECK_FALSE(check_topic_name(in, "a/+", "publish", "-t"));
    CHECK(in.error() == "Invalid publish topic 'a/+', does it contain '+' or '#'?");

    command_line other(none.argv(), command::sub, profile::mosquitto);
    CHECK(check_topic_filter(other, "a/+/#", "subscription", "-t"));
    CHECK_FALSE(check_topic_filter(other, "++", "subscription", "-t"));
    CHECK(other.error() == "Invalid subscription topic '++', are all '+' and '#' wildcards correct?");

    command_line third(none.argv(), command::sub, profile::mosquitto);
    CHECK_FALSE(check_topic_filter(third, "\xc0\x80", "subscription", "-t"));
    CHECK(third.error() == "Malformed UTF-8 in -t argument.\n");
}
