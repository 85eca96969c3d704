#include "text_output.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

using martlet::cli::text_output;

namespace {

struct pair_of_descriptors {
    int read_end = -1;
    int write_end = -1;

    static pair_of_descriptors pipe() {
        std::array<int, 2> ends{};
        REQUIRE(::pipe(ends.data()) == 0);
        return {ends[0], ends[1]};
    }
    static pair_of_descriptors sockets() {
        std::array<int, 2> ends{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) == 0);
        return {ends[0], ends[1]};
    }
    void close_read_end() {
        ::close(read_end);
        read_end = -1;
    }
    ~pair_of_descriptors() {
        if (read_end >= 0) ::close(read_end);
        ::close(write_end);
    }
};

std::string take(int descriptor, std::size_t n) {
    std::string text(n, '\0');
    std::size_t got = 0;
    while (got < n) {
        const ssize_t r = ::read(descriptor, text.data() + got, n - got);
        if (r <= 0) break;
        got += static_cast<std::size_t>(r);
    }
    text.resize(got);
    return text;
}

void check_full_and_continue(pair_of_descriptors& ends) {
    text_output out(ends.write_end);
    const std::string big(4'000'000, 'x');
    out.text() = big;
    CHECK(out.flush() == text_output::result::would_block);
    CHECK((::fcntl(ends.write_end, F_GETFL) & O_NONBLOCK) == 0);  // nobody else notices

    std::size_t got = 0;
    for (auto state = text_output::result::would_block; state != text_output::result::done;) {
        got += take(ends.read_end, 4'096).size();
        state = out.flush();
        REQUIRE(state != text_output::result::failed);
    }
    CHECK(take(ends.read_end, big.size() - got) == std::string(big.size() - got, 'x'));
    CHECK(out.text().empty());
}

void check_closed(pair_of_descriptors& ends) {
    std::signal(SIGPIPE, SIG_IGN);
    text_output out(ends.write_end);
    ends.close_read_end();
    out.text() = "lost";
    CHECK(out.flush() == text_output::result::failed);
    CHECK(out.error() == EPIPE);
    CHECK(out.text().empty());
}

}  // namespace

TEST_CASE("text_output: a full pipe does not block, and nothing is lost") {
    auto ends = pair_of_descriptors::pipe();
    check_full_and_continue(ends);
}

TEST_CASE("text_output: a full socket does not block, and nothing is lost") {
    auto ends = pair_of_descriptors::sockets();
    check_full_and_continue(ends);
}

TEST_CASE("text_output: a closed pipe or socket is a failure") {
    auto pipe = pair_of_descriptors::pipe();
    check_closed(pipe);
    auto sockets = pair_of_descriptors::sockets();
    check_closed(sockets);
}

TEST_CASE("text_output: a full disk is a failure") {
    const int full = ::open("/dev/full", O_WRONLY);
    REQUIRE(full >= 0);
    text_output out(full);
    out.text() = "lost";
    CHECK(out.flush() == text_output::result::failed);
    CHECK(out.error() == ENOSPC);
    ::close(full);
}
