// Our tools through Debian's Mosquitto, and its tools through our broker. Skipped, aloud, where it is not installed.
#include "e2e/cli_tools.hpp"

#include <optional>
#include <string>
#include <unistd.h>

using namespace martlet::test;

namespace {

struct mosquitto_tools {
    std::string pub;
    std::string sub;
};

std::optional<mosquitto_tools> find_tools() {
    mosquitto_tools found{find_program("mosquitto_pub"), find_program("mosquitto_sub")};
    if (!found.pub.empty() && !found.sub.empty()) return found;
    MESSAGE("SKIPPED: mosquitto_pub and mosquitto_sub are not installed");
    return std::nullopt;
}

void check_transfer(strings pub, strings sub, const std::string& text, int messages, const strings& options) {
    scratch_folder folder;
    process receiver = subscribe(sub + strings{"-t", "lines", "-C", std::to_string(messages + 1)} + options);
    process sender(pub + strings{"-t", "lines", "-l"} + options, {.file = folder.file("in", text)});
    CHECK(receiver.out().rest() == text);
    CHECK(receiver.wait() == 0);
    CHECK(sender.wait() == 0);
    CHECK(sender.err().rest() == "");
}

}  // namespace

TEST_CASE("interop: our tools through mosquitto, 10,000 lines at QoS 1 and 2") {
    scratch_folder folder;
    const auto broker = mosquitto_broker::start(folder);
    if (!broker) return;
    prepare(broker->port());
    const std::string text = numbered_lines(10'000);
    for (const char* const version : {"311", "5"}) {
        for (const char* const qos : {"1", "2"}) {
            CAPTURE(version);
            CAPTURE(qos);
            check_transfer(our_pub(broker->port()), our_sub(broker->port()), text, 10'000, {"-q", qos, "-V", version});
        }
    }
}

TEST_CASE("interop: mosquitto_sub receives from our broker what we publish") {
    const auto tools = find_tools();
    if (!tools) return;
    our_broker broker;
    prepare(broker.port());
    const std::string text = numbered_lines(10'000);
    for (const char* const version : {"mqttv31", "mqttv311", "mqttv5"}) {
        for (const char* const qos : {"0", "1", "2"}) {
            CAPTURE(version);
            CAPTURE(qos);
            const strings options = {"-V", version, "-q", qos, "-I", "i"};
            check_transfer(our_pub(broker.port()), {tools->sub, "-h", "127.0.0.1", "-p", broker.port()}, text, 10'000,
                           options);
        }
    }
}

TEST_CASE("interop: we receive from our broker what mosquitto_pub publishes") {
    const auto tools = find_tools();
    if (!tools) return;
    our_broker broker;
    prepare(broker.port());
    const std::string text = numbered_lines(2'000);  // beyond some thousands it loses lines itself
    for (const char* const version : {"mqttv31", "mqttv311", "mqttv5"}) {
        for (const char* const qos : {"0", "1", "2"}) {
            CAPTURE(version);
            CAPTURE(qos);
            const strings options = {"-V", version, "-q", qos, "-I", "i"};
            check_transfer({tools->pub, "-h", "127.0.0.1", "-p", broker.port()}, our_sub(broker.port()), text, 2'000,
                           options);
        }
    }
}

TEST_CASE("interop: mosquitto's profile complains in mosquitto's words") {
    const auto tools = find_tools();
    if (!tools) return;
    scratch_folder folder;
    const std::string our_publisher = folder.path("mosquitto_pub");
    const std::string our_subscriber = folder.path("mosquitto_sub");
    REQUIRE(::symlink(martlet_tool().c_str(), our_publisher.c_str()) == 0);
    REQUIRE(::symlink(martlet_tool().c_str(), our_subscriber.c_str()) == 0);

    const auto compare = [](const std::string& theirs, const std::string& ours, const strings& words) {
        std::string shown;
        for (const std::string& word : words)
            shown += word + ' ';
        CAPTURE(shown);
        const run_result expected = run(strings{theirs} + words);
        const run_result got = run(strings{ours} + words);
        CHECK(got.err == expected.err);
        CHECK(got.status == expected.status);
    };

    const strings no_value[] = {{"-h"},         {"-p"},           {"-L"},     {"-i"},
                                {"-I"},         {"-k"},           {"-M"},     {"-P"},
                                {"-q"},         {"-t"},           {"-u"},     {"-V"},
                                {"-x"},         {"-D"},           {"--unix"}, {"--will-payload"},
                                {"--will-qos"}, {"--will-topic"}, {"--host"}, {"--port"},
                                {"--topic"},    {"--property"}};
    const strings shared[] = {{"-p", "65536"},
                              {"-p", "-1"},
                              {"-q", "3"},
                              {"-q", "-1"},
                              {"-k", "4"},
                              {"-k", "65536"},
                              {"-V", "6"},
                              {"-x", "abc"},
                              {"-x", "4294967296"},
                              {"-x", "-2"},
                              {"-M", "0"},
                              {"-i", "a", "-I", "b"},
                              {"-I", "a", "-i", "b"},
                              {"-L", "foo://x"},
                              {"-L", "mqtt://x"},
                              {"--will-qos", "3"},
                              {"--will-topic", "a/+"},
                              {"--foo"},
                              {"-ta"},
                              {"--topic=a"},
                              {"word"},
                              {"-D", "foo", "bar", "baz"},
                              {"-D", "publish", "foo", "x"},
                              {"-D", "connect", "content-type", "x"},
                              {"-D", "publish", "topic-alias", "70000"},
                              {"-D", "publish", "user-property", "a"},
                              {"-D", "auth", "reason-string", "x"},
                              {"-D", "puback", "reason-string", "x"},
                              {"-t", "\xff"}};
    const strings pub_only[] = {{"-m"},
                                {"-f"},
                                {"--repeat"},
                                {"--repeat-delay"},
                                {"-m", "a", "-n"},
                                {"-l", "-s"},
                                {"-C", "1"},
                                {"-t", "a/#", "-m", "x"},
                                {"--repeat", "0"},
                                {"--repeat-delay", "-1"},
                                {"-t", "a", "-m", "x", "-c"},
                                {"-t", "a", "-m", "x", "--will-payload", "w"},
                                {"-t", "a", "-m", "x", "--will-retain"},
                                {"-t", "a", "-s"},
                                {"-t", "a", "-m", "x", "-p", "1", "-h", "127.0.0.1"}};
    const strings sub_only[] = {{"-C"},
                                {"-F"},
                                {"-T"},
                                {"-U"},
                                {"-W"},
                                {"--random-filter"},
                                {"-C", "0"},
                                {"-W", "0"},
                                {"-t", "++"},
                                {"-T", "++"},
                                {"-U", "++"},
                                {"-F", "%"},
                                {"-F", "%Z"},
                                {"-F", "\\z"},
                                {"-F", "\\"},
                                {"-r"},
                                {"-m", "x"},
                                {"-l"},
                                {"-t", "a", "-c"},
                                {"-t", "a", "-x", "-1", "-V", "5"}};
    for (const auto& words : no_value)
        compare(tools->pub, our_publisher, words);
    for (const auto& words : shared) {
        compare(tools->pub, our_publisher, words);
        compare(tools->sub, our_subscriber, words);
    }
    for (const auto& words : pub_only)
        compare(tools->pub, our_publisher, words);
    for (const auto& words : sub_only)
        compare(tools->sub, our_subscriber, words);
}

TEST_CASE("interop: mosquitto's profile prints as mosquitto_sub does") {
    const auto tools = find_tools();
    if (!tools) return;
    scratch_folder folder;
    our_broker broker;
    const std::string port = broker.port();
    const std::string ours = folder.path("mosquitto_sub");
    REQUIRE(::symlink(martlet_tool().c_str(), ours.c_str()) == 0);
    CHECK(run(our_pub(port) + strings{"-t",
                                      "p/text",
                                      "-m",
                                      "m\xc3\xa9ssage \"x\"\t1",
                                      "-r",
                                      "-q",
                                      "2",
                                      "-D",
                                      "publish",
                                      "content-type",
                                      "text/plain",
                                      "-D",
                                      "publish",
                                      "user-property",
                                      "k",
                                      "v",
                                      "-D",
                                      "publish",
                                      "response-topic",
                                      "re",
                                      "-D",
                                      "publish",
                                      "correlation-data",
                                      "cd"})
              .status == 0);
    CHECK(run(our_pub(port) + strings{"-t", "p/json", "-m", "{\"a\": [1, true, null]}", "-r", "-q", "1"}).status == 0);

    const strings formats[] = {{},
                               {"-v"},
                               {"-N"},
                               {"-v", "-N"},
                               {"-F", "%t|%p|%q|%r|%l|%m"},
                               {"-F", "%x %X"},
                               {"-F", "%10t|%-10t|%.3t|%-6.3t"},
                               {"-F", "%5l|%-5l|%05l|%%"},
                               {"-F", "%40p|%-40p|%3p"},
                               {"-F", "\\t\\\\@@\\e"},
                               {"-F", "%A|%C|%D|%E|%F|%P|%R|%S"},
                               {"-F", "%5A|%5C|%5E|%05F|%5R|%5S"},
                               {"-V", "5", "-F", "%C|%D|%F|%P|%R"},
                               {"-V", "5", "-F", "%12C|%-12.3C|%.1R"},
                               {"-F", "%p", "-v"},
                               {"-R", "-E"},
                               {"--retained-only", "-C", "1"}};
    for (const auto& format : formats) {
        std::string shown;
        for (const std::string& word : format)
            shown += word + ' ';
        CAPTURE(shown);
        for (const char* const topic : {"p/text", "p/json"}) {
            strings words = {"-h", "127.0.0.1", "-p", port, "-t", topic, "-q", "2"};
            if (shown.find("-E") == std::string::npos) words = words + strings{"-C", "1"};
            const run_result expected = run(strings{tools->sub} + words + format);
            const run_result got = run(strings{ours} + words + format);
            CHECK(got.out == expected.out);
            CHECK(got.err == expected.err);
            CHECK(got.status == expected.status);
        }
    }

    // Equal but for the time (2.0.11 writes "Z+0000").
    const auto without_time = [](std::string json) {
        const std::size_t begin = json.find("\"tst\":");
        return json.erase(begin, json.find(',', begin) - begin);
    };
    for (const strings& format :
         {strings{"-F", "%j"}, strings{"-V", "5", "-F", "%j"}, strings{"-F", "%J"}, strings{"-F", "%j", "--pretty"}}) {
        const strings words = strings{"-h", "127.0.0.1", "-p", port, "-t", "p/json", "-q", "2", "-C", "1"} + format;
        CHECK(without_time(run(strings{ours} + words).out) == without_time(run(strings{tools->sub} + words).out));
    }
}
