#include "topic_map.hpp"

#include <doctest/doctest.h>

using namespace martlet::cli;

TEST_CASE("topic_map: trees and single topics, the first that fits") {
    topic_map map;
    CHECK_FALSE(map.add("a/b=c"));
    CHECK_FALSE(map.add("a/#=x/y/#"));
    CHECK(map.apply("a/b") == "c");
    CHECK(map.apply("a/d/e") == "x/y/d/e");
    CHECK(map.apply("other") == "other");

    topic_map all;
    CHECK_FALSE(all.add("#=test/#"));
    CHECK(all.apply("a/b") == "test/a/b");
}

TEST_CASE("topic_map: rules that cannot be") {
    topic_map map;
    for (const char* const rule : {"a", "a/#=b", "a=b/#", "=b", "a=", "a#=b#", "a/+=b", "x/#=a/+/#"}) {
        CAPTURE(rule);
        CHECK(map.add(rule));
    }
}
