// Kills processes with kill -9 at random moments, which their progress chooses, and then looks at both ledgers.
//
//   martlet_crash_processes --ledger PROGRAM (--martlet PROGRAM [--broker-store FILE] | --mosquitto PROGRAM)
//                           [--qos 1|2] [--kills N] [--broker-kills N] [--seed S]
//
// Publisher and subscriber are killed --kills times in all, the broker --broker-kills times. Every number of the
// publisher's ledger has to be in the subscriber's; at QoS 2 exactly once. Ends with one line of figures; before it, for
// messages that are wrong, what publisher and subscriber sent and received of them. Messages that came twice because
// another broker sent PUBLISH again after PUBREL (Mosquitto 2.0.11 does, docs/reliability.md) count as sent_again.
#include "process.hpp"
#include "trace_lines.hpp"

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <poll.h>
#include <random>
#include <string>
#include <thread>

using namespace martlet::crash;

namespace {

bool is_sent_again(const std::string& folder, std::int64_t n) {
    return is_sent_again_after_pubrel(lines_about(folder + "/sub.trace", n));
}

}  // namespace

int main(int count, char** arguments) {
    auto options = read_options(count, arguments);
    const int qos = number_option(options, "--qos", 2);
    const int kills_wanted = number_option(options, "--kills", 10);
    const int broker_kills_wanted = number_option(options, "--broker-kills", 0);
    std::mt19937_64 random(static_cast<std::uint64_t>(number_option(options, "--seed", 1)));
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
        // As root it would become another user, and then outlive us: PR_SET_PDEATHSIG ends with that.
        std::ofstream(folder + "/mosquitto.conf")
            << "listener " << port << " 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true\n"
            << "persistence false\nlog_dest none\nuser root\n";
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
    process subscriber({options["--ledger"], "subscribe", url, folder + "/sub.db", "crash-sub", "crash/n", quality,
                        folder + "/sub.trace"});
    process publisher({options["--ledger"], "publish", url, folder + "/pub.db", "crash-pub", "crash/n", quality,
                       folder + "/pub.trace"});

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
    constexpr std::size_t traces_max = 5;
    for (const auto& [n, times] : sent.times) {
        if (got.times.contains(n)) continue;
        if (++lost <= traces_max) print_trace(folder, n, "is lost");
    }
    std::size_t sent_again = 0;  // by the broker, against the rules
    for (const auto& [n, times] : got.times) {
        unknown += !sent.times.contains(n);
        if (times < 2) continue;
        const bool is_the_brokers = qos == 2 && !is_ours && is_sent_again(folder, n);
        const auto so_far = is_the_brokers ? ++sent_again : ++duplicated;
        if (qos == 2 && so_far <= (is_the_brokers ? 1 : traces_max)) {
            print_trace(folder, n, is_the_brokers ? "was sent again after its PUBREL" : "came twice");
        }
    }
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf(
        "qos=%d kills=%d broker_kills=%d messages=%zu lost=%zu dup=%zu unknown=%zu sent_again=%zu seconds=%.1f\n", qos,
        kills, broker_kills, sent.times.size(), lost, duplicated, unknown, sent_again, seconds);
    const bool is_good = lost == 0 && unknown == 0 && (qos != 2 || duplicated == 0) && !sent.times.empty();
    if (is_good) {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
        return 0;
    }
    std::fprintf(stderr, "the ledgers are in %s\n", folder.c_str());
    return 1;
}
