// What the tools say and exit with when something is wrong.
#include "e2e/cli_tools.hpp"

#include <signal.h>
#include <string>
#include <unistd.h>

using namespace martlet::test;
using namespace std::string_literals;

namespace {

/// A link to the tool by another name, for the profile of mosquitto.
strings linked(const scratch_folder& folder, const std::string& name, const std::string& port) {
    const std::string link = folder.path(name);
    REQUIRE(::symlink(martlet_tool().c_str(), link.c_str()) == 0);
    return {link, "-h", "127.0.0.1", "-p", port};
}

/// CONNACK of MQTT 5 with a reason and no properties, of 3.1.1 with a return code.
std::string connack_5(char reason) { return "\x20\x03\x00"s + reason + "\x00"s; }
std::string connack_3(char code) { return "\x20\x02\x00"s + code; }

}  // namespace

TEST_CASE("usage: one clear line, and exit code 1") {
    const auto complaint = [](const strings& words) {
        const run_result r = run(strings{martlet_tool()} + words);
        CHECK(r.status == 1);
        CHECK(r.out == "");
        const std::size_t end = r.err.find('\n');
        CHECK(r.err.substr(end + 1).starts_with("Use 'martlet "));
        return r.err.substr(0, end);
    };
    CHECK(complaint({"pub", "-t", "a/+", "-m", "x"}) ==
          "Error: Invalid publish topic 'a/+', does it contain '+' or '#'?");
    CHECK(complaint({"pub", "-t", "\xff", "-m", "x"}) == "Error: Malformed UTF-8 in -t argument.");
    CHECK(complaint({"pub", "-t", "a"}) == "Error: Both topic and message must be supplied.");
    CHECK(complaint({"pub", "--retian"}) == "Error: Unknown option '--retian'. Did you mean --retain?");
    CHECK(complaint({"pub", "-t", "a", "-m", "x", "--tls-engine", "e"}) ==
          "Error: --tls-engine is not supported: OpenSSL has replaced engines by providers.");
    CHECK(complaint({"sub"}) == "Error: You must specify a topic to subscribe to (-t) or unsubscribe from (-U).");
    CHECK(complaint({"sub", "-t", "a", "-F", "%Z"}) == "Error: Invalid format specifier 'Z'.");
    CHECK(complaint({"broker", "-p", "65536"}) == "Error: Invalid port given: 65536");
    CHECK(complaint({"broker", "--listen", "nonsense"}).starts_with("Error: Invalid URL 'nonsense' for --listen: "));
    CHECK(complaint({"pubb"}) == "Error: Unknown command 'pubb'. Did you mean 'pub'?");

    const run_result bare = run({martlet_tool(), "broker", "--listen", "wss://127.0.0.1:0"});
    CHECK(bare.status == 1);
    CHECK(bare.err ==
          "Error: a listener with TLS needs a certificate: --certfile and --keyfile, or --tls-auto for a test\n");
    const run_result idle = run({martlet_tool(), "broker", "--certfile", "f"});
    CHECK(idle.status == 1);
    CHECK(idle.err == "Error: a certificate is of use for a listener with TLS only: --listen mqtts://127.0.0.1:8883\n");
}

TEST_CASE("--help and --version: exit 0, but 1 in the profile of mosquitto") {
    scratch_folder folder;
    for (const char* const command : {"pub", "sub", "broker"}) {
        const run_result help = run({martlet_tool(), command, "--help"});
        CHECK(help.status == 0);
        CHECK(help.out.starts_with("Usage: martlet "s + command));
        CHECK(help.err == "");
        CHECK(run({martlet_tool(), command, "--version"}).out.starts_with("martlet "));
    }
    CHECK(run({martlet_tool(), "--version"}).status == 0);
    CHECK(run({martlet_tool(), "--help"}).status == 0);
    CHECK(run({martlet_tool(), "help"}).status == 0);
    CHECK(run({martlet_tool(), "help", "sub"}).out.starts_with("Usage: martlet sub "));
    const run_result unknown = run({martlet_tool(), "help", "pong"});
    CHECK(unknown.status == 1);
    CHECK(unknown.err.starts_with("Error: Unknown command 'pong'. Did you mean 'ping'?"));
    CHECK(run({martlet_tool()}).status == 1);

    const strings pub = linked(folder, "mosquitto_pub", "1");
    CHECK(run({pub[0], "--help"}).status == 1);
    CHECK(run({pub[0], "--version"}).status == 1);
    CHECK(run({pub[0], "-q", "3"}).err == "Error: Invalid QoS given: 3\n\nUse 'mosquitto_pub --help' to see usage.\n");
    CHECK(run({pub[0], "-p"}).err ==
          "Error: -p argument given but no port specified.\n\n\nUse 'mosquitto_pub --help' to see usage.\n");
}

TEST_CASE("files: what cannot be read is named") {
    const strings pub = our_pub("1") + strings{"-t", "a"};
    const run_result missing = run(pub + strings{"-f", "/nonexistent/file"});
    CHECK(missing.status == 1);
    CHECK(missing.err ==
          "Error: Unable to read file \"/nonexistent/file\": No such file or directory.\n"
          "Error loading input file \"/nonexistent/file\".\n");
    CHECK(run(pub + strings{"-f", "/"}).err.starts_with("Error: Unable to read file \"/\": Is a directory."));
    const run_result empty = run(pub + strings{"-s"});
    CHECK(empty.status == 1);
    CHECK(empty.err == "Error: Zero length input.\nError loading input from stdin.\n");
}

TEST_CASE("no server: connection refused, exit code 1") {
    std::string port;
    {
        scripted_server gone;
        port = gone.port();
    }
    const run_result pub = run(our_pub(port) + strings{"-t", "a", "-m", "x"});
    CHECK(pub.status == 1);
    CHECK(pub.err == "Error: Connection refused: 127.0.0.1:" + port + "\n");
    CHECK(run(our_pub(port) + strings{"-t", "a", "-m", "x", "--quiet"}).err == "");
    CHECK(run(our_sub(port) + strings{"-t", "a"}).status == 1);

    scratch_folder folder;
    const run_result compatible = run(linked(folder, "mosquitto_pub", port) + strings{"-t", "a", "-m", "x"});
    CHECK(compatible.status == 1);
    CHECK(compatible.err == "Error: Connection refused\n");
}

TEST_CASE("a refused CONNECT: its code is the exit code") {
    for (const char* const tool : {"pub", "sub"}) {
        CAPTURE(tool);
        scripted_server server;
        strings words = {martlet_tool(), tool, "-h", "127.0.0.1", "-p", server.port(), "-t", "a"};
        if (tool == "pub"s) words = words + strings{"-m", "x"};

        process old(words + strings{"-V", "311"});
        server.accept();
        CHECK(server.packet().size() > 2);
        server.send(connack_3(5));
        CHECK(old.wait() == 5);
        CHECK(old.err().rest() == "Connection error: Connection Refused: not authorised. (no user name was given)\n");

        process modern(words + strings{"-V", "5"});
        server.accept();
        CHECK(server.packet().size() > 2);
        server.send(connack_5('\x87'));
        CHECK(modern.wait() == 135);
        CHECK(modern.err().rest() == "Connection error: Not authorized (no user name was given)\n");
    }
}

TEST_CASE("a refused message: exit code is the reason; the profile of mosquitto only warns") {
    scratch_folder folder;
    scripted_server server;
    const strings message = {"-t", "a", "-m", "x", "-q", "1", "-V", "5"};
    const auto refuse = [&](process& p) {
        server.accept();
        CHECK(server.packet()[0] == '\x10');
        server.send(connack_5('\x00'));
        const std::string publish = server.packet();
        REQUIRE(publish.size() > 6);
        server.send("\x40\x03"s + publish.substr(5, 2) + "\x87"s);
        CHECK(server.packet() == "\xE0\x00"s);
        server.hang_up();
        return p.wait();
    };

    process native(our_pub(server.port()) + message);
    CHECK(refuse(native) == 135);
    CHECK(native.err().rest() == "Warning: Publish 1 failed: Not authorized.\n");

    process compatible(linked(folder, "mosquitto_pub", server.port()) + message);
    CHECK(refuse(compatible) == 0);
    CHECK(compatible.err().rest() == "Warning: Publish 1 failed: Not authorized.\n");
}

TEST_CASE("a refused subscription: exit code is the reason; 0 in the profile of mosquitto") {
    scratch_folder folder;
    scripted_server server;
    const strings filter = {"-t", "a", "-V", "311"};
    const auto refuse = [&](process& p) {
        server.accept();
        CHECK(server.packet()[0] == '\x10');
        server.send(connack_3(0));
        const std::string subscribe = server.packet();
        REQUIRE(subscribe.size() > 4);
        server.send("\x90\x03"s + subscribe.substr(2, 2) + "\x80"s);
        CHECK(server.packet() == "\xE0\x00"s);
        server.hang_up();
        return p.wait();
    };

    process native(our_sub(server.port()) + filter);
    CHECK(refuse(native) == 128);
    CHECK(native.err().rest() == "All subscription requests were denied.\n");

    process compatible(linked(folder, "mosquitto_sub", server.port()) + filter);
    CHECK(refuse(compatible) == 0);
    CHECK(compatible.err().rest() == "All subscription requests were denied.\n");
}

TEST_CASE("a connection that is lost before the message is through: exit code 7") {
    scripted_server server;
    process pub(our_pub(server.port()) + strings{"-t", "a", "-m", "x", "-q", "1", "-V", "311"});
    server.accept();
    CHECK(server.packet()[0] == '\x10');
    server.send(connack_3(0));
    CHECK(server.packet()[0] == '\x32');
    server.hang_up();
    CHECK(pub.wait() == 7);
    CHECK(pub.err().rest().starts_with("Error: The connection was lost: "));
}

TEST_CASE("a payload that is too large: exit code 25") {
    our_broker broker;
    scratch_folder folder;
    const std::string big = folder.file("big", std::string(17 * 1024 * 1024, 'x'));
    const run_result r = run(our_pub(broker.port()) + strings{"-t", "a", "-f", big, "-q", "1"});
    CHECK(r.status == 25);
    CHECK(r.err == "Warning: Publish 1 failed: Message payload is too large.\n");
    const run_result lines =
        run(our_pub(broker.port()) + strings{"-t", "a", "-l", "-q", "1"}, "1\n" + contents_of(big) + "\n3\n");
    CHECK(lines.status == 25);
    CHECK(lines.err == "Warning: Publish 2 failed: Message payload is too large.\n");
}

TEST_CASE("a server that never answers: -W and --connect-timeout end with 27") {
    scripted_server server;
    const strings quick = {"-t", "a", "-W", "0.05"};
    const run_result pub = run(our_pub(server.port()) + quick + strings{"-m", "x"});
    CHECK(pub.status == 27);
    CHECK(pub.err == "Timed out\n");
    CHECK(run(our_sub(server.port()) + quick).status == 27);
    const run_result connect = run(our_pub(server.port()) + strings{"-t", "a", "-m", "x", "--connect-timeout", "0.05"});
    CHECK(connect.status == 27);
    CHECK(connect.err.starts_with("Error: the server did not answer CONNECT in time: 127.0.0.1:"));
}

TEST_CASE("sub -W: exit code 27 after what came was printed") {
    our_broker broker;
    prepare(broker.port());
    const run_result r = run(our_sub(broker.port()) + strings{"-t", std::string(ready_topic), "-W", "0.2"});
    CHECK(r.status == 27);
    CHECK(r.out == "ready\n");
    CHECK(r.err == "Timed out\n");
}

TEST_CASE("sub: a signal before CONNACK is 255, after it 0") {
    scripted_server server;
    process early(our_sub(server.port()) + strings{"-t", "a"});
    server.accept();
    CHECK(server.packet()[0] == '\x10');
    early.signal(SIGTERM);
    CHECK(early.wait() == 255);

    process late(our_sub(server.port()) + strings{"-t", "a", "-V", "5"});
    server.accept();
    CHECK(server.packet()[0] == '\x10');
    server.send(connack_5('\x00'));
    CHECK(server.packet()[0] == '\x82');
    late.signal(SIGINT);
    const std::string farewell = server.packet();
    REQUIRE(farewell.size() > 2);
    CHECK(farewell[0] == '\xE0');
    CHECK(farewell[2] == '\x04');  // the will, please
    server.hang_up();
    CHECK(late.wait() == 0);
}

TEST_CASE("sub: a closed standard output is an end") {
    our_broker broker;
    prepare(broker.port());
    process sub = subscribe(our_sub(broker.port()) + strings{"-t", "a"});
    sub.out().close();
    CHECK(run(our_pub(broker.port()) + strings{"-t", "a", "-m", "x", "-q", "1"}).status == 0);
    CHECK(sub.wait() == 0);
    CHECK(sub.err().rest() == "");
}

TEST_CASE("sub: a full disk is a failure") {
    our_broker broker;
    prepare(broker.port());
    const run_result r = run({"/bin/sh", "-c",
                              martlet_tool() + " sub -h 127.0.0.1 -p " + broker.port() + " -t " +
                                  std::string(ready_topic) + " > /dev/full"});
    CHECK(r.status == 1);
    CHECK(r.err == "Error: Cannot write standard output: No space left on device\n");
}

TEST_CASE("a full disk is told, and a failure, for every tool that prints") {
    our_broker broker;
    const std::string at = " -h 127.0.0.1 -p " + broker.port();
    prepare(broker.port());
    const std::string connect = "10 10 00 04 4d 51 54 54 04 02 00 3c 00 04 74 65 73 74";
    for (const std::string& command :
         {"ping -C 1" + at, "check --only qos-0" + at, "retained ls" + at,
          "retained get " + std::string(ready_topic) + at, "rr -t q -e q -m x" + at, "record - -C 1" + at,
          "decode " + connect, "man sub"s, "completion bash"s, "pub --help"s, "--help"s, "--version"s}) {
        const run_result r = run({"/bin/sh", "-c", '\'' + martlet_tool() + "' " + command + " > /dev/full"});
        CAPTURE(command);
        CHECK(r.status == 1);
        CHECK(r.err.find("No space left on device") != std::string::npos);
    }
}

TEST_CASE("ping: ends when nobody reads its answers any more") {
    our_broker broker;
    process ping({martlet_tool(), "ping", "-h", "127.0.0.1", "-p", broker.port(), "--interval", "0.01"});
    CHECK(ping.out().line().starts_with("PING "));
    ping.out().close();
    CHECK(ping.wait() == 0);
    CHECK(ping.err().rest() == "");
}

TEST_CASE("broker: a port in use is one clear line and exit code 1") {
    our_broker broker;
    const run_result r = run({martlet_tool(), "broker", "-p", broker.port()});
    CHECK(r.status == 1);
    CHECK(r.out == "");
    CHECK(r.err == "Error: listening at 127.0.0.1:" + broker.port() + ": Address already in use\n");
}

TEST_CASE("a password is not to be seen in the list of processes") {
    scripted_server server;
    process pub(our_pub(server.port()) + strings{"-t", "a", "-m", "x", "-u", "joe", "-P", "secret"});
    server.accept();
    CHECK(server.packet().find("secret") != std::string::npos);
    const std::string seen = contents_of("/proc/" + std::to_string(pub.id()) + "/cmdline");
    CHECK(seen.find("joe") != std::string::npos);
    CHECK(seen.find("secret") == std::string::npos);
}
