// `martlet broker` and `martlet passwd` as programs: accounts, configuration files, reloading, and how they end.
#include "e2e/cli_process.hpp"
#include "e2e/cli_tools.hpp"
#include "support/temporary_folder.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <string>
#include <sys/stat.h>

using namespace martlet::test;

namespace {

const std::string tool = MARTLET_TOOL;

/// The port in {"port":N,...}.
std::string port_in(const std::string& line) {
    const std::size_t at = line.find("\"port\":") + 7;
    return line.substr(at, line.find_first_not_of("0123456789", at) - at);
}

int publish(const std::string& port, const strings& more) {
    strings all = {tool, "pub", "-p", port, "-m", "x", "-q", "1"};
    all.insert(all.end(), more.begin(), more.end());
    return run(all).status;
}

}  // namespace

TEST_CASE("passwd: mosquitto_passwd's flags, a file for its owner only, and one line when something is wrong") {
    const temporary_folder folder;
    const std::string file = folder.path("users");
    CHECK(run({tool, "passwd", "-c", "-b", "-H", "sha512-pbkdf2", file, "joe", "secret"}).status == 0);
    struct stat about {};
    REQUIRE(::stat(file.c_str(), &about) == 0);
    CHECK((about.st_mode & 0777) == 0600);
    CHECK(run({tool, "passwd", file, "ann"}, "pencil\n").status == 0);
    CHECK(folder.read("users").find("ann:$argon2id$") == 0);
    CHECK(folder.read("users").find("joe:$7$") != std::string::npos);
    CHECK(run({tool, "passwd", "-D", file, "joe"}).status == 0);
    CHECK(folder.read("users").find("joe") == std::string::npos);

    const auto missing = run({tool, "passwd", "-D", file, "joe"});
    CHECK(missing.status == 1);
    CHECK(missing.err == "Error: User 'joe' is not in " + file + ".\n");
    CHECK(run({tool, "passwd", folder.path("none"), "joe"}, "x\n").err ==
          "Error: " + folder.path("none") + ": No such file or directory; -c makes a new file.\n");
    CHECK(run({tool, "passwd", file, "joe"}, "\n").err == "Error: The password is empty.\n");
    CHECK(run({tool, "passwd", "-H", "md5", file, "joe"}, "x\n").status == 1);
    CHECK(run({tool, "passwd", file}).err.find("The user name is missing.") != std::string::npos);
}

TEST_CASE("broker: users, rights, and a reload that is all or nothing") {
    const temporary_folder folder;
    folder.write("acl", "user joe\ntopic a/#\n", 0644);
    REQUIRE(run({tool, "passwd", "-c", "-b", "-H", "sha512-pbkdf2", folder.path("users"), "joe", "secret"}).status ==
            0);
    folder.write("b.conf", "listener 0 127.0.0.1\npassword_file " + folder.path("users") + "\nacl_file " +
                               folder.path("acl") + "\n");
    process broker({tool, "broker", "-c", folder.path("b.conf"), "--json-ready"});
    const std::string port = port_in(broker.out().line());
    const strings joe = {"-u", "joe", "-P", "secret"};
    const auto with = [&](strings more) {
        more.insert(more.end(), joe.begin(), joe.end());
        return more;
    };

    CHECK(publish(port, with({"-t", "a/b"})) == 0);
    CHECK(publish(port, with({"-t", "b"})) == 0x87);
    CHECK(publish(port, {"-t", "a/b", "-u", "joe", "-P", "wrong"}) == 0x86);
    CHECK(publish(port, {"-t", "a/b"}) == 0x87);

    folder.write("acl", "user joe\ntopic b\nnonsense\n", 0644);
    broker.signal(SIGHUP);
    CHECK(broker.err().line_with("reloaded").find("acl:3: 'nonsense' has no value") != std::string::npos);
    CHECK(publish(port, with({"-t", "a/b"})) == 0);

    folder.write("acl", "user joe\ntopic b\n", 0644);
    broker.signal(SIGHUP);
    CHECK(broker.err().line_with("reloaded").find("Configuration reloaded.") != std::string::npos);
    CHECK(publish(port, with({"-t", "a/b"})) == 0x87);
    CHECK(publish(port, with({"-t", "b"})) == 0);
    broker.signal(SIGTERM);
    CHECK(broker.wait() == 0);
}

TEST_CASE("broker: a wrong configuration is one line and exit code 1, a right one can be tested") {
    const temporary_folder folder;
    folder.write("b.conf", "listener 0\nmax_qos 3\n");
    const auto wrong = run({tool, "broker", "-c", folder.path("b.conf")});
    CHECK(wrong.status == 1);
    CHECK(wrong.err == "Error: " + folder.path("b.conf") + ":2: max_qos: '3' is not a whole number from 0 to 2\n");
    folder.write("b.conf", "listener 0\nmax_qos 2\n");
    CHECK(run({tool, "broker", "-c", folder.path("b.conf"), "--test-config"}).out == "The configuration is right.\n");
    folder.write("b.conf", "password_file " + folder.path("none") + "\n");
    CHECK(run({tool, "broker", "-c", folder.path("b.conf"), "--test-config"}).status == 1);
}

TEST_CASE("broker: --once ends with its last client, --exit-after by the clock, --strict with exit code 2") {
    process once({tool, "broker", "-p", "0", "--json-ready", "--once"});
    CHECK(publish(port_in(once.out().line()), {"-t", "a"}) == 0);
    CHECK(once.wait() == 0);

    CHECK(run({tool, "broker", "-p", "0", "--exit-after", "0.05"}).status == 0);

    process strict({tool, "broker", "-p", "0", "--json-ready", "--once", "--strict"});
    const std::string port = port_in(strict.out().line());
    CHECK(publish(port, {"-t", "a"}) == 0);
    CHECK(strict.wait() == 0);

    // a client that names a topic with a wildcard, and one whose SUBSCRIBE ends in the middle of a filter
    const std::string connect(
        "\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01"
        "a",
        15);
    for (const auto& [bytes, told] :
         {std::pair{std::string("\x30\x05\x00\x03"
                                "a/+",
                                7),
                    "violates [MQTT-3.3.2-2]: "},
          std::pair{std::string("\x82\x03\x00\x01\x00", 5), "violates [malformed packet]: "}}) {
        process linted({tool, "broker", "-p", "0", "--json-ready", "--once", "--strict"});
        scripted_client client(port_in(linted.out().line()));
        client.send(connect + bytes);
        client.read_to_the_end();
        CHECK(linted.err().line_with("Client a ").find(told) != std::string::npos);
        CHECK(linted.wait() == 2);
    }
}

TEST_CASE("broker: $SYS is there from the start, as mosquitto's is") {
    process broker({tool, "broker", "-p", "0", "--json-ready", "--once"});
    const auto version =
        run({tool, "sub", "-p", port_in(broker.out().line()), "-t", "$SYS/broker/version", "-C", "1", "-W", "30"});
    CHECK(version.status == 0);
    CHECK(version.out == "martlet\n");
    CHECK(broker.wait() == 0);
}
