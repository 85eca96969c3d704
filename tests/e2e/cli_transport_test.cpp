// The tools over TLS and WebSocket: certificates made on the spot, Mosquitto's clients beside ours, and SIGHUP.
#include "e2e/cli_peers.hpp"
#include "e2e/cli_tools.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <string>

using namespace martlet::test;

namespace {

// `martlet broker` on one more port of its own for each scheme.
struct secure_broker {
    explicit secure_broker(const scratch_folder& folder, const strings& more = {})
        : certificates(folder.path("tls")),
          broker(strings{"--listen", "mqtts://127.0.0.1:0", "--listen", "wss://127.0.0.1:0", "--listen",
                         "ws://127.0.0.1:0", "--tls-auto", certificates} +
                 more) {
        for (std::string* const port : {&mqtts, &wss, &ws}) {
            const std::string line = broker.program().out().line();
            REQUIRE(line.starts_with("listening on 127.0.0.1:"));
            *port = line.substr(line.rfind(':') + 1);
        }
    }
    [[nodiscard]] strings trust() const { return {"--cafile", certificates + "/ca.crt"}; }
    [[nodiscard]] strings client() const {
        return {"--cert", certificates + "/client.crt", "--key", certificates + "/client.key"};
    }

    std::string certificates;
    our_broker broker;
    std::string mqtts;
    std::string wss;
    std::string ws;
};

strings publish(const std::string& text) { return {"-t", "t", "-m", text, "-q", "1", "-r"}; }
const strings receive = {"-t", "t", "-C", "1"};

}  // namespace

TEST_CASE("tools over TLS and WebSocket: what one publishes the other receives") {
    const scratch_folder folder;
    const secure_broker at(folder);
    struct way {
        std::string port;
        strings words;
    };
    const way ways[] = {{at.broker.port(), {}},
                        {at.mqtts, at.trust()},
                        {at.ws, {"--ws"}},
                        {at.wss, strings{"--ws", "--path", "/any"} + at.trust()}};
    for (const way& from : ways) {
        for (const way& to : ways) {
            const std::string text = from.port + " to " + to.port;
            const run_result sent = run(our_pub(from.port) + from.words + publish(text));
            CHECK_MESSAGE(sent.status == 0, sent.err);
            CHECK(run(our_sub(to.port) + to.words + receive).out == text + "\n");
        }
    }
}

TEST_CASE("tools over TLS: Mosquitto's clients trust the same authority") {
    const std::string mosquitto_pub = find_program("mosquitto_pub");
    const std::string mosquitto_sub = find_program("mosquitto_sub");
    if (mosquitto_pub.empty() || mosquitto_sub.empty()) {
        MESSAGE("mosquitto-clients are missing; left out");
        return;
    }
    const scratch_folder folder;
    secure_broker at(folder, {"--require-certificate"});
    const strings words = strings{"-h", "localhost", "-p", at.mqtts} + at.trust() + at.client();
    CHECK(run(strings{mosquitto_pub} + words + publish("from mosquitto")).status == 0);
    CHECK(run(our_sub(at.mqtts) + at.trust() + at.client() + receive).out == "from mosquitto\n");
    CHECK(run(our_pub(at.mqtts) + at.trust() + at.client() + publish("from us")).status == 0);
    CHECK(run(strings{mosquitto_sub} + words + receive).out == "from us\n");

    const run_result without = run(our_pub(at.mqtts) + at.trust() + publish("x"));
    CHECK(without.status != 0);
    CHECK(without.err.find("the server wants a client certificate, and there is none") != std::string::npos);
    const std::string told = at.broker.program().err().line_with("peer did not return a certificate");
    CHECK_MESSAGE(told.find("Connection from 127.0.0.1:") != std::string::npos, told);

    // Both in one file.
    const std::string both = folder.file(
        "both.pem", contents_of(at.certificates + "/client.crt") + contents_of(at.certificates + "/client.key"));
    CHECK(run(our_pub(at.mqtts) + at.trust() + strings{"--cert", both} + publish("in one file")).status == 0);
}

TEST_CASE("broker --tls-auto: what is good stays, what is not ours is left alone") {
    const scratch_folder folder;
    const std::string certificates = folder.path("tls");
    const auto told_at_start = [&] {
        our_broker broker({"--listen", "mqtts://127.0.0.1:0", "--tls-auto", certificates});
        return broker.program().err().line();
    };
    const std::string names = certificates + "/ca.crt, server.crt, server.key, client.crt, client.key";
    CHECK(told_at_start() == "made " + names);
    const std::string made = contents_of(certificates + "/client.crt");
    CHECK(told_at_start() == "using " + names);
    CHECK(contents_of(certificates + "/client.crt") == made);

    static_cast<void>(folder.file("tls/client.key", "somebody's"));
    const run_result refused =
        run({martlet_tool(), "broker", "--listen", "mqtts://127.0.0.1:0", "--tls-auto", certificates});
    CHECK(refused.status == 1);
    CHECK(refused.err == "Error: --tls-auto: what is in " + certificates +
                             " stays as it is, but cannot be used: the client's key cannot be read; remove ca.crt, "
                             "server.* and client.* to have new ones made\n");
    CHECK(contents_of(certificates + "/client.key") == "somebody's");
}

TEST_CASE("tools over TLS: who is not trusted is named, and --insecure is what it takes to go on") {
    const scratch_folder folder;
    const secure_broker at(folder);
    const run_result stranger = run(our_pub(at.mqtts) + strings{"--tls-use-os-certs"} + publish("x"));
    CHECK(stranger.status == 1);
    CHECK_MESSAGE(
        stranger.err.find("was issued by CN=Martlet test authority, which is not trusted") != std::string::npos,
        stranger.err);
    CHECK(run(our_pub(at.mqtts) + strings{"--tls-use-os-certs", "--insecure"} + publish("x")).status == 0);

    const run_result plain = run(our_pub(at.mqtts) + publish("x"));
    CHECK(plain.status != 0);
}

TEST_CASE("tools over TLS: at SIGHUP the broker reads its certificates again") {
    const scratch_folder folder;
    const secure_broker other(folder);
    const std::string certificate = folder.file("cert.pem", contents_of(other.certificates + "/server.crt"));
    const std::string key = folder.file("key.pem", contents_of(other.certificates + "/server.key"));
    our_broker broker({"--listen", "mqtts://127.0.0.1:0", "--certfile", certificate, "--keyfile", key});
    const std::string line = broker.program().out().line();
    const std::string port = line.substr(line.rfind(':') + 1);
    CHECK(run(our_pub(port) + other.trust() + publish("x")).status == 0);

    static_cast<void>(folder.file("cert.pem", "not a certificate"));
    broker.program().signal(SIGHUP);
    const std::string complaint = broker.program().err().line();
    CHECK_MESSAGE(complaint.find("holds no certificate") != std::string::npos, complaint);
    CHECK(run(our_pub(port) + other.trust() + publish("x")).status == 0);
}
