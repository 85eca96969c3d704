#include "engine_script.hpp"

#include <martlet/payload.hpp>

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace martlet;
using test::engine_script;

TEST_CASE("payload: a view refers to the caller's bytes and shares nothing") {
    const std::string text = "text";
    payload p(text);

    CHECK(p.bytes().data() == text.data());
    CHECK(std::move(p).share() == nullptr);
}

TEST_CASE("payload: a string that is moved in is kept, also when the payload moves on") {
    payload first(std::string("short"));
    payload second(std::move(first));

    CHECK(second.bytes() == "short");
    const auto owner = std::move(second).share();
    CHECK(owner != nullptr);
    CHECK(second.bytes() == "short");
}

TEST_CASE("payload: a long string keeps its memory all the way") {
    std::string text(100'000, 'x');
    const auto* const memory = text.data();
    payload p(std::move(text));

    const auto owner = std::move(p).share();

    CHECK(p.bytes().data() == memory);
    CHECK(p.size() == 100'000);
}

TEST_CASE("payload: a shared buffer is shared") {
    const auto text = std::make_shared<const std::string>("shared");
    payload p(text);

    CHECK(p.bytes().data() == text->data());
    CHECK(text.use_count() == 2);

    const auto bytes = std::make_shared<const std::vector<std::byte>>(3, std::byte{65});
    CHECK(payload(bytes).bytes() == "AAA");
}

TEST_CASE("payload: a shared megabyte is written from where the application has it; only its header is copied") {
    for (const qos q : {qos::at_most_once, qos::at_least_once, qos::exactly_once}) {
        CAPTURE(q);
        engine_script s;
        s.open();
        const auto bytes = std::make_shared<const std::string>(1024 * 1024, 'x');
        core::outgoing what;
        what.message = core::outgoing_message::create_shared("t", *bytes, bytes, q, false);
        what.qos = q;
        bool is_done = false;
        CHECK_FALSE(s.engine.publish(std::move(what), is_done));

        std::array<std::string_view, 8> parts;
        const std::size_t count = s.engine.out().gather(parts);
        std::size_t in_place = 0;
        std::size_t copied = 0;
        for (const std::string_view part : std::span(parts).first(count)) {
            const bool is_theirs = part.data() >= bytes->data() && part.data() < bytes->data() + bytes->size();
            (is_theirs ? in_place : copied) += part.size();
        }
        CHECK(in_place == bytes->size());
        CHECK(copied < 32);
    }
}
