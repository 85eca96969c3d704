#include "line_reader.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using martlet::cli::line_reader;

namespace {

/// Feeds `text` in pieces of `step` bytes and returns all lines.
std::vector<std::string> lines_of(std::string_view text, std::size_t step, std::size_t block = 16) {
    line_reader reader(block);
    std::vector<std::string> lines;
    while (!text.empty()) {
        const auto room = reader.prepare();
        const std::size_t n = std::min({step, room.size(), text.size()});
        std::copy_n(text.begin(), n, room.begin());
        reader.commit(n);
        text.remove_prefix(n);
        while (const auto line = reader.next())
            lines.emplace_back(*line);
    }
    if (const auto line = reader.last()) lines.emplace_back(*line);
    CHECK_FALSE(reader.last());
    return lines;
}

using list = std::vector<std::string>;

}  // namespace

TEST_CASE("line_reader: LF is taken off, all else is kept, however the input is cut") {
    const std::string text("one\n\ntwo\r\nth\0ree\n four ", 23);
    for (std::size_t step = 1; step <= text.size(); ++step) {
        CAPTURE(step);
        CHECK(lines_of(text, step) == list{"one", "", "two\r", std::string("th\0ree", 6), " four "});
    }
}

TEST_CASE("line_reader: the end of the last line may be missing") {
    CHECK(lines_of("", 4).empty());
    CHECK(lines_of("\n", 4) == list{""});
    CHECK(lines_of("a", 4) == list{"a"});
    CHECK(lines_of("a\n", 4) == list{"a"});
    CHECK(lines_of("a\nb", 4) == list{"a", "b"});
}

TEST_CASE("line_reader: a line of 10 MB in small pieces") {
    const std::string big(10'000'000, 'x');
    const auto lines = lines_of(big + "\nend\n", 65'536, 65'536);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0] == big);
    CHECK(lines[1] == "end");
}

TEST_CASE("line_reader: memory does not grow with the number of lines") {
    line_reader reader(1'024);
    std::size_t largest = 0;
    for (int i = 0; i < 10'000; ++i) {
        const auto room = reader.prepare();
        largest = std::max(largest, room.size());
        std::fill_n(room.begin(), 1'000, i % 7 == 0 ? '\n' : 'y');
        reader.commit(1'000);
        while (reader.next()) {}
    }
    CHECK(largest < 32'768);
}
