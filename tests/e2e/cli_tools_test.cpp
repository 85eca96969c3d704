// The tools beyond Mosquitto's, and what pub and sub have beyond them, as processes against our broker.
#include "e2e/cli_tools.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <signal.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using namespace martlet::test;
using namespace std::string_literals;

namespace {

strings tool(const std::string& port, const strings& words) {
    return strings{martlet_tool(), words.front(), "-h", "127.0.0.1", "-p", port} +
           strings(words.begin() + 1, words.end());
}

/// What a subscriber prints who gets `count` messages that `publish` sends.
run_result received(const std::string& port, const strings& sub_words, const strings& pub_words,
                    const std::string& input = "") {
    prepare(port);
    process s(our_sub(port) + sub_words + strings{"-t", std::string(ready_topic)});
    static_cast<void>(s.out().line());  // of the ready message, in whatever format: now it is subscribed
    const run_result p = run(our_pub(port) + pub_words, input);
    run_result r;
    r.out = s.out().rest();
    r.err = p.err;
    s.wait();
    r.status = p.status;
    return r;
}

}  // namespace

TEST_CASE("pub: topic and payload of each line as tsv and as JSON, mistakes by number of the line") {
    our_broker broker;
    const run_result tsv =
        received(broker.port(), {"-t", "in/#", "-v", "-C", "3"}, {"-l", "--stdin-format", "tsv", "-q", "1"},
                 "in/a\tone\nno tab\nin/b\ttwo\twords\n");
    CHECK(tsv.out == "in/a one\nin/b two\twords\n");
    CHECK(tsv.err == "Error: Line 2: there is no tab between topic and payload.\n");
    CHECK(tsv.status == 1);

    const run_result json =
        received(broker.port(), {"-t", "in/#:2", "-F", "%t %q %x %P", "-C", "3"},
                 {"-l", "--stdin-format", "jsonl", "-t", "in/default"},
                 R"({"topic":"in/a","qos":2,"payload_b64":"AP8=","properties":{"user-properties":[{"k":"v"}]}})"
                 "\n{\"payload\":\"x\"}\n{\"qos\":9}\n");
    CHECK(json.out == "in/a 2 00ff k:v\nin/default 0 78 \n");
    CHECK(json.err == "Error: Line 3: qos: must be 0, 1 or 2.\n");
}

TEST_CASE("pub: hex, base64, templates, binary properties") {
    our_broker broker;
    const std::string port = broker.port();
    CHECK(received(port, {"-t", "x", "-F", "%x", "-C", "2"}, {"-t", "x", "-m", "00 ff", "--hex"}).out == "00ff\n");
    CHECK(received(port, {"-t", "x", "-F", "%x", "-C", "3"}, {"-t", "x", "-l", "--base64", "-q", "1"}, "AP8=\nAA==\n")
              .out == "00ff\n00\n");
    CHECK(received(port, {"-t", "x", "-C", "4"},
                   {"-t", "x", "-m", "n{{seq}}", "--template", "--repeat", "3", "--rate", "1000", "-q", "1"})
              .out == "n1\nn2\nn3\n");
    CHECK(received(port, {"-t", "x", "-F", "%D", "-C", "2"},
                   {"-t", "x", "-n", "-D", "publish", "correlation-data", "hex:616263"})
              .out == "abc\n");
    const run_result odd = run(our_pub(port) + strings{"-t", "x", "-m", "0", "--hex"});
    CHECK(odd.status == 1);
    CHECK(odd.err == "Error: The payload is not hex.\n");
}

// When they are due is tested in unit/cli/pacing_test.cpp.
TEST_CASE("pub: --rate sends all of them, and waits for those that are not due yet") {
    our_broker broker;
    const std::string port = broker.port();
    CHECK(received(port, {"-t", "x", "-C", "4"}, {"-t", "x", "-l", "--rate", "1000"}, "1\n2\n3\n").out == "1\n2\n3\n");
    process slow(our_pub(port) + strings{"-t", "x", "-l", "--rate", "0.0001", "-d"});
    slow.write("1\n2\n");
    CHECK(slow.err().line_with("sending PUBLISH") != "");
    slow.signal(SIGTERM);  // the second one is due in three hours
    CHECK(slow.err().line_with("Interrupted after 1 line.") != "");
    CHECK(slow.err().rest().find("sending PUBLISH") == std::string::npos);
    CHECK(slow.wait() == 130);
}

TEST_CASE("pub: the first signal ends it with a report") {
    our_broker broker;
    const std::string port = broker.port();
    process repeating(our_pub(port) +
                      strings{"-t", "x", "-m", "a", "-q", "1", "--repeat", "5", "--repeat-delay", "9999", "-d"});
    CHECK(repeating.err().line_with("received PUBACK") != "");
    repeating.signal(SIGINT);
    CHECK(repeating.err().line_with("Interrupted: 1 of 5 messages published.") != "");
    CHECK(repeating.wait() == 130);

    prepare(port);
    process s = subscribe(our_sub(port) + strings{"-t", "x", "-C", "3"});
    process lines(our_pub(port) + strings{"-t", "x", "-l", "-q", "1"});
    lines.write("one\ntwo\nhalf");
    CHECK(s.out().line() == "one");
    CHECK(s.out().line() == "two");
    lines.signal(SIGINT);  // a line that has not ended is none
    CHECK(lines.err().line_with("Interrupted after 2 lines") != "");
    CHECK(lines.wait() == 130);
    CHECK(s.wait() == 0);
}

TEST_CASE("sub: a command of --exec holds up messages, not the client") {
    our_broker broker;
    const std::string port = broker.port();
    const scratch_folder folder;
    const std::string gate = folder.path("gate");
    REQUIRE(::mkfifo(gate.c_str(), 0600) == 0);
    prepare(port);
    // Whoever reads from the gate waits until somebody writes.
    const std::string waits = "exec cat '" + gate + "'";
    CHECK(run(our_sub(port) + strings{"-t", std::string(ready_topic), "--exec", waits, "-W", "0.2"}).status == 27);

    process stopped(our_sub(port) + strings{"-t", std::string(ready_topic), "--exec", "echo begun; " + waits});
    CHECK(stopped.out().line() == "begun");
    stopped.signal(SIGTERM);
    CHECK(stopped.wait() == 0);

    process ordered(our_sub(port) + strings{"-i", "ordered", "-c", "-q", "1", "-t", std::string(ready_topic), "-t", "s",
                                            "-C", "4", "--exec",
                                            "read text; echo \"begin $text\"; cat '" + gate + "'; echo \"end $text\""});
    CHECK(ordered.out().line() == "begin ready");
    CHECK(run(our_pub(port) + strings{"-t", "s", "-l", "-q", "1"}, "1\n2\n3\n").status == 0);
    for (const char* const text : {"ready", "1", "2", "3"}) {
        std::fclose(std::fopen(gate.c_str(), "w"));
        CHECK(ordered.out().line() == "end "s + text);
        if (text != "3"s) CHECK(ordered.out().line().starts_with("begin "));
    }
    CHECK(ordered.wait() == 0);
    CHECK(run(our_sub(port) + strings{"-i", "ordered", "-c", "-q", "1", "-t", "s", "--quiet-for", "0.1"}).out == "");
}

TEST_CASE("sub: --until, --quiet-for, --share, --save-dir, --exec") {
    our_broker broker;
    const std::string port = broker.port();
    CHECK(received(port, {"-t", "x", "--until", "stop"}, {"-t", "x", "-l", "-q", "1"}, "go\nnow stop\nlate\n").out ==
          "go\nnow stop\n");
    CHECK(run(our_sub(port) + strings{"-t", "nothing", "--quiet-for", "0.05"}).status == 0);
    CHECK(run(our_sub(port) + strings{"-t", "x", "--share", "a/b"})
              .err.starts_with("Error: Invalid group 'a/b' for --share: it must not be empty or have / + #."));

    const scratch_folder folder;
    prepare(port);
    process saving(our_sub(port) +
                   strings{"-t", std::string(ready_topic), "-t", "s/#", "--save-dir", folder.path(""), "-C", "3"});
    CHECK(saving.out().line().ends_with("000001-test_ready"));
    CHECK(run(our_pub(port) + strings{"-t", "s/x y", "-l", "-q", "1"}, "one\n\n").status == 0);
    const std::string first = saving.out().line();
    CHECK(first.ends_with("000002-s_x_y"));
    CHECK(contents_of(first) == "one");
    CHECK(contents_of(saving.out().line()) == "");
    CHECK(saving.wait() == 0);

    process executing(our_sub(port) + strings{"-t", std::string(ready_topic), "-t", "s/#:1", "-C", "3", "--exec",
                                              "echo \"$MQTT_TOPIC $MQTT_QOS $(cat)\""});
    CHECK(executing.out().line() == "test/ready 0 ready");
    CHECK(run(our_pub(port) + strings{"-t", "s/x", "-l", "-q", "1"}, "one\ntwo\n").status == 0);
    CHECK(executing.out().rest() == "s/x 1 one\ns/x 1 two\n");
    CHECK(executing.wait() == 0);
}

TEST_CASE("rr and serve: a request and its answer, with the correlation data of the request") {
    our_broker broker;
    process server(tool(broker.port(), {"serve", "-t", "ask/#", "--exec", "tr a-z A-Z", "-C", "2"}));
    CHECK(server.err().line() == "Serving.");
    const run_result r = run(tool(broker.port(), {"rr", "-t", "ask/a", "-e", "answer", "-m", "hello", "-F", "%p %D",
                                                  "-D", "publish", "correlation-data", "c1"}));
    CHECK(r.out == "HELLO c1\n");
    CHECK(r.status == 0);
    CHECK(run(our_pub(broker.port()) + strings{"-t", "ask/b", "-m", "nobody"}).status == 0);
    CHECK(server.err().line_with("has no response topic") != "");
    const run_result latency = run(tool(broker.port(), {"rr", "-t", "ask/a", "-e", "answer", "-n", "--latency"}));
    CHECK(latency.out.find("Latency: ") != std::string::npos);
    CHECK(server.wait() == 0);
    CHECK(run(tool(broker.port(), {"rr", "-t", "nobody", "-e", "answer", "-m", "x", "-W", "0.05"})).status == 27);
}

TEST_CASE("retained: listed, shown, saved, cleared and restored") {
    our_broker broker;
    const std::string port = broker.port();
    const auto retained = [&](const strings& words) {
        return run(tool(port, strings{"retained", "--quiet-for", "0.1"} + words));
    };
    CHECK(run(our_pub(port) + strings{"-t", "r/text", "-m", "hello", "-r", "-q", "1"}).status == 0);
    CHECK(run(our_pub(port) + strings{"-t", "r/bytes", "-m", "00ff", "--hex", "-r", "-q", "2"}).status == 0);
    CHECK(retained({"ls", "r/text"}).out == "r/text\n");
    CHECK(retained({"ls", "-v", "r/text"}).out == "r/text hello\n");
    CHECK(retained({"get", "r/bytes"}).out == "\x00\xff"s);
    const run_result nothing = retained({"get", "r/none"});
    CHECK(nothing.status == 1);
    CHECK(nothing.err == "Nothing is retained at 'r/none'.\n");

    const scratch_folder folder;
    const std::string saved = retained({"dump", "r/#"}).out;
    CHECK(saved.find(R"({"topic":"r/bytes","qos":2,"retain":true,"payload_b64":"AP8="})") != std::string::npos);
    CHECK(retained({"clear", "r/#"}).err == "2 retained messages cleared.\n");
    CHECK(retained({"ls"}).out == "");
    const std::string file = folder.file("saved.jsonl", saved + "{\"qos\":1}\n");
    const run_result restored = retained({"restore", file});
    CHECK(restored.status == 1);
    CHECK(restored.err == "Error: Line 3: topic: there is none.\n2 retained messages restored.\n");
    CHECK(retained({"get", "r/text"}).out == "hello");
    CHECK(retained({"eat", "r/#"})
              .err.starts_with("Error: Unknown verb 'eat': it takes ls, get, clear, dump or restore."));
}

TEST_CASE("record and replay: what was recorded comes again, elsewhere if asked for") {
    our_broker broker;
    const std::string port = broker.port();
    const scratch_folder folder;
    const std::string file = folder.path("recording.jsonl");
    prepare(port);
    process recorder(tool(port, {"record", file, "-t", std::string(ready_topic), "-t", "in/#", "-C", "3"}));
    CHECK(recorder.err().line() == "Recording.");
    CHECK(run(our_pub(port) + strings{"-t", "in/x", "-l", "-q", "1"}, "one\ntwo\n").status == 0);
    CHECK(recorder.wait() == 0);

    process s = subscribe(our_sub(port) + strings{"-t", "out/#", "-v", "-C", "3"});
    const run_result again =
        run(tool(port, {"replay", file, "--speed", "max", "--map", "in/#=out/#", "--map", "test/#=else/#"}));
    CHECK(again.status == 0);
    CHECK(again.err == "3 messages published.\n");
    CHECK(s.out().rest() == "out/x one\nout/x two\n");
    CHECK(run(tool(port, {"replay", file, "--map", "a=b/#"}))
              .err.starts_with("Error: Invalid --map: 'a=b/#' has '#' on one side only."));
    CHECK(run(tool(port, {"replay", "/nonexistent"})).status == 1);
}

TEST_CASE("ping: answers and a summary, as text and as JSON") {
    our_broker broker;
    const run_result text = run(tool(broker.port(), {"ping", "-C", "2", "--interval", "0.01"}));
    CHECK(text.status == 0);
    CHECK(text.out.find("2 sent, 2 answered, 0 % lost\n") != std::string::npos);
    const run_result json = run(tool(broker.port(), {"ping", "-C", "1", "--json"}));
    CHECK(json.out.find(R"({"schema":"martlet.ping/1","kind":"answer","seq":1,"ms":)") != std::string::npos);
    CHECK(run(tool("1", {"ping"})).status == 1);
}

TEST_CASE("check: our broker passes every probe of a quick selection; assertions decide the exit code") {
    our_broker broker;
    const std::string quick =
        "version-3.1,version-3.1.1,version-5,qos-0,qos-1,qos-2,order,retain,retain-clear,wildcard-plus,wildcard-parent,"
        "shared,"
        "subscription-id,no-local,properties,will,will-deleted,session,takeover,first-connect,second-connect,publish-"
        "wildcard,"
        "subscribe-empty,publish-utf8";
    const run_result table = run(tool(broker.port(), {"check", "--only", quick}));
    CHECK_MESSAGE(table.status == 0, table.out);
    CHECK(table.out.find("24 pass, 0 fail, 0 unsupported") != std::string::npos);
    const run_result json = run(tool(broker.port(), {"check", "--json", "--only", "qos-1", "--assert", "qos-1"}));
    CHECK(json.status == 0);
    CHECK(json.out.starts_with(R"({"schema":"martlet.check/1",)"));
    CHECK(run(tool(broker.port(), {"check", "--only", "nonsense"}))
              .err.starts_with("Error: There is no probe 'nonsense' for --only."));
    CHECK(run(tool("1", {"check"})).status == 1);
}

TEST_CASE("decode: hex from the command line and from a file; what is no MQTT is named") {
    const run_result r = run({martlet_tool(), "decode", "-V", "311", "c0 00 30 05 00 03 61 2f 62"});
    CHECK(r.out == "PINGREQ\nPUBLISH topic=a/b qos=0 dup=false retain=false payload=\"\"\n");
    CHECK(r.status == 0);
    const run_result bad = run({martlet_tool(), "decode", "82020001"});
    CHECK(bad.status == 21);
    CHECK(bad.out.starts_with("MALFORMED SUBSCRIBE "));
    CHECK(run({martlet_tool(), "decode", "3005"}).err == "Error: 2 bytes at the end are an incomplete packet.\n");
    CHECK(run({martlet_tool(), "decode", "-"}, "e0 00").out == "DISCONNECT reason=0 reason_text=Success\n");
}

TEST_CASE("install-compat: links that behave like Mosquitto's tools; a file that is no link stays") {
    const scratch_folder folder;
    const std::string bin = folder.path("bin");
    CHECK(run({martlet_tool(), "install-compat", bin}).status == 0);
    CHECK(run({bin + "/mosquitto_pub", "-q", "7"}).err ==
          "Error: Invalid QoS given: 7\n\nUse 'mosquitto_pub --help' to see usage.\n");
    CHECK(run({martlet_tool(), "pub", "--profile", "mosquitto", "-q", "7"}).err ==
          "Error: Invalid QoS given: 7\n\nUse 'mosquitto_pub --help' to see usage.\n");
    CHECK(run({martlet_tool(), "install-compat", bin}).status == 0);
    std::filesystem::remove(bin + "/mosquitto_sub");
    folder.file("bin/mosquitto_sub", "precious");
    const run_result refused = run({martlet_tool(), "install-compat", bin});
    CHECK(refused.status == 1);
    CHECK(refused.err == "Error: " + bin + "/mosquitto_sub is there and is not a link.\n");
}

TEST_CASE("configuration: flags before environment before project file before user file") {
    our_broker broker;
    const scratch_folder folder;
    std::filesystem::create_directories(folder.path("martlet"));
    folder.file("martlet/config", "-h 127.0.0.1\n-p 1\n-q 1\n[sub]\n-v\n[profile lab]\n-t from/profile\n");
    const auto with = [&](const strings& environment, const strings& words) {
        process p(strings{martlet_tool()} + words,
                  {.environment = strings{"XDG_CONFIG_HOME=" + folder.path("")} + environment});
        p.close_input();
        run_result r;
        r.out = p.out().rest();
        r.err = p.err().rest();
        r.status = p.wait();
        return r;
    };
    CHECK(with({}, {"pub", "-t", "a", "-m", "b"}).err == "Error: Connection refused: 127.0.0.1:1\n");
    const std::string port = "MARTLET_PORT=" + broker.port();
    CHECK(with({port}, {"pub", "-t", "a", "-m", "b", "-r"}).status == 0);
    CHECK(with({"MARTLET_PORT=2"}, {"pub", "-p", broker.port(), "-t", "a", "-m", "b"}).status == 0);
    CHECK(with({port}, {"sub", "-t", "a", "-C", "1"}).out == "a b\n");
    CHECK(with({port}, {"pub", "--profile", "lab", "-m", "x", "-r"}).status == 0);
    CHECK(with({port}, {"sub", "-t", "from/#", "-C", "1"}).out == "from/profile x\n");
    CHECK(with({"MARTLET_URL=mqtt://127.0.0.1:" + broker.port()}, {"sub", "-t", "a", "-C", "1"}).out == "a b\n");
    const std::string file = folder.file("options", "-p " + broker.port() + "\n-h 127.0.0.1\n");
    CHECK(with({"MARTLET_PORT=2"}, {"pub", "-o", file, "-t", "a", "-m", "b"}).status == 0);
    CHECK(with({}, {"pub", "-o", "/nonexistent", "-t", "a", "-m", "b"})
              .err.starts_with("Error: Unable to open options file"));
}

TEST_CASE("--retry: so many attempts, then the reason") {
    const run_result r =
        run({martlet_tool(), "pub", "-h", "127.0.0.1", "-p", "1", "-t", "a", "-m", "b", "--retry", "1"});
    CHECK(r.status == 1);
    CHECK(r.err == "Warning: no connection to 127.0.0.1:1; trying again.\nError: Connection refused: 127.0.0.1:1\n");
    CHECK(run({martlet_tool(), "pub", "-t", "a", "-m", "b", "--retry", "often"})
              .err.starts_with("Error: Invalid --retry 'often': it takes a number of attempts or 'forever'."));
}

TEST_CASE("help: every command begins with usage and examples, and has a page and a place in the overview") {
    const std::string overview = run({martlet_tool(), "--help"}).out;
    for (const char* const command : {"pub", "sub", "rr", "serve", "ping", "retained", "record", "replay", "check",
                                      "top", "decode", "doctor", "completion", "man", "install-compat", "broker"}) {
        CAPTURE(command);
        const run_result help = run({martlet_tool(), command, "--help"});
        CHECK(help.status == 0);
        CHECK(help.out.starts_with("Usage: martlet "s + command + ' '));
        CHECK(help.out.find("\n\nExamples:\n  martlet "s + command) != std::string::npos);
        CHECK(run({martlet_tool(), "man", command}).out.find(".SH EXAMPLES") != std::string::npos);
        CHECK(overview.find("\n  "s + command + ' ') != std::string::npos);
    }
    CHECK(run({martlet_tool(), "retianed"})
              .err.starts_with("Error: Unknown command 'retianed'. Did you mean 'retained'?"));
}

TEST_CASE("man: every page renders without a warning") {
    const std::string man = find_program("man");
    if (man.empty()) {
        MESSAGE("SKIPPED: man is not installed");
        return;
    }
    const scratch_folder folder;
    REQUIRE(run({martlet_tool(), "man", "--dir", folder.path("")}).status == 0);
    std::size_t pages = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path(""))) {
        process p({man, "--warnings", "-l", "-Tutf8", entry.path().string()},
                  {.environment = {"MANWIDTH=80", "LC_ALL=C.UTF-8"}});
        const std::string text = p.out().rest();
        CHECK_MESSAGE(p.err().rest() == "", entry.path().string());
        CHECK(p.wait() == 0);
        CHECK(text.find("Martlet") != std::string::npos);  // of the heading, which is not bold
        ++pages;
    }
    CHECK(pages >= 17);
}
