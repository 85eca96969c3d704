#include <martlet/payload.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

using martlet::payload;

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
