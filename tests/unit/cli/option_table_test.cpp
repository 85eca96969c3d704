#include "option_table.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <string_view>

using namespace martlet::cli;

namespace {

constexpr command commands[] = {command::pub,    command::sub,   command::rr,    command::broker,
                                command::passwd, command::bench, command::msgsps};
constexpr profile profiles[] = {profile::native, profile::mosquitto};

}  // namespace

TEST_CASE("option_table: a name means one thing in a subcommand") {
    for (const command c : commands) {
        std::set<std::string_view> names;
        for (const option& row : options()) {
            if (!belongs_to(row, c)) continue;
            for (const std::string_view name : {row.short_name, row.long_name}) {
                if (name.empty()) continue;
                CAPTURE(std::string(name));
                CHECK(names.insert(name).second);
            }
        }
    }
}

TEST_CASE("option_table: every row has a name and a help text, and a complaint exactly if it takes a value") {
    for (const option& row : options()) {
        CAPTURE(std::string(row.short_name) + std::string(row.long_name));
        CHECK_FALSE((row.short_name.empty() && row.long_name.empty()));
        CHECK_FALSE(row.help.empty());
        CHECK(row.value_name.empty() == row.missing.empty());
        CHECK((row.short_name.empty() || (row.short_name.size() == 2 && row.short_name[0] == '-')));
        CHECK((row.long_name.empty() || row.long_name.starts_with("--")));
    }
}

TEST_CASE("option_table: mosquitto_pub's and mosquitto_sub's options are all known") {
    constexpr std::string_view both[] = {"-A",
                                         "--cafile",
                                         "--capath",
                                         "--cert",
                                         "--ciphers",
                                         "-c",
                                         "--disable-clean-session",
                                         "-d",
                                         "--debug",
                                         "-D",
                                         "--property",
                                         "--help",
                                         "-h",
                                         "--host",
                                         "--insecure",
                                         "-i",
                                         "--id",
                                         "-I",
                                         "--id-prefix",
                                         "-k",
                                         "--keepalive",
                                         "--key",
                                         "--keyform",
                                         "-L",
                                         "--url",
                                         "-M",
                                         "--nodelay",
                                         "--no-tls",
                                         "-o",
                                         "-p",
                                         "--port",
                                         "-P",
                                         "--pw",
                                         "--proxy",
                                         "--psk",
                                         "--psk-identity",
                                         "-q",
                                         "--qos",
                                         "--quiet",
                                         "-S",
                                         "-t",
                                         "--topic",
                                         "--tls-alpn",
                                         "--tls-engine",
                                         "--tls-engine-kpass-sha1",
                                         "--tls-keylog",
                                         "--tls-use-os-certs",
                                         "--tls-version",
                                         "-u",
                                         "--username",
                                         "--unix",
                                         "-V",
                                         "--protocol-version",
                                         "--version",
                                         "--will-payload",
                                         "--will-qos",
                                         "--will-retain",
                                         "--will-topic",
                                         "--ws",
                                         "-x"};
    constexpr std::string_view pub_only[] = {"-f", "--file",         "-l", "--stdin-line", "-m",       "--message",
                                             "-n", "--null-message", "-r", "--retain",     "--repeat", "--repeat-delay",
                                             "-s", "--stdin-file"};
    constexpr std::string_view sub_only[] = {"-C",
                                             "-E",
                                             "-F",
                                             "-N",
                                             "--pretty",
                                             "-R",
                                             "--random-filter",
                                             "--remove-retained",
                                             "--retain-as-published",
                                             "--retain-handling",
                                             "--retained-only",
                                             "-T",
                                             "--filter-out",
                                             "-U",
                                             "--unsubscribe",
                                             "-v",
                                             "--verbose",
                                             "-W",
                                             "-w",
                                             "--watch",
                                             "--message-rate"};

    for (const profile p : profiles) {
        for (const std::string_view name : both) {
            CAPTURE(std::string(name));
            CHECK(find_option(name, command::pub, p) != nullptr);
            CHECK(find_option(name, command::sub, p) != nullptr);
        }
        for (const std::string_view name : pub_only) {
            CAPTURE(std::string(name));
            CHECK(find_option(name, command::pub, p) != nullptr);
            CHECK(find_option(name, command::sub, p) == nullptr);
        }
        for (const std::string_view name : sub_only) {
            CAPTURE(std::string(name));
            CHECK(find_option(name, command::sub, p) != nullptr);
            const option* const in_pub = find_option(name, command::pub, p);
            CHECK((in_pub == nullptr || in_pub->available == availability::native_only));
        }
    }
}

TEST_CASE("option_table: options of our own are unknown in mosquitto's profile") {
    CHECK(find_option("--json", command::sub, profile::native) != nullptr);
    CHECK(find_option("--json", command::sub, profile::mosquitto) == nullptr);
    CHECK(find_option("-W", command::pub, profile::native) != nullptr);
    CHECK(find_option("-W", command::pub, profile::mosquitto) == nullptr);
}

TEST_CASE("nearest_option: finds a slip of the finger, but does not guess") {
    CHECK(nearest_option("--retian", command::pub, profile::native) == "--retain");
    CHECK(nearest_option("--topics", command::sub, profile::native) == "--topic");
    CHECK(nearest_option("--will-pay", command::sub, profile::native) == "--will-payload");
    CHECK(nearest_option("--zzzzzzz", command::pub, profile::native).empty());
    CHECK(nearest_option("-z", command::pub, profile::native).empty());
}
