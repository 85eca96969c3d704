#include <martlet/core/inflight.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <vector>

using namespace martlet;
using namespace martlet::core;

namespace {

std::vector<unsigned> ids(inflight& subject, inflight::list which) {
    std::vector<unsigned> found;
    for (auto* entry = subject.first(which); entry != nullptr; entry = subject.next(*entry)) {
        found.push_back(to_number(entry->id));
    }
    return found;
}

}  // namespace

TEST_CASE("inflight: all 65,535 packet ids are given before none is left, and 0 never is") {
    inflight subject;
    std::set<unsigned> given;

    for (int i = 0; i != 65'535; ++i) {
        const auto* entry = subject.acquire(inflight_state::awaiting_puback);
        REQUIRE(entry != nullptr);
        given.insert(to_number(entry->id));
    }

    CHECK(given.size() == 65'535);
    CHECK(given.count(0) == 0);
    CHECK(subject.acquire(inflight_state::awaiting_puback) == nullptr);
    CHECK(subject.publish_count() == 65'535);

    auto* freed = subject.find(packet_id{777});
    REQUIRE(freed != nullptr);
    subject.release(*freed);
    const auto* again = subject.acquire(inflight_state::awaiting_pubrec);
    REQUIRE(again != nullptr);
    CHECK(again->id == packet_id{777});
}

TEST_CASE("inflight: ids rise and wrap, so that a freed one is not given at once") {
    inflight subject;

    for (unsigned i = 1; i <= 65'535; ++i) {
        auto* entry = subject.acquire(inflight_state::awaiting_puback);
        REQUIRE(to_number(entry->id) == i);
        subject.release(*entry);
    }

    CHECK(to_number(subject.acquire(inflight_state::awaiting_puback)->id) == 1);
}

TEST_CASE("inflight: an id that is never acknowledged is skipped and does not make the table grow") {
    inflight subject;
    const packet_id stuck = subject.acquire(inflight_state::awaiting_puback)->id;

    for (int i = 0; i != 200'000; ++i) {
        auto* entry = subject.acquire(inflight_state::awaiting_puback);
        REQUIRE(entry != nullptr);
        REQUIRE(entry->id != stuck);
        subject.release(*entry);
    }

    REQUIRE(subject.find(stuck) != nullptr);
    CHECK(subject.count() == 1);
}

TEST_CASE("inflight: lists keep the order of sending, and of the PUBRECs, across growth") {
    inflight subject;
    for (int i = 0; i != 100; ++i)
        REQUIRE(subject.acquire(inflight_state::awaiting_pubrec) != nullptr);

    subject.to_released(*subject.find(packet_id{50}));
    subject.to_released(*subject.find(packet_id{3}));
    subject.to_released(*subject.find(packet_id{99}));

    CHECK(ids(subject, inflight::list::releases) == std::vector<unsigned>{50, 3, 99});
    const auto publishes = ids(subject, inflight::list::publishes);
    CHECK(publishes.size() == 97);
    CHECK(std::is_sorted(publishes.begin(), publishes.end()));
    CHECK(subject.publish_count() == 100);
}

TEST_CASE("inflight: ids of an earlier process may collide in their low bits") {
    inflight subject;

    REQUIRE(subject.restore(packet_id{1}, inflight_state::awaiting_puback) != nullptr);
    REQUIRE(subject.restore(packet_id{16'385}, inflight_state::awaiting_puback) != nullptr);
    REQUIRE(subject.restore(packet_id{32'769}, inflight_state::awaiting_pubcomp) != nullptr);

    CHECK(subject.restore(packet_id{1}, inflight_state::awaiting_puback) == nullptr);
    CHECK(subject.restore(packet_id::none, inflight_state::awaiting_puback) == nullptr);
    CHECK(ids(subject, inflight::list::publishes) == std::vector<unsigned>{1, 16'385});
    CHECK(ids(subject, inflight::list::releases) == std::vector<unsigned>{32'769});
    CHECK(subject.find(packet_id{2}) == nullptr);
}

TEST_CASE("inflight: requests share the ids but do not count against Receive Maximum") {
    inflight subject;

    auto* publish = subject.acquire(inflight_state::awaiting_puback);
    const packet_id publish_id = publish->id;
    auto* request = subject.acquire(inflight_state::awaiting_suback);

    CHECK(request->id != publish_id);
    CHECK(subject.publish_count() == 1);
    CHECK(subject.count() == 2);
    subject.release(*request);
    CHECK(subject.publish_count() == 1);
    CHECK(subject.first(inflight::list::requests) == nullptr);
}
