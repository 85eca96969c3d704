#include "srv_lookup.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>
#include <vector>

using namespace martlet::cli;
using namespace std::string_literals;

namespace {

std::string number(unsigned n) { return {static_cast<char>(n >> 8), static_cast<char>(n & 255)}; }

/// An answer to the question for _mqtt._tcp.x.org; its name stands at 12.
std::string answer(unsigned records, const std::string& rest) {
    return "\x12\x34\x81\x80\x00\x01"s + number(records) + "\0\0\0\0"s + "\5_mqtt\4_tcp\1x\3org\0"s + "\0\x21\0\1"s +
           rest;
}

std::string record(unsigned type, const std::string& data) {
    return "\xC0\x0C"s + number(type) + "\0\1\0\0\0\x3C"s + number(static_cast<unsigned>(data.size())) + data;
}

std::string srv(unsigned priority, unsigned weight, unsigned port, const std::string& name) {
    return record(33, number(priority) + number(weight) + number(port) + name);
}

auto parsed(const std::string& bytes) {
    return parse_srv_answer({reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()});
}

}  // namespace

TEST_CASE("srv: records with whole and with compressed names, others passed over") {
    const std::string org = "\xC0\x19"s;  // "x.org", of the question
    const auto found =
        parsed(answer(3, srv(10, 5, 1883, "\1a" + org) + record(5, "\1z" + org) + srv(20, 0, 8883, "\1b\2cd\0"s)));
    REQUIRE(found);
    CHECK(*found == std::vector<srv_record>{{10, 5, 1883, "a.org"}, {20, 0, 8883, "b.cd"}});
    CHECK(parsed(answer(1, srv(0, 0, 0, "\0"s))).value().at(0).host.empty());  // there is no such service
    CHECK(parsed(answer(0, "")).value().empty());
}

TEST_CASE("srv: what is malformed is refused, wherever it is cut") {
    const std::string good = answer(2, srv(1, 2, 3, "\1a\xC0\x19"s) + srv(1, 2, 3, "\1b\xC0\x19"s));
    REQUIRE(parsed(good));
    for (std::size_t size = 0; size < good.size(); ++size)
        CHECK_FALSE(parsed(good.substr(0, size)));
    const std::string loop = answer(1, srv(1, 2, 3, "\1a\xC0\x36"s));  // a pointer to the name it stands in
    CHECK_FALSE(parsed(loop));
    CHECK_FALSE(parsed(answer(1, srv(1, 2, 3, "\1a\xFF\xFF"s))));
    CHECK_FALSE(parsed(answer(1, srv(1, 2, 3, "\1a\0junk"s))));
}

TEST_CASE("srv: by priority, then drawn by weight") {
    const std::vector<srv_record> records = {
        {2, 0, 1, "late"}, {1, 10, 1, "small"}, {1, 90, 1, "large"}, {1, 0, 1, "idle"}};
    const auto order = [&](std::vector<std::uint32_t> drawn) {
        std::vector<srv_record> copy = records;
        std::size_t at = 0;
        std::vector<std::uint32_t> sums;
        order_srv(copy, [&](std::uint32_t sum) {
            sums.push_back(sum);
            return drawn.at(at++);
        });
        std::string names;
        for (const srv_record& r : copy)
            names += r.host + ' ';
        CHECK(sums[0] == 100);
        return names;
    };
    CHECK(order({0, 0, 0, 0}) == "idle small large late ");
    CHECK(order({1, 0, 0, 0}) == "small idle large late ");
    CHECK(order({10, 90, 0, 0}) == "small large idle late ");
    CHECK(order({11, 10, 0, 0}) == "large small idle late ");
    CHECK(order({100, 1, 0, 0}) == "large small idle late ");
}
