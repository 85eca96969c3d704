#include <martlet/store.hpp>

#include <doctest/doctest.h>

#include <cstdint>

using namespace martlet;

namespace {

stored_state load(store& from) {
    stored_state loaded;
    from.load([&](error_code error, stored_state state) {
        CHECK_FALSE(error);
        loaded = std::move(state);
    });
    return loaded;
}

core::outgoing_row row(std::uint64_t order, core::outgoing_state state = core::outgoing_state::queued) {
    core::outgoing what;
    what.message = core::outgoing_message::create("t", "x", qos::at_least_once, false);
    what.qos = qos::at_least_once;
    what.who = 99;
    return {core::session_key{1}, order, state, packet_id{static_cast<std::uint16_t>(order)}, what, 0};
}

}  // namespace

TEST_CASE("memory_store: brings back what was committed, in order") {
    const auto s = memory_store();
    std::uint64_t committed = 0;

    s->commit({7,
               {core::session_row{core::session_key{1}, "c", 60, {}, protocol_version::v5}, row(2), row(1),
                core::received_row{core::session_key{1}, packet_id{5}}}},
              [&](error_code error, std::uint64_t number) {
                  CHECK_FALSE(error);
                  committed = number;
              });

    CHECK(committed == 7);
    const auto state = load(*s);
    REQUIRE(state.sessions.size() == 1);
    CHECK(state.sessions[0].row.client_id == "c");
    REQUIRE(state.sessions[0].messages.outgoing.size() == 2);
    CHECK(state.sessions[0].messages.outgoing[0].order == 1);
    CHECK(state.sessions[0].messages.outgoing[0].what.who == 0);
    CHECK(state.sessions[0].messages.received.size() == 1);
}

TEST_CASE("memory_store: rows are replaced and erased") {
    const auto s = memory_store();
    const auto ignore = [](error_code, std::uint64_t) {};
    const core::session_key key{1};

    s->commit({1, {row(1), row(2), core::received_row{key, packet_id{5}}}}, ignore);
    s->commit({2,
               {row(1, core::outgoing_state::in_flight), core::erase_outgoing{key, 2},
                core::erase_received{key, packet_id{5}}}},
              ignore);

    const auto state = load(*s);
    REQUIRE(state.sessions[0].messages.outgoing.size() == 1);
    CHECK(state.sessions[0].messages.outgoing[0].state == core::outgoing_state::in_flight);
    CHECK(state.sessions[0].messages.received.empty());
    s->commit({3, {core::erase_session{key}}}, ignore);
    CHECK(load(*s).sessions.empty());
}
