#include "faults/plan.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

using namespace martlet;
using faults_impl::dice;

TEST_CASE("rules are numbered, removed and counted") {
    faults rules(7);
    CHECK(rules.seed() == 7);
    CHECK(rules.add("drop publish").value() == 0);
    CHECK(rules.add("split 1").value() == 1);
    const auto wrong = rules.add("dorp publish");
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().code == errc::option_invalid);
    CHECK(wrong.error().text.starts_with("'dorp publish': 'dorp' is not an action"));
    try {
        wrong.value();
        FAIL("a rule that is none has a number");
    } catch (const boost::system::system_error& thrown) {
        CHECK(thrown.code() == errc::option_invalid);
        CHECK(std::string(thrown.what()).starts_with("'dorp publish': 'dorp' is not an action"));
    }
    CHECK(rules.plan()->needs_packets());
    rules.remove(0);
    CHECK_FALSE(rules.plan()->needs_packets());
    rules.remove(99);
    rules.clear();
    CHECK(rules.counts().size() == 2);
    CHECK(rules.counts()[0].rule == "drop publish");
    CHECK(rules.total() == 0);
}

TEST_CASE("a script is taken as a whole or not at all") {
    faults rules;
    std::string why;
    CHECK(rules.add_lines("# a comment\n\n  drop puback n=1 \r\nsplit 1\n", &why) == error_code());
    CHECK(rules.counts().size() == 2);
    CHECK(rules.counts()[0].rule == "drop puback n=1");
    CHECK(rules.add_lines("reset\n\ndrop what\n", &why) == errc::option_invalid);
    CHECK(why == "line 3: 'what' is not a part of a rule");
    CHECK(rules.counts().size() == 2);
}

TEST_CASE("dice: the same seed and connection, the same numbers; others, others") {
    const faults one(7);
    const faults other(8);
    const auto first = [](const faults& of, std::uint64_t connection) {
        dice d = of.plan()->dice_of(connection);
        std::vector<std::uint64_t> numbers;
        for (int i = 0; i < 8; ++i)
            numbers.push_back(d.next());
        return numbers;
    };
    CHECK(first(one, 1) == first(faults(7), 1));
    CHECK(first(one, 1) != first(one, 2));
    CHECK(first(one, 1) != first(other, 1));

    dice d(1);
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 200; ++i)
        seen.insert(d.between(3, 6));
    CHECK(seen == std::set<std::uint64_t>{3, 4, 5, 6});
    int hits = 0;
    for (int i = 0; i < 10'000; ++i)
        hits += d.falls(0.25) ? 1 : 0;
    CHECK(hits > 2'300);
    CHECK(hits < 2'700);
    CHECK(d.falls(1));
    CHECK_FALSE(d.falls(0));
}
