// Mosquitto's ACL files: syntax, precedence, patterns, and which subscriptions they grant.
#include "auth/acl_file.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace martlet;
using namespace martlet::auth_impl;

namespace {

acl parse(std::string_view text) {
    std::string why;
    auto rights = acl::parse(text, "rights", why);
    REQUIRE_MESSAGE(rights, why);
    return *rights;
}

std::string problem(std::string_view text) {
    std::string why;
    CHECK_FALSE(acl::parse(text, "rights", why));
    return why;
}

client_info client(std::string_view user, std::string_view id = "id") {
    client_info who;
    who.user_name = user;
    who.client_id = id;
    return who;
}

bool reads(const acl& a, const client_info& who, std::string_view topic) { return a.allows(who, topic, access::read); }
bool writes(const acl& a, const client_info& who, std::string_view topic) {
    return a.allows(who, topic, access::write);
}

}  // namespace

TEST_CASE("acl_file: lines before the first user are for anonymous clients only") {
    const acl a = parse("topic read news/#\nuser joe\ntopic own/joe\n");

    CHECK(reads(a, client(""), "news/today"));
    CHECK_FALSE(writes(a, client(""), "news/today"));
    CHECK_FALSE(reads(a, client("joe"), "news/today"));
    CHECK(reads(a, client("joe"), "own/joe"));
    CHECK(writes(a, client("joe"), "own/joe"));
    CHECK_FALSE(reads(a, client("ann"), "own/joe"));
}

TEST_CASE("acl_file: read, write, readwrite and a filter with blanks") {
    const acl a =
        parse("user joe\ntopic read r\ntopic write w\ntopic readwrite b\n  topic   a topic with blanks  \r\n");

    CHECK(reads(a, client("joe"), "r"));
    CHECK_FALSE(writes(a, client("joe"), "r"));
    CHECK(writes(a, client("joe"), "w"));
    CHECK_FALSE(reads(a, client("joe"), "w"));
    CHECK(reads(a, client("joe"), "b"));
    CHECK(writes(a, client("joe"), "a topic with blanks"));
}

TEST_CASE("acl_file: a deny goes before what stands above it") {
    const acl a = parse("user joe\ntopic readwrite a/#\ntopic deny a/secret\n");

    CHECK(reads(a, client("joe"), "a/open"));
    CHECK_FALSE(reads(a, client("joe"), "a/secret"));
    CHECK_FALSE(writes(a, client("joe"), "a/secret"));
}

TEST_CASE("acl_file: patterns are for everybody, with the client's own names") {
    const acl a = parse("pattern write devices/%c/state\npattern read users/%u/#\npattern all/%u-%c\n");

    CHECK(writes(a, client("joe", "d1"), "devices/d1/state"));
    CHECK_FALSE(writes(a, client("joe", "d1"), "devices/d2/state"));
    CHECK(reads(a, client("joe", "d1"), "users/joe/inbox"));
    CHECK_FALSE(reads(a, client("ann", "d1"), "users/joe/inbox"));
    CHECK(writes(a, client("joe", "d1"), "all/joe-d1"));
}

TEST_CASE("acl_file: names with separators or wildcards never fill a pattern") {
    const acl a = parse("pattern readwrite devices/%c\npattern read users/%u/x\n");

    for (const std::string_view name : {"+", "#", "a/b", ""}) {
        CAPTURE(name);
        CHECK_FALSE(writes(a, client("joe", name), "devices/other"));
        CHECK_FALSE(writes(a, client("joe", name), "devices/" + std::string(name)));
        CHECK_FALSE(reads(a, client(name), "users/" + std::string(name) + "/x"));
    }
    CHECK_FALSE(a.is_safe_name("a+"));
    CHECK_FALSE(a.is_safe_name("#"));
    CHECK(a.is_safe_name("a/b"));
    CHECK(parse("topic a").is_safe_name("a+"));
}

TEST_CASE("acl_file: a user's own line goes before a pattern") {
    const acl a = parse("pattern deny x/%u\nuser joe\ntopic x/joe\nuser ann\ntopic deny y\n");

    CHECK(reads(a, client("joe"), "x/joe"));
    CHECK_FALSE(reads(a, client("ann"), "x/ann"));
}

TEST_CASE("acl_file: # gives nothing that begins with $") {
    const acl a = parse("topic #\nuser joe\ntopic read $SYS/#\n");

    CHECK(reads(a, client(""), "a/b"));
    CHECK_FALSE(reads(a, client(""), "$SYS/broker/uptime"));
    CHECK(reads(a, client("joe"), "$SYS/broker/uptime"));
    CHECK_FALSE(a.allows_subscription(client(""), "$SYS/#", true));
}

TEST_CASE("acl_file: a subscription is granted if it is covered") {
    const acl a = parse("topic read a/#\ntopic write w/#\ntopic deny a/deny/#\n");
    const client_info who = client("");

    for (const std::string_view filter : {"a", "a/#", "a/+", "a/b/c", "a/+/c"}) {
        CAPTURE(filter);
        CHECK(a.allows_subscription(who, filter, false));
    }
    for (const std::string_view filter : {"#", "+/b", "b", "w/#", "a/deny", "a/deny/x"}) {
        CAPTURE(filter);
        CHECK_FALSE(a.allows_subscription(who, filter, false));
    }
    CHECK(a.allows_subscription(who, "#", true));
    CHECK(a.allows_subscription(who, "+/b", true));
    CHECK_FALSE(a.allows_subscription(who, "w/#", true));
    CHECK_FALSE(a.allows_subscription(who, "a/deny/x", true));
}

TEST_CASE("acl_file: covers and overlaps") {
    CHECK(covers("+/b", "a/b"));
    CHECK(covers("+/+", "+/b"));
    CHECK(covers("a/#", "a"));
    CHECK(covers("#", "#"));
    CHECK_FALSE(covers("a/b", "+/b"));
    CHECK_FALSE(covers("+", "#"));
    CHECK_FALSE(covers("a/+", "a"));
    CHECK_FALSE(covers("a/+", "a/b/c"));
    CHECK_FALSE(covers("+/x", "$SYS/x"));

    CHECK(overlaps("a/+", "+/b"));
    CHECK(overlaps("a/#", "a"));
    CHECK(overlaps("+/b/#", "a/+"));
    CHECK_FALSE(overlaps("a/+", "a"));
    CHECK_FALSE(overlaps("a/b", "a/c"));
    CHECK_FALSE(overlaps("$SYS/#", "#"));
}

TEST_CASE("acl_file: what is wrong is said with file and line") {
    CHECK(problem("") == "rights:1: there is no rule in it; to forbid everything: topic deny #");
    CHECK(problem("# nothing\n\n") == "rights:2: there is no rule in it; to forbid everything: topic deny #");
    CHECK(problem("topic a\nuser\n") == "rights:2: 'user' has no value");
    CHECK(problem("topic a/#/b\n") == "rights:1: 'a/#/b' is no valid topic filter");
    CHECK(problem("topic read\n") == "rights:1: the topic filter is missing");
    CHECK(problem("topik a\n") == "rights:1: unknown word 'topik'; a line is user, topic or pattern");
    CHECK(problem("topic $share/g/a\n") == "rights:1: rights are for the filter without $share/group/");
    CHECK(problem("user \xFF\n") == "rights:1: the user name is not well-formed UTF-8");
}
