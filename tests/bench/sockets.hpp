// Plain sockets for the programs that measure: loopback only, without the library that is measured.
#pragma once

#include <arpa/inet.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

namespace martlet::test {

inline std::int64_t now_ns() {
    timespec t{};
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

[[noreturn]] inline void die(const char* what) {
    std::perror(what);
    std::exit(1);
}

inline sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

inline void set_no_delay(int fd) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

inline void set_non_blocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

/// Connected, still blocking.
inline int connect_to(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("connecting");
    set_no_delay(fd);
    return fd;
}

/// Listening and non-blocking; `port` gets the port.
inline int listen_anywhere(std::uint16_t& port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (fd < 0 || ::bind(fd, generic, size) != 0 || ::listen(fd, 4096) != 0 || ::getsockname(fd, generic, &size) != 0) {
        die("listening");
    }
    port = ntohs(address.sin_port);
    return fd;
}

inline void watch(int epoll, int fd, std::uint32_t events, std::uint32_t number, int how) {
    epoll_event e{};
    e.events = events;
    e.data.u32 = number;
    ::epoll_ctl(epoll, how, fd, &e);
}

/// As many descriptors as the system allows.
inline void raise_descriptor_limit() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

/// Appears all at once, for whoever waits for it.
inline void write_port_file(const std::string& path, std::uint16_t port) {
    const std::string unfinished = path + ".new";
    if (std::FILE* const file = std::fopen(unfinished.c_str(), "w")) {
        std::fprintf(file, "%u\n", port);
        std::fclose(file);
        std::rename(unfinished.c_str(), path.c_str());
    }
}

/// CPU time of all threads of a process in nanoseconds, from /proc/PID/task/*/schedstat; 0 if there is no process.
inline std::int64_t cpu_ns_of(int pid) {
    const std::string folder = "/proc/" + std::to_string(pid) + "/task";
    DIR* const tasks = ::opendir(folder.c_str());
    if (tasks == nullptr) return 0;
    std::int64_t sum = 0;
    while (const dirent* const entry = ::readdir(tasks)) {
        if (entry->d_name[0] == '.') continue;
        if (std::FILE* const file = std::fopen((folder + "/" + entry->d_name + "/schedstat").c_str(), "r")) {
            long long on_cpu = 0;
            if (std::fscanf(file, "%lld", &on_cpu) == 1) sum += on_cpu;
            std::fclose(file);
        }
    }
    ::closedir(tasks);
    return sum;
}

/// Resident anonymous memory of a process in bytes (RssAnon): without the pages of programs and libraries.
inline std::int64_t memory_of(int pid) {
    std::FILE* const file = std::fopen(("/proc/" + std::to_string(pid) + "/status").c_str(), "r");
    if (file == nullptr) return 0;
    char line[256];
    long long kib = 0;
    while (std::fgets(line, sizeof line, file) != nullptr) {
        if (std::sscanf(line, "RssAnon: %lld", &kib) == 1) break;
    }
    std::fclose(file);
    return kib * 1024;
}

}  // namespace martlet::test
