// Listeners, their TLS, users and bridges as a configuration file gives them: `martlet broker -c` as a program.
#include "e2e/cli_process.hpp"
#include "e2e/cli_tools.hpp"
#include "support/temporary_folder.hpp"

#include <martlet/tls.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <string>
#include <vector>

using namespace martlet::test;

namespace {

const std::string tool = MARTLET_TOOL;

/// The ports in {"port":…,"listeners":["mqtt://127.0.0.1:4711",…]}, in their order.
std::vector<std::string> ports_in(const std::string& line) {
    std::vector<std::string> all;
    for (std::size_t at = line.find("\"listeners\""); (at = line.find("127.0.0.1:", at)) != std::string::npos;) {
        at += 10;
        all.push_back(line.substr(at, line.find_first_not_of("0123456789", at) - at));
    }
    return all;
}

struct running_broker {
    explicit running_broker(const std::string& file) : program({tool, "broker", "-c", file, "--json-ready"}) {
        ports = ports_in(program.out().line());
    }
    process program;
    std::vector<std::string> ports;
};

int publish(const std::string& port, const strings& more) {
    return run(strings{tool, "pub", "-h", "127.0.0.1", "-p", port, "-m", "x", "-q", "1"} + more).status;
}

}  // namespace

#if MARTLET_TEST_TRANSPORTS
TEST_CASE("broker -c: TLS, client certificates and pre-shared keys, each on its listener") {
    const temporary_folder folder;
    const auto made = martlet::make_test_certificates().value();
    folder.write("ca.pem", made.ca_certificate, 0644);
    folder.write("server.pem", made.server_certificate, 0644);
    folder.write("server.key", made.server_key, 0600);
    folder.write("client.pem", made.client_certificate, 0644);
    folder.write("client.key", made.client_key, 0600);
    folder.write("psk", "# keys\nann:0a0b0c0d\n", 0600);
    folder.write("acl", "user client\ntopic by/certificate\nuser ann\ntopic by/key\n", 0644);
    const std::string certificate =
        "certfile " + folder.path("server.pem") + "\nkeyfile " + folder.path("server.key") + "\n";
    const std::string client_ca = "cafile " + folder.path("ca.pem") + "\nrequire_certificate true\n";
    const std::string rights = "acl_file " + folder.path("acl") + "\n";
    folder.write("b.conf", "per_listener_settings true\nlistener 0 127.0.0.1\n" + certificate +
                               "tls_version tlsv1.2\nlistener 0 127.0.0.1\n" + certificate + client_ca + rights +
                               "use_identity_as_username true\nlistener 0 127.0.0.1\npsk_hint hint\npsk_file " +
                               folder.path("psk") + "\nuse_identity_as_username true\n" + rights);
    running_broker b(folder.path("b.conf"));
    REQUIRE(b.ports.size() == 3);
    const strings trust = {"--cafile", folder.path("ca.pem")};
    const strings me = {"--cert", folder.path("client.pem"), "--key", folder.path("client.key")};
    CHECK(publish(b.ports[0], trust + strings{"-t", "a"}) == 0);
    CHECK(publish(b.ports[0], {"-t", "a", "--insecure"}) != 0);  // no TLS
    CHECK(publish(b.ports[1], trust + strings{"-t", "by/certificate"}) != 0);
    CHECK(publish(b.ports[1], trust + me + strings{"-t", "by/certificate"}) == 0);
    CHECK(publish(b.ports[1], trust + me + strings{"-V", "5", "-t", "by/key"}) != 0);
    CHECK(publish(b.ports[2], {"--psk", "0a0b0c0d", "--psk-identity", "ann", "-t", "by/key"}) == 0);
    CHECK(publish(b.ports[2], {"--psk", "0a0b0c0e", "--psk-identity", "ann", "-t", "by/key"}) != 0);

    // A new key, by SIGHUP.
    folder.write("psk", "ann:0a0b0c0e\n", 0600);
    b.program.signal(SIGHUP);
    CHECK(b.program.err().line_with("reloaded") != "");
    CHECK(publish(b.ports[2], {"--psk", "0a0b0c0d", "--psk-identity", "ann", "-t", "by/key"}) != 0);
    CHECK(publish(b.ports[2], {"--psk", "0a0b0c0e", "--psk-identity", "ann", "-t", "by/key"}) == 0);
    b.program.signal(SIGTERM);
    CHECK(b.program.wait() == 0);
}

TEST_CASE("broker -c: WebSocket, plain and with TLS, and a certificate that is exchanged while it runs") {
    const temporary_folder folder;
    const auto old = martlet::make_test_certificates().value();
    folder.write("old.pem", old.ca_certificate, 0644);
    folder.write("server.pem", old.server_certificate, 0644);
    folder.write("server.key", old.server_key, 0600);
    folder.write("b.conf",
                 "listener 0 127.0.0.1\nprotocol websockets\nlistener 0 127.0.0.1\nprotocol websockets\ncertfile " +
                     folder.path("server.pem") + "\nkeyfile " + folder.path("server.key") + "\n");
    running_broker b(folder.path("b.conf"));
    REQUIRE(b.ports.size() == 2);
    CHECK(publish(b.ports[0], {"--ws", "-t", "a"}) == 0);
    CHECK(publish(b.ports[1], {"--ws", "-t", "a", "--cafile", folder.path("old.pem")}) == 0);

    const auto fresh = martlet::make_test_certificates().value();
    folder.write("new.pem", fresh.ca_certificate, 0644);
    folder.write("server.pem", fresh.server_certificate, 0644);
    b.program.signal(SIGHUP);  // the key does not fit yet
    CHECK(b.program.err().line_with("not reloaded") != "");
    CHECK(publish(b.ports[1], {"--ws", "-t", "a", "--cafile", folder.path("old.pem")}) == 0);
    folder.write("server.key", fresh.server_key, 0600);
    b.program.signal(SIGHUP);
    CHECK(b.program.err().line_with("Configuration reloaded") != "");
    CHECK(publish(b.ports[1], {"--ws", "-t", "a", "--cafile", folder.path("new.pem")}) == 0);
    CHECK(publish(b.ports[1], {"--ws", "-t", "a", "--cafile", folder.path("old.pem")}) != 0);
}
#endif

TEST_CASE("broker -c: per_listener_settings: each listener has its users and rights") {
    const temporary_folder folder;
    for (const char* const who : {"joe", "ann"}) {
        REQUIRE(run({tool, "passwd", "-c", "-b", "-H", "sha512-pbkdf2", folder.path(who), who, "secret"}).status == 0);
    }
    folder.write("acl", "user ann\ntopic a/#\n", 0644);
    folder.write("b.conf", "per_listener_settings true\nlistener 0 127.0.0.1\npassword_file " + folder.path("joe") +
                               "\nlistener 0 127.0.0.1\npassword_file " + folder.path("ann") + "\nacl_file " +
                               folder.path("acl") + "\nlistener 0 127.0.0.1\nallow_anonymous true\n");
    running_broker b(folder.path("b.conf"));
    REQUIRE(b.ports.size() == 3);
    const strings joe = {"-u", "joe", "-P", "secret"};
    const strings ann = {"-u", "ann", "-P", "secret"};
    CHECK(publish(b.ports[0], joe + strings{"-t", "b"}) == 0);
    CHECK(publish(b.ports[0], ann + strings{"-t", "a/b"}) != 0);
    CHECK(publish(b.ports[1], ann + strings{"-t", "a/b"}) == 0);
    CHECK(publish(b.ports[1], ann + strings{"-V", "5", "-t", "b"}) != 0);
    CHECK(publish(b.ports[1], joe + strings{"-t", "a/b"}) != 0);
    CHECK(publish(b.ports[1], {"-t", "a/b"}) != 0);
    CHECK(publish(b.ports[2], {"-t", "b"}) == 0);

    const run_result mixed = run({tool, "broker", "-c", folder.path("b.conf"), "-p", "0", "--test-config"});
    CHECK(mixed.status == 1);
    CHECK(
        mixed.err.find("with per_listener_settings listeners, users and rights stand in the configuration file only") !=
        std::string::npos);
}

TEST_CASE("broker -c: a bridge carries messages both ways, past the users of its own broker") {
    const temporary_folder folder;
    our_broker hub;
    REQUIRE(run({tool, "passwd", "-c", "-b", "-H", "sha512-pbkdf2", folder.path("users"), "joe", "secret"}).status ==
            0);
    folder.write("acl", "user joe\ntopic #\n", 0644);
    folder.write("b.conf", "listener 0 127.0.0.1\npassword_file " + folder.path("users") + "\nacl_file " +
                               folder.path("acl") + "\nconnection hub\naddress 127.0.0.1:" + hub.port() +
                               "\ntopic up/# out 2 \"\" site/\ntopic down/# in 1\n");
    running_broker b(folder.path("b.conf"));
    REQUIRE(b.ports.size() == 1);
    const strings joe = {"-u", "joe", "-P", "secret"};
    // retained at either end: it comes by the bridge whenever that is there
    CHECK(publish(b.ports[0], joe + strings{"-t", "up/state", "-r"}) == 0);
    CHECK(publish(hub.port(), {"-t", "down/set", "-r"}) == 0);
    const run_result up = run(our_sub(hub.port()) + strings{"-t", "site/up/#", "-v", "-C", "1", "-q", "2"});
    CHECK(up.out == "site/up/state x\n");
    const run_result down = run(our_sub(b.ports[0]) + joe + strings{"-t", "down/#", "-v", "-C", "1", "-q", "2"});
    CHECK(down.out == "down/set x\n");
    CHECK(publish(b.ports[0], {"-t", "up/state"}) != 0);  // others still need a password
    b.program.signal(SIGTERM);
    CHECK(b.program.wait() == 0);
}

TEST_CASE("broker: --bridge and --bridge-topic say the same in flags") {
    our_broker hub;
    our_broker site({"--bridge", "127.0.0.1:" + hub.port(), "--bridge-topic", "up/# out 1"});
    CHECK(publish(site.port(), {"-t", "up/state", "-r"}) == 0);
    CHECK(run(our_sub(hub.port()) + strings{"-t", "up/#", "-v", "-C", "1"}).out == "up/state x\n");
    CHECK(run({tool, "broker", "--bridge-topic", "a"}).err.starts_with("Error: --bridge-topic: there is no --bridge"));
    CHECK(run({tool, "broker", "--bridge", "a:1", "--test-config"}).err ==
          "Error: --bridge: bridge 'bridge-1' has no topic\n");
}
