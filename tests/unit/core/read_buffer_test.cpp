#include <martlet/core/read_buffer.hpp>

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>
#include <vector>

using namespace martlet;
using namespace martlet::core;
using namespace std::literals;

namespace {

constexpr auto v5 = protocol_version::v5;

std::string publish(std::size_t payload_size, char fill) {
    std::string bytes(1, '\x30');
    char length[4];
    const std::size_t remaining = 2 + 1 + 1 + payload_size;
    bytes.append(length, encode_variable_byte_integer(remaining, length));
    bytes += "\x00\x01t\x00"sv;
    return bytes + std::string(payload_size, fill);
}

void check_splits(const std::string& stream, std::size_t count, std::initializer_list<std::size_t> steps) {
    std::vector<std::string> expected;
    {
        read_buffer whole;
        frame f;
        fault why;
        whole.offer(stream);
        while (whole.next(v5, 2'000'000, f, why) == frame_status::complete)
            expected.emplace_back(f.packet);
    }
    REQUIRE(expected.size() == count);

    for (const std::size_t step : steps) {
        CAPTURE(step);
        read_buffer subject;
        std::vector<std::string> found;
        for (std::size_t at = 0; at < stream.size(); at += step) {
            const std::string piece = stream.substr(at, step);
            subject.offer(piece);
            frame f;
            fault why;
            while (subject.next(v5, 2'000'000, f, why) == frame_status::complete)
                found.emplace_back(f.packet);
            subject.keep_rest();
        }
        CHECK((found == expected));  // not printed: it is long
        CHECK(subject.kept() == 0);
    }
}

}  // namespace

TEST_CASE("read_buffer: any split of a byte stream gives the same packets") {
    const std::string small =
        publish(0, 'a') + publish(200, 'b') + "\xC0\x00"s + publish(20'000, 'c') + "\xD0\x00"s + publish(3, 'd');
    check_splits(small, 6, {1u, 2u, 3u, 7u, 100u, 201u, 207u, 4096u, 20'000u});
    // In the middle of a large one memory is kept for the next; a packet of over a mebibyte is beyond that.
    const std::string large = publish(300'000, 'a') + publish(2, 'b') + publish(280'000, 'c') +
                              publish(1'200'000, 'd') + publish(70'000, 'e');
    check_splits(large, 5, {1'000u, 65'536u, 299'999u, 1'000'000u});
}

TEST_CASE("read_buffer: an owner that stops asking loses nothing") {
    const std::string stream = publish(5, 'a') + publish(6, 'b') + publish(7, 'c');
    read_buffer subject;
    frame f;
    fault why;
    {
        const std::string piece = stream;
        subject.offer(piece);
        REQUIRE(subject.next(v5, 1000, f, why) == frame_status::complete);
        subject.keep_rest();
    }
    CHECK(subject.has_rest());

    const std::string more = publish(8, 'd');
    subject.offer(more);

    for (const char fill : {'b', 'c', 'd'}) {
        REQUIRE(subject.next(v5, 1000, f, why) == frame_status::complete);
        CHECK(f.body.back() == fill);
    }
    CHECK(subject.next(v5, 1000, f, why) == frame_status::incomplete);
    CHECK_FALSE(subject.has_rest());
}

TEST_CASE("read_buffer: a length announced and never sent costs only what has arrived") {
    read_buffer subject;
    frame f;
    fault why;
    const std::string head = "\x30\xFF\xFF\xFF\x7F"s + "\x00\x01t"s;

    subject.offer(head);
    CHECK(subject.next(v5, 300'000'000, f, why) == frame_status::incomplete);
    subject.keep_rest();

    CHECK(subject.kept() == head.size());
}

TEST_CASE("read_buffer: a packet above the maximum is refused before its body has arrived") {
    read_buffer subject;
    frame f;
    fault why;

    subject.offer("\x30\x80\x08"sv);

    CHECK(subject.next(v5, 1000, f, why) == frame_status::faulty);
    CHECK(why.reason == reason_code::packet_too_large);
}
