#include "descriptor_watch.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

using namespace martlet::cli;

TEST_CASE("descriptor_watch: a pipe is ready when there is something to read, again and again") {
    boost::asio::io_context io;
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    descriptor_watch watch(io.get_executor(), ends[0], readiness::readable);
    CHECK_FALSE(watch.is_always_ready());

    for (int round = 0; round < 3; ++round) {
        bool called = false;
        CHECK_FALSE(watch.is_ready());
        watch.wait([&] { called = true; });
        io.restart();
        io.poll();
        CHECK_FALSE(called);
        REQUIRE(::write(ends[1], "x", 1) == 1);
        CHECK(watch.is_ready());
        io.restart();
        io.run_one();
        CHECK(called);
        char c = 0;
        REQUIRE(::read(ends[0], &c, 1) == 1);
    }
    CHECK((::fcntl(ends[0], F_GETFL) & O_NONBLOCK) == 0);

    bool called = false;
    watch.wait([&] { called = true; });
    ::close(ends[1]);  // the end of input is something to read, too
    io.restart();
    io.run_one();
    CHECK(called);
    ::close(ends[0]);
}

TEST_CASE("descriptor_watch: what is there already is told") {
    boost::asio::io_context io;
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    REQUIRE(::write(ends[1], "x", 1) == 1);
    descriptor_watch watch(io.get_executor(), ends[0], readiness::readable);
    bool called = false;
    watch.wait([&] { called = true; });
    CHECK_FALSE(called);
    io.run_one();
    CHECK(called);
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST_CASE("descriptor_watch: a regular file always is ready, but the handler is not called at once") {
    boost::asio::io_context io;
    std::FILE* const file = std::tmpfile();
    REQUIRE(file != nullptr);
    descriptor_watch watch(io.get_executor(), ::fileno(file), readiness::readable);
    CHECK(watch.is_always_ready());
    CHECK(watch.is_ready());
    bool called = false;
    watch.wait([&] { called = true; });
    CHECK_FALSE(called);
    io.run();
    CHECK(called);
    std::fclose(file);
}

TEST_CASE("descriptor_watch: a pipe with room is writable") {
    boost::asio::io_context io;
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    descriptor_watch watch(io.get_executor(), ends[1], readiness::writable);
    CHECK(watch.is_ready());
    bool called = false;
    watch.wait([&] { called = true; });
    io.run_one();
    CHECK(called);
    ::close(ends[0]);
    ::close(ends[1]);
}
