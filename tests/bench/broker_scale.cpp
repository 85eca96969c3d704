// What our broker costs at scale, over real sockets, beside a floor measured in the same run:
//
//   martlet_broker_scale MARTLET FOLDER [start|idle|churn|match|retained]...
//
// One line each; the exit code is 1 if a bound is missed. scripts/broker-scale builds and runs it.
#include "bench/mqtt_bytes.hpp"
#include "broker/subscriptions.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <numeric>
#include <poll.h>
#include <random>
#include <span>
#include <spawn.h>
#include <sqlite3.h>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using clock_type = std::chrono::steady_clock;

double seconds_since(clock_type::time_point start) {
    return std::chrono::duration<double>(clock_type::now() - start).count();
}

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    std::exit(2);
}

// -- the broker

class broker {
public:
    broker(const std::string& martlet, std::vector<std::string> options) {
        std::vector<std::string> words{martlet, "broker", "-p", "0"};
        words.insert(words.end(), options.begin(), options.end());
        std::vector<char*> argv;
        for (std::string& word : words)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        std::array<int, 2> out{};
        if (::pipe2(out.data(), O_CLOEXEC) != 0) give_up("pipe");
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
        const int error = ::posix_spawn(&id_, martlet.c_str(), &actions, nullptr, argv.data(), environ);
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(out[1]);
        if (error != 0) give_up("starting the broker");
        std::string line;
        for (char c = 0; ::read(out[0], &c, 1) == 1 && c != '\n';)
            line += c;
        ::close(out[0]);
        port_ = static_cast<std::uint16_t>(std::atoi(line.c_str() + line.rfind(':') + 1));
        if (port_ == 0) give_up("the broker's port");
    }
    broker(const broker&) = delete;
    broker& operator=(const broker&) = delete;
    ~broker() { end(SIGTERM); }

    void end(int signal) {
        if (id_ < 0) return;
        ::kill(id_, signal);
        ::waitpid(id_, nullptr, 0);
        id_ = -1;
    }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] std::size_t resident_bytes() const {
        std::ifstream in("/proc/" + std::to_string(id_) + "/statm");
        std::size_t all = 0;
        std::size_t resident = 0;
        in >> all >> resident;
        return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    }
    [[nodiscard]] std::size_t descriptors() const {
        const std::filesystem::directory_iterator all("/proc/" + std::to_string(id_) + "/fd");
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }

private:
    static std::filesystem::directory_iterator end(const std::filesystem::directory_iterator&) { return {}; }

    pid_t id_ = -1;
    std::uint16_t port_ = 0;
};

// -- a client's socket

int dial(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) give_up("connecting");
    return fd;
}

void write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (n <= 0) give_up("writing");
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

void read_exactly(int fd, std::span<char> into) {
    while (!into.empty()) {
        const ssize_t n = ::recv(fd, into.data(), into.size(), 0);
        if (n <= 0) give_up("reading");
        into = into.subspan(static_cast<std::size_t>(n));
    }
}

int connect_client(std::uint16_t port, const std::string& id) {
    const int fd = dial(port);
    write_all(fd, martlet::test::connect_bytes(id, false));
    std::array<char, 4> connack{};
    read_exactly(fd, connack);
    if (connack[0] != 0x20 || connack[3] != 0) give_up("CONNACK");
    return fd;
}

bool report(bool ok, const std::string& line) {
    std::printf("%s %s\n", ok ? "ok  " : "MISS", line.c_str());
    std::fflush(stdout);
    return ok;
}

std::string rounded(double value, int digits = 2) {
    std::array<char, 40> text{};
    std::snprintf(text.data(), text.size(), "%.*f", digits, value);
    return text.data();
}

// -- from exec to the ready line, without a configuration

bool start(const std::string& martlet) {
    std::vector<double> all;
    for (int i = 0; i != 51; ++i) {
        const auto begin = clock_type::now();
        const broker b(martlet, {});
        all.push_back(1e3 * seconds_since(begin));
    }
    std::sort(all.begin(), all.end());
    return report(all[all.size() / 2] < 10, "start: ready after " + rounded(all[all.size() / 2], 1) +
                                                " ms of less than 10 in the median of 51, " + rounded(all.front(), 1) +
                                                " to " + rounded(all.back(), 1));
}

// -- 10,000 connections that say nothing

bool idle(const std::string& martlet) {
    constexpr int count = 10'000;
    const broker b(martlet, {});
    ::close(connect_client(b.port(), "warm-up"));
    const std::size_t before = b.resident_bytes();
    std::vector<int> all;
    for (int i = 0; i != count; ++i)
        all.push_back(connect_client(b.port(), "idle-" + std::to_string(i)));
    const double each = static_cast<double>(b.resident_bytes() - before) / count;
    for (const int fd : all)
        ::close(fd);
    return report(each <= 3 * 1024,
                  "idle: 10,000 connections take " + rounded(each, 0) + " bytes each of at most 3072");
}

// -- 30,000 that come and go

bool churn(const std::string& martlet) {
    constexpr int count = 30'000;
    constexpr int at_once = 100;
    const broker b(martlet, {});
    const auto round = [&](int from, int to) {
        std::vector<int> open;
        for (int i = from; i != to; ++i) {
            open.push_back(connect_client(b.port(), "c-" + std::to_string(i)));
            if (open.size() != at_once) continue;
            for (std::size_t k = 0; k != open.size(); ++k) {
                if (k % 2 == 0) write_all(open[k], std::string_view("\xe0\0", 2));  // DISCONNECT; the others just go
                ::close(open[k]);
            }
            open.clear();
        }
    };
    const auto settled_descriptors = [&] {  // the last ones are closed when this one has been answered
        ::close(connect_client(b.port(), "last"));
        const int fd = connect_client(b.port(), "last");
        const std::size_t open = b.descriptors();
        ::close(fd);
        return open;
    };
    round(0, at_once * 10);
    const std::size_t descriptors = settled_descriptors();
    const std::size_t before = b.resident_bytes();
    const auto start = clock_type::now();
    round(at_once * 10, at_once * 10 + count);
    const double seconds = seconds_since(start);
    const auto left = static_cast<long>(settled_descriptors()) - static_cast<long>(descriptors);
    const double kib = (static_cast<double>(b.resident_bytes()) - static_cast<double>(before)) / 1024;
    return report(left == 0 && kib < 1024, "churn: 30,000 connects and disconnects (" + rounded(seconds, 1) +
                                               " s) leave " + std::to_string(left) + " descriptors and " +
                                               rounded(kib, 0) + " KiB of less than 1024");
}

// -- 1,000,000 retained messages

constexpr std::uint32_t retained_count = 1'000'000;
constexpr std::string_view retained_payload =
    "{\"temperature\": 21.5, \"humidity\": 40, \"battery\": 3.01, \"ok\": true}";

enum class order : bool { of_topics, shuffled };

// The one that is sent as number i.
std::string retained_topic(order in, std::uint32_t i) {
    const std::uint64_t number = 1'000'000 + (in == order::shuffled ? std::uint64_t{i} * 618'033 % retained_count : i);
    return "site/" + std::to_string(number / 1000) + "/device/" + std::to_string(number) + "/state";
}

double bare_loop(order in, const std::string& file) {
    sqlite3* db = nullptr;
    const auto run = [&](const char* sql) {
        if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) give_up(sql);
    };
    if (sqlite3_open(file.c_str(), &db) != SQLITE_OK) give_up("sqlite3_open");
    run("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16384;"  // as the store has it
        "CREATE TABLE retained(topic TEXT PRIMARY KEY NOT NULL, payload BLOB NOT NULL, properties BLOB NOT NULL, "
        "flags INTEGER NOT NULL, expires_at INTEGER, sum INTEGER NOT NULL) STRICT, WITHOUT ROWID");
    sqlite3_stmt* insert = nullptr;
    sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO retained VALUES(?1, ?2, x'', 5, NULL, ?3)", -1, &insert, nullptr);
    const auto start = clock_type::now();
    for (std::uint32_t i = 0; i != retained_count; ++i) {
        if (i % 10'000 == 0) run(i == 0 ? "BEGIN" : "COMMIT; BEGIN");
        const std::string topic = retained_topic(in, i);
        sqlite3_bind_text(insert, 1, topic.data(), static_cast<int>(topic.size()), SQLITE_STATIC);
        sqlite3_bind_blob(insert, 2, retained_payload.data(), static_cast<int>(retained_payload.size()), SQLITE_STATIC);
        sqlite3_bind_int64(insert, 3, 0x1234'5678'9abc'def0 + i);
        if (sqlite3_step(insert) != SQLITE_DONE) give_up("INSERT");
        sqlite3_reset(insert);
    }
    run("COMMIT");
    const double seconds = seconds_since(start);
    sqlite3_finalize(insert);
    sqlite3_close(db);
    return seconds;
}

// QoS 1, at most `window` unacknowledged; returns when the last PUBACK has come.
double send_retained(order in, int fd) {
    constexpr std::uint32_t window = 20'000;
    std::uint32_t sent = 0;
    std::uint32_t acknowledged = 0;
    std::size_t bytes_of_acks = 0;
    std::string out;
    std::size_t written = 0;
    const auto start = clock_type::now();
    while (acknowledged != retained_count) {
        while (out.size() - written < 64 * 1024 && sent != retained_count && sent - acknowledged < window) {
            const std::string topic = retained_topic(in, sent);
            const std::size_t length = 2 + topic.size() + 2 + retained_payload.size();
            const auto id = static_cast<std::uint16_t>(1 + sent++ % 65'535);
            out += '\x33';  // QoS 1, RETAIN
            out += static_cast<char>(length);
            if (length > 127) give_up("a message too long for this program");
            out += '\0';
            out += static_cast<char>(topic.size());
            out += topic;
            out += static_cast<char>(id >> 8);
            out += static_cast<char>(id & 255);
            out += retained_payload;
        }
        pollfd what{fd, static_cast<short>(POLLIN | (written != out.size() ? POLLOUT : 0)), 0};
        if (::poll(&what, 1, -1) < 0) give_up("poll");
        if ((what.revents & POLLOUT) != 0) {
            const ssize_t n = ::send(fd, out.data() + written, out.size() - written, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (n > 0) written += static_cast<std::size_t>(n);
            if (written == out.size()) {
                out.clear();
                written = 0;
            }
        }
        if ((what.revents & (POLLIN | POLLHUP)) != 0) {
            std::array<char, 65'536> acks{};
            const ssize_t n = ::recv(fd, acks.data(), acks.size(), MSG_DONTWAIT);
            if (n == 0) give_up("the broker hung up");
            if (n > 0) bytes_of_acks += static_cast<std::size_t>(n);
            acknowledged = static_cast<std::uint32_t>(bytes_of_acks / 4);
        }
    }
    return seconds_since(start);
}

// SUBSCRIBE to everything; counts PUBLISHes with RETAIN that carry the payload.
std::uint32_t count_retained(int fd) {
    write_all(fd, std::string_view("\x82\x0b\0\1\0\6site/#\0", 13));
    std::uint32_t found = 0;
    std::string in;
    std::size_t done = 0;
    std::array<char, 65'536> piece{};
    while (found != retained_count) {
        pollfd what{fd, POLLIN, 0};
        if (::poll(&what, 1, 20'000) <= 0) break;  // fewer than there should be
        const ssize_t n = ::recv(fd, piece.data(), piece.size(), 0);
        if (n <= 0) break;
        in.append(piece.data(), static_cast<std::size_t>(n));
        while (in.size() - done >= 2) {
            const auto length = static_cast<std::size_t>(static_cast<unsigned char>(in[done + 1]));
            if (length > 127) give_up("an unexpected packet");
            if (in.size() - done < 2 + length) break;
            const std::string_view packet = std::string_view(in).substr(done, 2 + length);
            if (packet[0] == '\x31' && packet.ends_with(retained_payload)) ++found;
            done += 2 + length;
        }
        in.erase(0, std::exchange(done, 0));
    }
    return found;
}

bool retained(order in, const std::string& martlet, const std::string& parent) {
    const std::string name = in == order::shuffled ? "shuffled" : "in-order";
    const std::string folder = parent + '/' + name;
    std::filesystem::create_directory(folder);
    const double bare = bare_loop(in, folder + "/bare.db");
    const std::string store = folder + "/broker.db";
    double stored = 0;
    double idle_again = 0;
    {
        broker b(martlet, {"--store", store, "--durability", "normal"});
        const int fd = connect_client(b.port(), "publisher");
        stored = send_retained(in, fd);
        b.end(SIGKILL);
        ::close(fd);
    }
    const auto start = clock_type::now();
    const broker again(martlet, {"--store", store, "--durability", "normal"});
    idle_again = seconds_since(start);
    const int fd = connect_client(again.port(), "subscriber");
    const std::uint32_t found = count_retained(fd);
    ::close(fd);
    return report(stored <= 3 * bare && found == retained_count,
                  "retained, " + name + ": 1,000,000 sent at QoS 1 and stored (normal) in " + rounded(stored) +
                      " s, a bare SQLite loop " + rounded(bare) + " s: " + rounded(stored / bare) +
                      " times of at most 3; after kill -9 and a restart (" + rounded(idle_again) + " s) " +
                      std::to_string(found) + " are there");
}

// -- 100,000 subscriptions a/+/N

// Each level found below the one before: what a match needs at the least.
class bare_levels {
public:
    void put(std::string_view topic) {
        std::uint32_t node = 0;
        for_levels(topic, [&](std::string_view level) {
            node = nodes_.emplace(key(node, level), static_cast<std::uint32_t>(nodes_.size() + 1)).first->second;
            return true;
        });
    }
    [[nodiscard]] bool find(std::string_view topic) const {
        std::uint32_t node = 0;
        return for_levels(topic, [&](std::string_view level) {
            const auto at = nodes_.find(key(node, level));
            if (at == nodes_.end()) return false;
            node = at->second;
            return true;
        });
    }

private:
    static std::string key(std::uint32_t node, std::string_view level) {
        std::string out(sizeof node, '\0');
        std::memcpy(out.data(), &node, sizeof node);
        return out.append(level);  // short enough for no allocation
    }
    template <class F>
    static bool for_levels(std::string_view topic, F&& f) {
        for (;;) {
            const std::size_t end = topic.find('/');
            if (!f(topic.substr(0, end))) return false;
            if (end == std::string_view::npos) return true;
            topic.remove_prefix(end + 1);
        }
    }

    std::unordered_map<std::string, std::uint32_t> nodes_;
};

bool match(std::uint32_t hits) {
    using namespace martlet::broker_impl;
    constexpr std::uint32_t count = 100'000;
    const std::uint32_t topics_count = count / hits;
    subscriptions all(1);
    bare_levels bare;
    std::vector<std::string> topics;
    for (std::uint32_t i = 0; i != count; ++i)
        all.put(i, "a/+/" + std::to_string(i % topics_count), {});
    for (std::uint32_t i = 0; i != topics_count; ++i) {
        topics.push_back("a/x/" + std::to_string(i));
        bare.put(topics.back());
    }
    std::mt19937 random(1);
    std::shuffle(topics.begin(), topics.end(), random);  // each topic once a round, far from the one before
    double ours = 1e9;
    double floor = 1e9;
    match_result found;
    for (int round = 0; round != 15; ++round) {
        auto start = clock_type::now();
        for (const std::string& topic : topics) {
            all.find(topic, found);
            if (found.sessions.size() != hits) give_up("a wrong match");
        }
        ours = std::min(ours, seconds_since(start));
        start = clock_type::now();
        for (const std::string& topic : topics) {
            if (!bare.find(topic)) give_up("a wrong look-up");
        }
        floor = std::min(floor, seconds_since(start));
    }
    const double each = 1e9 / topics_count;
    return report(ours <= 5 * floor, "match: 100,000 subscriptions a/+/N, " + std::to_string(hits) +
                                         " hits: " + rounded(ours * each, 0) + " ns, three bare look-ups " +
                                         rounded(floor * each, 0) + " ns: " + rounded(ours / floor) +
                                         " times of at most 5");
}

}  // namespace

int main(int argc, char* argv[]) {
    if (argc < 3) {
        std::fputs("usage: martlet_broker_scale MARTLET FOLDER [start|idle|churn|match|retained]...\n", stderr);
        return 2;
    }
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const std::string martlet = argv[1];
    const std::span<char* const> chosen(argv + 3, static_cast<std::size_t>(argc - 3));
    const auto wants = [&](std::string_view name) {
        return chosen.empty() || std::any_of(chosen.begin(), chosen.end(), [&](const char* c) { return name == c; });
    };
    bool ok = true;
    if (wants("start")) ok = start(martlet) && ok;
    if (wants("idle")) ok = idle(martlet) && ok;
    if (wants("churn")) ok = churn(martlet) && ok;
    if (wants("match")) ok = match(1) && match(4) && ok;
    for (const order in : {order::of_topics, order::shuffled}) {
        if (wants("retained")) ok = retained(in, martlet, argv[2]) && ok;
    }
    return ok ? 0 : 1;
}
