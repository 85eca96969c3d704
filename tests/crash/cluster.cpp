// A publisher and a subscriber with three endpoints on a cluster of three NATS JetStream nodes, one of which is killed
// with kill -9 at random moments and started again; and then both ledgers. QoS 1, which is what NATS has.
//
//   martlet_crash_cluster --ledger PROGRAM --nats PROGRAM [--kills N] [--seed S]
//
// Every number of the publisher's ledger has to be in the subscriber's. One that is not there counts as the cluster's loss
// if the publisher's trace shows its PUBACK. A cluster that has everything and hands nothing out for a while is stuck
// (nats-server 2.9.10 is, when a node's file of messages was cut off: "sequence numbers for cache load did not match"); then
// its nodes are restarted one by one, which is counted. Ends with one line of figures. Everything listens on 127.0.0.1 only.
#include "process.hpp"
#include "trace_lines.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <netinet/in.h>
#include <poll.h>
#include <random>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

using namespace martlet::crash;

namespace {

constexpr std::size_t nodes = 3;
constexpr auto patience = std::chrono::seconds(120);    // for the cluster to be well again
constexpr auto stuck_after = std::chrono::seconds(20);  // without progress of one of the two
constexpr int stuck_max = 50;

struct node {
    std::uint16_t client_port = free_port();
    std::uint16_t cluster_port = free_port();
    std::uint16_t mqtt_port = free_port();
    std::uint16_t status_port = free_port();
    std::unique_ptr<process> running;

    std::string name;

    /// What its status page answers; empty if it does not.
    [[nodiscard]] std::string ask(std::string_view path) const {
        const int s = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = ::htons(status_port);
        address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
        std::string answer;
        if (::connect(s, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
            const std::string question = "GET " + std::string(path) + " HTTP/1.0\r\n\r\n";
            std::array<char, 4096> bytes;
            ssize_t size = ::write(s, question.data(), question.size());
            while (size > 0 && (size = ::read(s, bytes.data(), bytes.size())) > 0)
                answer.append(bytes.data(), static_cast<std::size_t>(size));
        }
        ::close(s);
        return answer;
    }
    [[nodiscard]] bool is_up() const { return ask("/healthz?js-server-only=true").find(" 200 ") != std::string::npos; }
    /// How many streams it leads; -1 if one of them has a copy that is behind. Only a leader knows.
    [[nodiscard]] int streams_led() const {
        const auto answer = ask("/jsz?accounts=1&streams=1");
        const std::string by_me = "\"leader\": \"" + name + "\"";
        int led = 0;
        for (auto at = answer.find("\"stream_detail\""); at != std::string::npos;) {
            at = answer.find(by_me, at);
            if (at == std::string::npos) break;
            const auto end = std::min(answer.find("\"state\"", at), answer.size());
            if (answer.substr(at, end - at).find("\"current\": false") != std::string::npos) return -1;
            ++led;
            at = end;
        }
        return led;
    }
};

class cluster {
public:
    cluster(const std::string& program, const std::string& folder) {
        std::string routes;
        for (const auto& one : nodes_)
            routes += (routes.empty() ? "" : ", ") + ("nats://127.0.0.1:" + std::to_string(one.cluster_port));
        for (std::size_t i = 0; i != nodes; ++i) {
            auto& one = nodes_[i];
            one.name = "n" + std::to_string(i + 1);
            const auto& name = one.name;
            const std::string at = "127.0.0.1:";
            const std::string file = folder + "/" + name + ".conf";
            std::ofstream(file) << "server_name: " << name << "\n"
                                << "listen: " << at << one.client_port << "\n"
                                << "http: " << at << one.status_port << "\n"
                                << "log_file: \"" << folder << "/" << name << ".log\"\n"
                                << "jetstream { store_dir: \"" << folder << "/" << name << "\" }\n"
                                << "mqtt { host: 127.0.0.1, port: " << one.mqtt_port << ", ack_wait: \"2s\" }\n"
                                << "cluster { name: martlet, listen: \"" << at << one.cluster_port << "\", routes: ["
                                << routes << "] }\n";
            one.running = std::make_unique<process>(strings{program, "-c", file});
        }
    }

    void start() {
        for (auto& one : nodes_)
            one.running->start();
        const auto end = std::chrono::steady_clock::now() + patience;
        while (!std::all_of(nodes_.begin(), nodes_.end(), [](const node& one) { return one.is_up(); })) {
            if (std::chrono::steady_clock::now() > end) fail("the cluster does not come up");
            std::this_thread::sleep_for(std::chrono::milliseconds(50));  // it tells nobody when it is
        }
    }
    /// All copies of all streams are up to date: one that went before that could take the majority along.
    [[nodiscard]] bool is_healthy() const {
        int led = 0;
        for (const auto& one : nodes_) {
            const int here = one.is_up() ? one.streams_led() : -1;
            if (here < 0) return false;
            led += here;
        }
        return led >= 3;  // MQTT's: sessions, messages, retained messages
    }
    void kill(std::size_t which) { nodes_[which].running->kill(); }
    void restart(std::size_t which) {
        if (!nodes_[which].running->is_running()) nodes_[which].running->start();
    }
    /// Nothing moves: starts who is down, or else one node after the other anew.
    void unstick() {
        if (++stuck_ > stuck_max) fail("the cluster does not move any more");
        for (std::size_t i = 0; i != nodes; ++i) {
            if (!nodes_[i].running->is_running()) return restart(i);
        }
        const std::size_t which = static_cast<std::size_t>(stuck_) % nodes;
        kill(which);
        restart(which);
    }
    [[nodiscard]] int stuck() const noexcept { return stuck_; }
    void kill_all() {
        for (auto& one : nodes_)
            one.running->kill();
    }
    /// The endpoints, beginning with one of them.
    [[nodiscard]] std::string urls(std::size_t first) const {
        std::string all;
        for (std::size_t i = 0; i != nodes; ++i)
            all += (all.empty() ? "" : ",") +
                   ("mqtt://127.0.0.1:" + std::to_string(nodes_[(first + i) % nodes].mqtt_port));
        return all;
    }

private:
    std::array<node, nodes> nodes_;
    int stuck_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
    auto options = read_options(count, arguments);
    const int kills_wanted = number_option(options, "--kills", 50);
    std::mt19937_64 random(static_cast<std::uint64_t>(number_option(options, "--seed", 1)));
    ::signal(SIGPIPE, SIG_IGN);

    std::string folder = (std::filesystem::temp_directory_path() / "martlet-cluster-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) fail("mkdtemp");
    cluster servers(options["--nats"], folder);
    servers.start();

    process subscriber({options["--ledger"], "subscribe", servers.urls(0), folder + "/sub.db", "cluster-sub",
                        "cluster/n", "1", folder + "/sub.trace"});
    process publisher({options["--ledger"], "publish", servers.urls(1), folder + "/pub.db", "cluster-pub", "cluster/n",
                       "1", folder + "/pub.trace"});
    subscriber.start();
    subscriber.wait_for("subscribed");
    publisher.start();

    const auto begin = std::chrono::steady_clock::now();
    // Reads lines of both until each has said `wanted` more.
    const auto progress = [&](int wanted) {
        int left[2] = {wanted, wanted};
        process* const parties[2] = {&publisher, &subscriber};
        const auto now = [] { return std::chrono::steady_clock::now(); };
        std::chrono::steady_clock::time_point moved[2] = {now(), now()};
        while (left[0] > 0 || left[1] > 0) {
            pollfd ready[2] = {{publisher.output(), POLLIN, 0}, {subscriber.output(), POLLIN, 0}};
            (void)::poll(ready, 2, 1'000);
            for (int i = 0; i != 2; ++i) {
                if (ready[i].revents == 0) continue;
                if (!parties[i]->read()) fail(std::string(i == 0 ? "publisher" : "subscriber") + " ended by itself");
                std::string line;
                while (parties[i]->take_line(line))
                    --left[i];
                moved[i] = now();
            }
            if (now() - std::min(moved[0], moved[1]) < stuck_after) continue;
            servers.unstick();
            moved[0] = moved[1] = now();
        }
    };
    for (int kills = 0; kills != kills_wanted; ++kills) {
        progress(static_cast<int>(random() % 8));
        const std::size_t which = random() % nodes;
        servers.kill(which);
        progress(3 + static_cast<int>(random() % 5));  // by the two that are left
        servers.restart(which);
        const auto end = std::chrono::steady_clock::now() + patience;
        while (!servers.is_healthy()) {
            if (std::chrono::steady_clock::now() > end) fail("the cluster does not get well; logs are in " + folder);
            progress(1);
        }
    }

    publisher.end_input();
    for (std::string line; !line.starts_with("delivered");) {
        if (publisher.take_line(line)) continue;
        pollfd ready{publisher.output(), POLLIN, 0};
        if (::poll(&ready, 1, static_cast<int>(std::chrono::milliseconds(stuck_after).count())) <= 0)
            servers.unstick();
        else if (!publisher.read())
            fail("the publisher ended by itself");
    }
    publisher.wait();
    const ledger_rows sent(folder + "/pub.db");
    for (int silences = 0; ledger_rows(folder + "/sub.db").times.size() < sent.times.size();) {
        pollfd ready{subscriber.output(), POLLIN, 0};
        const auto limit = static_cast<int>(std::chrono::milliseconds(stuck_after).count());
        if (::poll(&ready, 1, limit) > 0) {
            if (!subscriber.read()) fail("the subscriber ended by itself");
        } else if (++silences > static_cast<int>(nodes)) {
            break;  // every node has had its restart
        } else {
            servers.unstick();
        }
    }
    subscriber.kill();
    servers.kill_all();
    const ledger_rows got(folder + "/sub.db");

    const auto acknowledged = acknowledged_messages(folder + "/pub.trace");
    std::size_t lost = 0;
    std::size_t lost_by_cluster = 0;
    std::size_t repeated = 0;
    std::size_t unknown = 0;
    for (const auto& [n, times] : sent.times) {
        if (got.times.contains(n)) continue;
        const bool is_the_clusters = acknowledged.contains(n);
        const auto so_far = ++(is_the_clusters ? lost_by_cluster : lost);
        if (so_far > (is_the_clusters ? 1 : 5)) continue;
        print_trace(folder, n, is_the_clusters ? "was acknowledged by the cluster and is lost" : "is lost");
    }
    for (const auto& [n, times] : got.times) {
        repeated += times > 1;
        unknown += !sent.times.contains(n);
    }
    const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf(
        "nodes=%zu kills=%d messages=%zu lost=%zu lost_by_cluster=%zu repeated=%zu unknown=%zu stuck=%d "
        "seconds=%.1f\n",
        nodes, kills_wanted, sent.times.size(), lost, lost_by_cluster, repeated, unknown, servers.stuck(), seconds);
    if (lost == 0 && unknown == 0 && !sent.times.empty()) {
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
        return 0;
    }
    std::fprintf(stderr, "the ledgers and the nodes' logs are in %s\n", folder.c_str());
    return 1;
}
