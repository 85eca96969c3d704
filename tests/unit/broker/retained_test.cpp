#include "broker/retained.hpp"

#include <martlet/topic.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace martlet;
using namespace martlet::broker_impl;
using namespace std::chrono_literals;

namespace {

constexpr unix_time start{1'000'000s};

core::message_ref message(std::string_view topic, std::string_view payload = "x",
                          std::optional<unix_time> expires_at = {}) {
    return core::outgoing_message::create(topic, payload, qos::at_least_once, true, {}, expires_at);
}

std::vector<std::string> topics(retained& subject, std::string_view filter, unix_time now = start) {
    std::vector<std::string> all;
    retained::cursor walk(subject, filter);
    std::size_t steps = 1'000'000;
    while (const auto found = walk.next(now, steps))
        all.emplace_back(found->topic());
    CHECK(walk.done());
    return all;
}

using list = std::vector<std::string>;

}  // namespace

TEST_CASE("MQTT-3.3.1-5: a message replaces the one of its topic") {
    retained subject(1);
    CHECK(subject.put(message("a/b", "old")));
    CHECK(subject.put(message("a/b", "new")));
    CHECK(subject.count() == 1);
    CHECK(subject.find("a/b")->payload() == "new");
    CHECK(subject.find("a") == nullptr);
    CHECK(subject.erase("a/b"));
    CHECK(!subject.erase("a/b"));
    CHECK(!subject.erase("a"));
    CHECK(subject.count() == 0);
    CHECK(subject.bytes() == 0);
}

TEST_CASE("retained: filters find their topics in the order of first use") {
    retained subject(1);
    for (const char* topic : {"a", "a/b", "/b", "a/c/d", "b", "$SYS/x", "a/b/", "c/b"})
        subject.put(message(topic));
    CHECK(topics(subject, "a/b") == list{"a/b"});
    CHECK(topics(subject, "a/+") == list{"a/b"});
    CHECK(topics(subject, "+/b") == list{"a/b", "/b", "c/b"});
    CHECK(topics(subject, "a/#") == list{"a", "a/b", "a/b/", "a/c/d"});
    CHECK(topics(subject, "#") == list{"a", "a/b", "a/b/", "a/c/d", "/b", "b", "c/b"});
    CHECK(topics(subject, "+") == list{"a", "b"});
    CHECK(topics(subject, "+/#") == list{"a", "a/b", "a/b/", "a/c/d", "/b", "b", "c/b"});
    CHECK(topics(subject, "+/+/+") == list{"a/b/", "a/c/d"});
    CHECK(topics(subject, "$SYS/#") == list{"$SYS/x"});
    CHECK(topics(subject, "$SYS/+") == list{"$SYS/x"});
    CHECK(topics(subject, "+/x") == list{});
    CHECK(topics(subject, "x/#") == list{});
}

TEST_CASE("retained: a cursor rests while topics come and go, and leaves out what came later") {
    retained subject(1);
    for (const char* topic : {"a/1", "a/2", "a/3/x", "a/4", "b"})
        subject.put(message(topic));
    retained::cursor walk(subject, "a/#");
    std::size_t steps = 100;
    CHECK(walk.next(start, steps)->topic() == "a/1");
    subject.erase("a/2");
    subject.erase("a/3/x");
    subject.put(message("a/5"));
    subject.put(message("a/4", "newer"));
    subject.put(message("a/6"));
    CHECK(walk.next(start, steps) == nullptr);
    CHECK(walk.done());
}

TEST_CASE("retained: a cursor survives the removal of everything") {
    retained subject(1);
    for (int i = 0; i < 10; ++i)
        subject.put(message("a/b/c/" + std::to_string(i)));
    retained::cursor walk(subject, "+/b/+/#");
    std::size_t steps = 100;
    CHECK(walk.next(start, steps) != nullptr);
    for (int i = 0; i < 10; ++i)
        subject.erase("a/b/c/" + std::to_string(i));
    CHECK(walk.next(start, steps) == nullptr);
    CHECK(walk.done());
}

TEST_CASE("retained: a walk without matches stops after the steps it was given") {
    retained subject(1);
    for (int i = 0; i < 100; ++i)
        subject.put(message(std::to_string(i) + "/x"));
    retained::cursor walk(subject, "+/y");
    int calls = 0;
    while (!walk.done()) {
        std::size_t steps = 10;
        CHECK(walk.next(start, steps) == nullptr);
        CHECK(++calls <= 11);
    }
    CHECK(calls > 5);
}

TEST_CASE("retained: at the count limit a new topic is refused and a known one still replaced") {
    retained subject(1, {.count_max = 2});
    CHECK(subject.put(message("a")));
    CHECK(subject.put(message("b")));
    CHECK(!subject.put(message("c/d")));
    CHECK(subject.find("c/d") == nullptr);
    CHECK(subject.put(message("a", "new")));
    CHECK(subject.count() == 2);
    CHECK(topics(subject, "#") == list{"a", "b"});
}

TEST_CASE("retained: at the byte limit neither the new nor the stale message is kept") {
    const auto small = message("a");
    retained subject(1, {.bytes_max = small->cost() + 10});
    CHECK(subject.put(small));
    CHECK(!subject.put(message("a", std::string(100, 'x'))));
    CHECK(subject.count() == 0);
    CHECK(subject.bytes() == 0);
    CHECK(subject.put(small));
}

TEST_CASE("MQTT-3.3.2-5: an expired message is neither found by a walk nor kept") {
    retained subject(1);
    subject.put(message("a", "x", start + 10s));
    subject.put(message("b", "x", start + 5s));
    subject.put(message("c"));
    subject.put(message("b", "y", start + 20s));
    CHECK(subject.next_expiry() <= start + 10s);
    CHECK(topics(subject, "#", start + 10s) == list{"b", "c"});

    list gone;
    subject.expire(start + 9s, [&](std::string_view topic) { gone.emplace_back(topic); });
    CHECK(gone.empty());
    subject.expire(start + 10s, [&](std::string_view topic) { gone.emplace_back(topic); });
    CHECK(gone == list{"a"});
    CHECK(subject.next_expiry() == start + 20s);
    subject.expire(start + 20s);
    CHECK(subject.count() == 1);
    CHECK(subject.next_expiry() == unix_time::max());
}

TEST_CASE("retained: replacing a message that expires many times keeps the heap small") {
    retained subject(1);
    for (int i = 0; i < 10'000; ++i)
        subject.put(message("a", "x", start + std::chrono::seconds(100'000 - i)));
    CHECK(subject.count() == 1);
    subject.expire(start + 100'000s);
    CHECK(subject.count() == 0);
}

TEST_CASE("retained: a topic of 32,768 levels works without recursion") {
    std::string topic;
    while (topic.size() < 65'534)
        topic += "/x";
    retained subject(1);
    subject.put(message(topic));
    CHECK(topics(subject, "#") == list{topic});
    CHECK(topics(subject, topic) == list{topic});
    subject.erase(topic);
    CHECK(topics(subject, "#").empty());
}

TEST_CASE("retained: agrees with a naive search under random changes, also for walks that rest") {
    for (std::uint32_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        std::mt19937 random(seed);
        const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
        const auto level = [&] { return std::vector<std::string>{"a", "b", "", "$x", "cc"}[below(5)]; };
        const auto random_topic = [&] {
            std::string topic = level();
            for (unsigned n = below(4); n > 0; --n)
                topic += "/" + level();
            return topic.empty() ? std::string("a") : topic;
        };
        const auto random_filter = [&] {
            std::string filter = below(3) == 0 ? "+" : level();
            for (unsigned n = below(4); n > 0; --n)
                filter += "/" + (below(3) == 0 ? "+" : level());
            if (below(3) == 0) filter += "/#";
            if (below(10) == 0) filter = "#";
            return filter.empty() ? std::string("+") : filter;
        };

        retained subject(seed);
        std::map<std::string, int> naive;  // topic → number of its put
        int number = 0;
        struct resting {
            std::unique_ptr<retained::cursor> walk;
            std::map<std::string, int> at_start;  // what matched when it began
            std::set<std::string> given;
        };
        std::vector<resting> walks;
        const auto step = [&](resting& r) {
            std::size_t steps = 3;
            const auto found = r.walk->next(start, steps);
            if (found) {
                const std::string topic(found->topic());
                CHECK(r.given.insert(topic).second);
                REQUIRE(r.at_start.contains(topic));
                CHECK(naive.at(topic) == r.at_start.at(topic));
            }
            return !r.walk->done();
        };

        for (int i = 0; i < 300; ++i) {
            const std::string topic = random_topic();
            if (below(3) == 0) {
                CHECK(subject.erase(topic) == (naive.erase(topic) == 1));
            } else {
                subject.put(message(topic, std::to_string(++number)));
                naive[topic] = number;
            }
            CHECK(subject.count() == naive.size());

            const std::string filter = random_filter();
            CAPTURE(filter);
            std::map<std::string, int> expected;
            for (const auto& item : naive) {
                if (topic_matches(filter, item.first)) expected.insert(item);
            }
            std::set<std::string> keys;
            for (const auto& item : expected)
                keys.insert(item.first);
            const auto found = topics(subject, filter);
            CHECK(found.size() == keys.size());
            CHECK(std::set<std::string>(found.begin(), found.end()) == keys);

            walks.push_back({std::make_unique<retained::cursor>(subject, filter), expected, {}});
            for (resting& r : walks) {
                if (below(2) == 0) step(r);
            }
            while (walks.size() > 5) {  // the oldest runs to its end: it gave all that is still as it was at its start
                resting& r = walks.front();
                while (step(r)) {}
                for (const auto& [known, n] : r.at_start) {
                    const auto it = naive.find(known);
                    if (it != naive.end() && it->second == n) CHECK(r.given.contains(known));
                }
                walks.erase(walks.begin());
            }
        }
    }
}
