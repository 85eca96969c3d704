#include "client/routes.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using namespace martlet;
using detail::routes;
using detail::stream_state_ptr;

namespace {

stream_state_ptr make_stream(std::uint32_t identifier, std::vector<std::string> filters) {
    auto s = std::make_shared<detail::stream_state>(inbox_limits{});
    s->filters = std::move(filters);
    s->live.assign(s->filters.size(), true);
    s->identifier = identifier;
    return s;
}

std::vector<std::uint32_t> match(routes& r, std::string_view topic, std::vector<std::uint32_t> identifiers = {}) {
    packets::publish p;
    p.topic = topic;
    p.subscription_identifiers = std::span<const std::uint32_t>(identifiers);
    std::vector<std::uint32_t> found;
    for (const auto& stream : r.match(p))
        found.push_back(stream->identifier);
    return found;
}

using ids = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("routes: without identifiers every stream with a matching filter") {
    routes r;
    r.add(make_stream(1, {"a/+"}));
    r.add(make_stream(2, {"a/b", "c"}));
    r.add(make_stream(3, {"$share/g/a/#"}));

    CHECK(match(r, "a/b") == ids{1, 2, 3});
    CHECK(match(r, "a/x") == ids{1, 3});
    CHECK(match(r, "c") == ids{2});
    CHECK(match(r, "d").empty());
}

TEST_CASE("routes: an identifier names the stream among overlapping ones") {
    routes r;
    r.add(make_stream(1, {"a/+"}));
    r.add(make_stream(2, {"a/b"}));

    CHECK(match(r, "a/b", {2}) == ids{2});
    CHECK(match(r, "a/b", {1}) == ids{1});
    CHECK(match(r, "a/b", {1, 2}) == ids{1, 2});
    CHECK(match(r, "a/b") == ids{1, 2});
}

TEST_CASE("routes: an identifier of an earlier process does not mislead") {
    routes r;
    r.add(make_stream(1, {"b"}));
    r.add(make_stream(2, {"a"}));

    CHECK(match(r, "a", {1}) == ids{2});
    CHECK(match(r, "x", {1}).empty());
}

TEST_CASE("routes: two streams with the same filter both get what carries the later identifier") {
    routes r;
    r.add(make_stream(1, {"a"}));
    r.add(make_stream(2, {"a"}));

    CHECK(match(r, "a", {2}) == ids{2, 1});
}

TEST_CASE("routes: what was found before does not outlive a change") {
    routes r;
    const auto stream = make_stream(1, {"a"});
    r.add(stream);
    CHECK(match(r, "a") == ids{1});
    CHECK(match(r, "a") == ids{1});

    r.add(make_stream(2, {"#"}));
    CHECK(match(r, "a") == ids{1, 2});
    r.remove(*stream);
    CHECK(match(r, "a") == ids{2});
}

TEST_CASE("routes: find_filter sees live filters of open streams only") {
    routes r;
    const auto stream = make_stream(1, {"a", "b"});
    r.add(stream);

    CHECK(r.find_filter("a") == stream.get());
    CHECK(r.find_filter("a", stream.get()) == nullptr);
    stream->live[0] = false;
    CHECK(r.find_filter("a") == nullptr);
    CHECK(r.find_filter("b") == stream.get());
}
