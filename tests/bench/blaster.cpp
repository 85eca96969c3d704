// The bare socket generator: sends the same PUBLISH bytes as `martlet bench run publish`, many to a write, and counts.
//
//   martlet_bench_blaster PORT BYTES SECONDS [MESSAGES_PER_WRITE]
//
// Prints "N messages/s, C CPU s per million". What no generator on one thread can surpass.
#include "bench/mqtt_bytes.hpp"

#include <arpa/inet.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

namespace {

double seconds_of(clockid_t clock) {
    timespec t{};
    ::clock_gettime(clock, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

bool write_all(int fd, const std::string& bytes) {
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t n = ::send(fd, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
        if (n <= 0) return false;
        done += static_cast<std::size_t>(n);
    }
    return true;
}

}  // namespace

int main(int argc, char* argv[]) {
    using namespace martlet::test;
    if (argc < 4) {
        std::fputs("usage: martlet_bench_blaster PORT BYTES SECONDS [MESSAGES_PER_WRITE]\n", stderr);
        return 1;
    }
    const auto size = static_cast<std::size_t>(std::atoi(argv[2]));
    const double length = std::atof(argv[3]);
    const int batch = argc > 4 ? std::atoi(argv[4]) : 1'000;
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        std::perror("connecting");
        return 1;
    }
    char answer[64];
    if (!write_all(fd, connect_bytes("blaster", true)) || ::read(fd, answer, sizeof answer) <= 0) return 1;

    const std::string one = publish_bytes("bench/12345/t", std::string(size, 'x'), true);
    std::string many;
    for (int i = 0; i < batch; ++i)
        many += one;
    const double begin = seconds_of(CLOCK_MONOTONIC);
    const double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
    std::uint64_t sent = 0;
    double elapsed = 0;
    do {
        if (!write_all(fd, many)) return 1;
        sent += static_cast<std::uint64_t>(batch);
        elapsed = seconds_of(CLOCK_MONOTONIC) - begin;
    } while (elapsed < length);
    const double used = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    std::printf("%.0f messages/s, %.4f CPU s per million\n", static_cast<double>(sent) / elapsed,
                used / static_cast<double>(sent) * 1e6);
    ::close(fd);
    return 0;
}
