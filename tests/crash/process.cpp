#include "process.hpp"

#include "trace_lines.hpp"

#include <arpa/inet.h>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <netinet/in.h>
#include <sqlite3.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

namespace martlet::crash {

void fail(const std::string& why) {
    std::fprintf(stderr, "FAILED: %s\n", why.c_str());
    std::exit(1);
}

process::process(strings command) : command_(std::move(command)) {}

process::~process() { kill(); }

void process::start() {
    int out[2];
    int in[2];
    if (::pipe2(out, O_CLOEXEC) != 0 || ::pipe2(in, O_CLOEXEC) != 0) fail("pipe");
    id_ = ::fork();
    if (id_ == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::dup2(in[0], STDIN_FILENO);
        ::dup2(out[1], STDOUT_FILENO);
        std::vector<char*> arguments;
        for (auto& one : command_)
            arguments.push_back(one.data());
        arguments.push_back(nullptr);
        ::execv(arguments[0], arguments.data());
        ::_exit(127);
    }
    ::close(out[1]);
    ::close(in[0]);
    out_ = out[0];
    in_ = in[1];
    text_.clear();
}

void process::end_input() { ::close(std::exchange(in_, -1)); }

void process::kill() {
    if (id_ <= 0) return;
    ::kill(id_, SIGKILL);
    wait();
}

void process::signal(int number) const {
    if (id_ > 0) ::kill(id_, number);
}

int process::wait() {
    int status = 0;
    ::waitpid(std::exchange(id_, -1), &status, 0);
    ::close(std::exchange(out_, -1));
    if (in_ >= 0) ::close(std::exchange(in_, -1));
    return status;
}

bool process::read() {
    std::array<char, 4096> bytes;
    const auto size = ::read(out_, bytes.data(), bytes.size());
    if (size <= 0) return false;
    text_.append(bytes.data(), static_cast<std::size_t>(size));
    return true;
}

bool process::take_line(std::string& into) {
    const auto end = text_.find('\n');
    if (end == std::string::npos) return false;
    into = text_.substr(0, end);
    text_.erase(0, end + 1);
    return true;
}

std::string process::wait_for(std::string_view beginning) {
    for (;;) {
        std::string line;
        while (take_line(line)) {
            if (line.starts_with(beginning)) return line;
        }
        if (!read()) fail(command_[0] + " " + command_[1] + " ended before it said " + std::string(beginning));
    }
}

std::uint16_t free_port() {
    const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(s, reinterpret_cast<sockaddr*>(&address), size) != 0) fail("bind");
    ::getsockname(s, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(s);
    return ::ntohs(address.sin_port);
}

bool accepts(std::uint16_t port) {
    const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = ::htons(port);
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    const bool is_there = ::connect(s, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    ::close(s);
    return is_there;
}

ledger_rows::ledger_rows(const std::string& file) {
    sqlite3* db = nullptr;
    sqlite3_stmt* rows = nullptr;
    if (sqlite3_open(file.c_str(), &db) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "SELECT n, times FROM ledger", -1, &rows, nullptr) != SQLITE_OK) {
        fail("cannot read " + file + ": " + sqlite3_errmsg(db));
    }
    while (sqlite3_step(rows) == SQLITE_ROW)
        times[sqlite3_column_int64(rows, 0)] = sqlite3_column_int64(rows, 1);
    sqlite3_finalize(rows);
    sqlite3_close(db);
}

std::map<std::string, std::string> read_options(int count, char** arguments) {
    std::map<std::string, std::string> options;
    for (int i = 1; i + 1 < count; i += 2)
        options[arguments[i]] = arguments[i + 1];
    return options;
}

int number_option(const std::map<std::string, std::string>& options, const char* name, int otherwise) {
    const auto found = options.find(name);
    return found != options.end() ? std::atoi(found->second.c_str()) : otherwise;
}

void print_trace(const std::string& folder, std::int64_t n, std::string_view what) {
    std::fprintf(stderr, "message %lld %.*s:\n", static_cast<long long>(n), static_cast<int>(what.size()), what.data());
    for (const char* const party : {"pub", "sub"}) {
        for (const auto& line : lines_about(folder + "/" + party + ".trace", n))
            std::fprintf(stderr, "  %s %s\n", party, line.c_str());
    }
}

}  // namespace martlet::crash
