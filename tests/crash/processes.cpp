// Kills processes with kill -9 at random moments, which their progress chooses, and then looks at both ledgers.
//
//   martlet_crash_processes --ledger PROGRAM (--martlet PROGRAM [--broker-store FILE] | --mosquitto PROGRAM)
//                           [--qos 1|2] [--kills N] [--broker-kills N] [--seed S]
//
// Publisher and subscriber are killed --kills times in all, the broker --broker-kills times. Every number of the
// publisher's ledger has to be in the subscriber's; at QoS 2 exactly once. Ends with one line of figures.
#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <netinet/in.h>
#include <poll.h>
#include <random>
#include <sqlite3.h>
#include <string>
#include <string_view>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using strings = std::vector<std::string>;

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "FAILED: %s\n", why.c_str());
    std::exit(1);
}

/// A program whose output comes line by line. It dies with us.
class process {
public:
    explicit process(strings command) : command_(std::move(command)) {}
    ~process() { kill(); }
    process(const process&) = delete;
    process& operator=(const process&) = delete;

    void start() {
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

    void end_input() { ::close(std::exchange(in_, -1)); }

    /// kill -9, and the end of it.
    void kill() {
        if (id_ <= 0) return;
        ::kill(id_, SIGKILL);
        wait();
    }

    int wait() {
        int status = 0;
        ::waitpid(std::exchange(id_, -1), &status, 0);
        ::close(std::exchange(out_, -1));
        if (in_ >= 0) ::close(std::exchange(in_, -1));
        return status;
    }

    [[nodiscard]] int output() const noexcept { return out_; }
    [[nodiscard]] bool is_running() const noexcept { return id_ > 0; }

    /// Reads what is there; false at the end.
    bool read() {
        std::array<char, 4096> bytes;
        const auto size = ::read(out_, bytes.data(), bytes.size());
        if (size <= 0) return false;
        text_.append(bytes.data(), static_cast<std::size_t>(size));
        return true;
    }
    bool take_line(std::string& into) {
        const auto end = text_.find('\n');
        if (end == std::string::npos) return false;
        into = text_.substr(0, end);
        text_.erase(0, end + 1);
        return true;
    }
    /// Waits for a line that begins so.
    std::string wait_for(std::string_view beginning) {
        for (;;) {
            std::string line;
            while (take_line(line)) {
                if (line.starts_with(beginning)) return line;
            }
            if (!read()) fail(command_[0] + " " + command_[1] + " ended before it said " + std::string(beginning));
        }
    }

private:
    strings command_;
    pid_t id_ = -1;
    int out_ = -1;
    int in_ = -1;
    std::string text_;
};

/// A port that was free a moment ago.
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

struct ledger_rows {
    std::map<std::int64_t, std::int64_t> times;

    explicit ledger_rows(const std::string& file) {
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
};

std::map<std::string, std::string> read_options(int count, char** arguments) {
    std::map<std::string, std::string> options;
    for (int i = 1; i + 1 < count; i += 2)
        options[arguments[i]] = arguments[i + 1];
    return options;
}

}  // namespace

int main(int count, char** arguments) {
    auto options = read_options(count, arguments);
    const auto number = [&](const char* name, int otherwise) {
        return options.contains(name) ? std::atoi(options[name].c_str()) : otherwise;
    };
    const int qos = number("--qos", 2);
    const int kills_wanted = number("--kills", 10);
    const int broker_kills_wanted = number("--broker-kills", 0);
    std::mt19937_64 random(static_cast<std::uint64_t>(number("--seed", 1)));
    ::signal(SIGPIPE, SIG_IGN);

    std::string folder = (std::filesystem::temp_directory_path() / "martlet-crash-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) fail("mkdtemp");
    const auto port = free_port();
    const bool is_ours = options.contains("--martlet");
    strings broker_command;
    if (is_ours) {
        broker_command = {options["--martlet"], "broker", "-p", std::to_string(port)};
        if (broker_kills_wanted != 0) broker_command.insert(broker_command.end(), {"--store", folder + "/broker.db"});
    } else {
        std::ofstream(folder + "/mosquitto.conf")
            << "listener " << port << " 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true\n"
            << "persistence false\nlog_dest none\n";
        broker_command = {options["--mosquitto"], "-c", folder + "/mosquitto.conf"};
    }
    process broker(broker_command);
    const auto start_broker = [&] {
        broker.start();
        if (is_ours) {
            broker.wait_for("listening");
        } else {
            while (!accepts(port))
                std::this_thread::yield();
        }
    };
    const std::string url = "mqtt://127.0.0.1:" + std::to_string(port);
    const std::string quality = std::to_string(qos);
    process subscriber({options["--ledger"], "subscribe", url, folder + "/sub.db", "crash-sub", "crash/n", quality});
    process publisher({options["--ledger"], "publish", url, folder + "/pub.db", "crash-pub", "crash/n", quality});

    start_broker();
    subscriber.start();
    subscriber.wait_for("subscribed");
    publisher.start();

    const auto begin = std::chrono::steady_clock::now();
    const auto lines_until_kill = [&] { return static_cast<int>(random() % 12); };
    int kills = 0;
    int broker_kills = 0;
    int left[2] = {lines_until_kill(), lines_until_kill()};
    int broker_left = 3 + lines_until_kill();
    process* const parties[2] = {&publisher, &subscriber};
    while (kills < kills_wanted || broker_kills < broker_kills_wanted) {
        pollfd ready[2] = {{publisher.output(), POLLIN, 0}, {subscriber.output(), POLLIN, 0}};
        if (::poll(ready, 2, 60'000) <= 0) fail("no progress for a minute, after " + std::to_string(kills) + " kills");
        for (int i = 0; i != 2; ++i) {
            if (ready[i].revents == 0) continue;
            process& party = *parties[i];
            if (!party.read()) fail(std::string(i == 0 ? "publisher" : "subscriber") + " ended by itself");
            std::string line;
            while (party.take_line(line)) {
                --left[i];
                --broker_left;
            }
            if (left[i] < 0 && kills < kills_wanted) {
                party.kill();
                party.start();
                ++kills;
                left[i] = lines_until_kill();
            }
            if (broker_left < 0 && broker_kills < broker_kills_wanted) {
                broker.kill();
                start_broker();
                ++broker_kills;
                broker_left = 3 + lines_until_kill();
            }
        }
    }

    publisher.end_input();
    const auto delivered = publisher.wait_for("delivered");
    publisher.wait();
    const ledger_rows sent(folder + "/pub.db");
    for (;;) {  // what the broker has for it
        if (ledger_rows(folder + "/sub.db").times.size() >= sent.times.size()) break;
        pollfd ready{subscriber.output(), POLLIN, 0};
        if (::poll(&ready, 1, 10'000) <= 0) break;
        if (!subscriber.read()) fail("the subscriber ended by itself");
    }
    subscriber.kill();
    broker.kill();
    const ledger_rows got(folder + "/sub.db");

    std::size_t lost = 0;
    std::size_t duplicated = 0;
    std::size_t unknown = 0;
    for (const auto& [n, times] : sent.times)
        lost += !got.times.contains(n);
    for (const auto& [n, times] : got.times) {
        duplicated += times > 1;
        unknown += !sent.times.contains(n);
    }
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("qos=%d kills=%d broker_kills=%d messages=%zu lost=%zu dup=%zu unknown=%zu seconds=%.1f\n", qos, kills,
                broker_kills, sent.times.size(), lost, duplicated, unknown, seconds);
    const bool is_good = lost == 0 && unknown == 0 && (qos != 2 || duplicated == 0) && !sent.times.empty();
    if (is_good) {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
        return 0;
    }
    std::fprintf(stderr, "the ledgers are in %s\n", folder.c_str());
    return 1;
}
