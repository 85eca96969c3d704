#include "client/message_chunk.hpp"

#include <doctest/doctest.h>

using namespace martlet;

TEST_CASE("message: an empty one has nothing and is false") {
    const message none;

    CHECK_FALSE(none);
    CHECK(none.topic().empty());
    CHECK(none.text().empty());
    CHECK(none.payload().empty());
    CHECK(none.receipt() == 0);
    CHECK(none.subscription_identifiers().empty());
    CHECK_FALSE(none.topic_alias());
    CHECK(none.properties() == message_properties{});
}

TEST_CASE("message_chunk: records follow one another and are freed by the last owner") {
    packets::publish p;
    p.topic = "topic";
    p.payload = "payload";
    message first;
    message second;
    {
        const auto chunk = detail::message_chunk::create(512);
        first = message(chunk, chunk->append(p, 0, true));
        p.payload = "another";
        second = message(chunk, chunk->append(p, 9, false));
        CHECK_FALSE(chunk->is_unique());
        CHECK(chunk->room() <= 512 - 2 * detail::record_size(p));
    }
    CHECK(first.text() == "payload");
    first = message();
    CHECK(second.text() == "another");
    CHECK(second.receipt() == 9);
}
