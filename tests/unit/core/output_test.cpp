#include <martlet/core/output.hpp>

#include <doctest/doctest.h>

#include <deque>
#include <random>

using namespace martlet;
using namespace martlet::core;

namespace {

std::string all(const output& subject, std::size_t views_max = 64) {
    std::vector<std::string_view> views(views_max);
    const std::size_t count = subject.gather(views);
    std::string bytes;
    for (std::size_t i = 0; i != count; ++i)
        bytes += views[i];
    return bytes;
}

message_ref message(std::size_t payload_size, char fill) {
    return outgoing_message::create("t", std::string(payload_size, fill), qos::at_most_once, false);
}

}  // namespace

TEST_CASE("output: what is appended comes out in order, small payloads copied, large ones shared") {
    buffer_pool pool;
    output subject(pool);
    const auto small = message(10, 's');
    const auto large = message(output::share_size_min, 'L');

    subject.append("a");
    subject.append_payload(small);
    subject.append_payload(large);
    subject.append("z");

    CHECK(subject.size() == 1 + 10 + output::share_size_min + 1);
    CHECK(all(subject) == "a" + std::string(10, 's') + std::string(output::share_size_min, 'L') + "z");
    std::string_view views[8];
    CHECK(subject.gather(views) == 3);
    CHECK(views[1].data() == large->payload().data());
    CHECK(views[0].size() == 11);
}

TEST_CASE("output: any sequence of appends, loans and consumes is a FIFO of bytes") {
    buffer_pool pool;
    output subject(pool);
    std::string model;
    std::deque<std::string> lent;  // until the loan ends, and then it is scribbled over
    std::mt19937 random(7);
    for (int i = 0; i != 20'000; ++i) {
        switch (random() % 6) {
            case 2:
                lent.emplace_back(random() % 9000 + 1, static_cast<char>('0' + random() % 10));
                subject.lend(lent.back());
                model += lent.back();
                break;
            case 3:
                subject.keep_lent();
                for (std::string& bytes : lent)
                    bytes.assign(bytes.size(), '!');
                lent.clear();
                break;
            case 0: {
                const std::string bytes(random() % 300, static_cast<char>('a' + random() % 26));
                subject.append(bytes);
                model += bytes;
                break;
            }
            case 1: {
                const auto m = message(random() % 9000, static_cast<char>('A' + random() % 26));
                subject.append_payload(m);
                model += m->payload();
                break;
            }
            default: {
                const std::size_t n = model.empty() ? 0 : random() % (std::min<std::size_t>(model.size(), 12'000) + 1);
                subject.consume(n);
                model.erase(0, n);
                break;
            }
        }
        REQUIRE(subject.size() == model.size());
        if (i % 50 == 0) REQUIRE(all(subject, 100'000) == model);
    }
}

TEST_CASE("output: what is lent is not copied while the loan lasts") {
    buffer_pool pool;
    output subject(pool);
    const std::string bytes(10'000, 'x');
    subject.append("a");
    subject.lend(bytes);
    std::string_view views[4];
    REQUIRE(subject.gather(views) == 2);
    CHECK(views[1].data() == bytes.data());

    subject.consume(1 + 4'000);
    subject.keep_lent();
    REQUIRE(subject.gather(views) == 1);
    CHECK(views[0] == std::string(6'000, 'x'));
    CHECK(views[0].data() != bytes.data() + 4'000);
}

TEST_CASE("output: gather fills what it is given and no more") {
    buffer_pool pool;
    output subject(pool);
    for (int i = 0; i != 10; ++i) {
        subject.append("x");
        subject.append_payload(message(output::share_size_min, 'y'));
    }

    std::string_view views[3];

    CHECK(subject.gather(views) == 3);
    CHECK(views[0] == "x");
    CHECK(views[2] == "x");
}

TEST_CASE("output: an empty one gives its buffer back to the pool") {
    buffer_pool pool;
    output first(pool);
    first.append(std::string(100'000, 'a'));
    const char* const buffer = [&] {
        std::string_view view[1];
        (void)first.gather(view);
        return view[0].data();
    }();
    first.consume(first.size());

    output second(pool);
    second.append("b");

    std::string_view view[1];
    REQUIRE(second.gather(view) == 1);
    CHECK(view[0].data() == buffer);
}
