// Numbers from a publisher to a subscriber, both processes, through a broker, while their links break or the broker is
// killed: every number has to arrive, at QoS 2 once, in order.
//
//   martlet_crash_links --party PROGRAM (--broker PROGRAM [--store 1] | --mosquitto PROGRAM) [--proxy PROGRAM --rule RULE
//                       [--proxies 2] --faults N] [--kill-every MS [--kills-min N]]
//                       [--qos 1|2] [--messages N] [--rate N] [--inflight N]
//                       [--keep-alive S] [--seed S] [--seeds N] [--patience S] [--verdict 0]
//
// PROGRAM may be several words. Both parties go through one `martlet proxy` with RULE, or through one each (--proxies 2);
// with --faults a run in which it did not act so often is a failure, as is one with fewer kills than --kills-min. The broker is killed every MS milliseconds until
// all is delivered. --seeds runs S, S+1, … with MQTT 5 and 3.1.1 in turn. When the publisher has its last acknowledgement,
// one more number goes directly to the broker: with it the subscriber has got all that it will get. Nothing for
// --patience seconds means that somebody hangs. Ends with one line of figures; --verdict 0: whatever it says.
#include "process.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <poll.h>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace martlet::crash;
using steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

struct plan {
    strings party;
    std::string broker;
    std::string mosquitto;
    std::string proxy;
    std::string rule;
    bool has_store = false;
    int proxies = 1;
    int faults = -1;  // any number
    milliseconds kill_every{0};
    int kills_min = 0;
    int qos = 2;
    int messages = 2'000;
    int rate = 0;
    int inflight = 20;
    int keep_alive = 60;
    std::chrono::seconds patience{60};
};

struct figures {
    std::uint64_t faults = 0;
    int kills = 0;
    std::uint64_t messages = 0;
    std::uint64_t lost = 0;
    std::uint64_t duplicated = 0;
    std::uint64_t reordered = 0;
    int hung = 0;
    int noticed = 0;  // links given up because they were silent
    int noticed_ms_max = 0;
    double seconds = 0;

    void add(const figures& other) {
        faults += other.faults;
        kills += other.kills;
        messages += other.messages;
        lost += other.lost;
        duplicated += other.duplicated;
        reordered += other.reordered;
        hung += other.hung;
        noticed += other.noticed;
        noticed_ms_max = std::max(noticed_ms_max, other.noticed_ms_max);
        seconds += other.seconds;
    }
};

// How often each number came, and in which order it came first.
class arrivals {
public:
    explicit arrivals(int messages) : times_(static_cast<std::size_t>(messages) + 1) {}

    void take(std::size_t n) {
        if (n == 0 || n >= times_.size()) fail("nobody sent the number " + std::to_string(n));
        if (times_[n]++ != 0) {
            ++duplicated_;
        } else if (n < last_) {
            ++reordered_;
        } else {
            last_ = n;
        }
    }
    [[nodiscard]] std::uint64_t lost() const {
        return static_cast<std::uint64_t>(std::count(times_.begin() + 1, times_.end(), 0U));
    }
    [[nodiscard]] std::uint64_t duplicated() const noexcept { return duplicated_; }
    [[nodiscard]] std::uint64_t reordered() const noexcept { return reordered_; }

private:
    std::vector<unsigned> times_;
    std::size_t last_ = 0;
    std::uint64_t duplicated_ = 0;
    std::uint64_t reordered_ = 0;
};

std::size_t number_in(std::string_view text) {
    std::size_t n = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), n).ec != std::errc()) {
        fail("not a number: " + std::string(text));
    }
    return n;
}

// The number behind "key": in a line of JSON.
std::uint64_t number_of(const std::string& line, const std::string& key) {
    const auto at = line.find("\"" + key + "\":");
    if (at == std::string::npos) fail("no " + key + " in " + line);
    return number_in(std::string_view(line).substr(at + key.size() + 3));
}

class run {
public:
    run(const plan& what, int seed) : plan_(what), seed_(seed), port_(free_port()), numbers_(what.messages + 1) {
        folder_ = (std::filesystem::temp_directory_path() / "martlet-links-XXXXXX").string();
        if (::mkdtemp(folder_.data()) == nullptr) fail("mkdtemp");
        broker_ = std::make_unique<process>(broker_command());
    }
    run(const run&) = delete;
    run& operator=(const run&) = delete;
    ~run() {
        broker_->kill();
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    figures operator()() {
        start_broker();
        for (int i = 0; !plan_.proxy.empty() && i != plan_.proxies; ++i)
            start_proxy(i);
        subscriber_ = std::make_unique<process>(party("subscribe", "sub", url(plan_.proxies - 1), {}));
        subscriber_->start();
        // Whatever the link does: before the subscription is there, nobody owes it anything.
        while (!is_subscribed_ && !figures_.hung)
            turn();
        publisher_ = std::make_unique<process>(
            party("publish", "pub", url(0), {"1", std::to_string(plan_.messages), std::to_string(plan_.rate)}));
        begin_ = steady::now();
        next_kill_ = begin_ + plan_.kill_every;
        kills_ = plan_.kill_every != milliseconds(0);
        publisher_->start();
        while (!is_delivered_ && !figures_.hung)
            turn();
        kills_ = false;
        publisher_->kill();
        if (!figures_.hung) send_last();
        while (!has_last_ && !figures_.hung)
            turn();
        subscriber_->kill();
        figures_.seconds = std::chrono::duration<double>(steady::now() - begin_).count();
        figures_.messages = static_cast<std::uint64_t>(plan_.messages);
        figures_.lost = numbers_.lost() - (has_last_ ? 0 : 1);
        figures_.duplicated = numbers_.duplicated();
        figures_.reordered = numbers_.reordered();
        for (const auto& each : proxies_) {
            each->signal(SIGTERM);
            figures_.faults += number_of(each->wait_for("{\"seed\""), "faults");
        }
        return figures_;
    }

private:
    [[nodiscard]] strings broker_command() const {
        if (!plan_.broker.empty()) {
            strings command{plan_.broker, "broker", "-p", std::to_string(port_)};
            if (plan_.has_store) {
                command.insert(command.end(), {"--store", folder_ + "/broker.db", "--durability", "sync"});
            }
            return command;
        }
        // As root it would become another user, and then outlive us: PR_SET_PDEATHSIG ends with that.
        std::ofstream file(folder_ + "/mosquitto.conf");
        file << "listener " << port_ << " 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
             << "set_tcp_nodelay true\nlog_dest none\nuser root\n";
        if (plan_.has_store) {  // the most that it can
            file << "persistence true\npersistence_location " << folder_
                 << "/\nautosave_on_changes true\nautosave_interval 1\n";
        }
        return {plan_.mosquitto, "-c", folder_ + "/mosquitto.conf"};
    }
    void start_broker() {
        broker_->start();
        if (!plan_.broker.empty()) {
            broker_->wait_for("listening");
        } else {
            while (!accepts(port_))
                std::this_thread::yield();
        }
    }
    void start_proxy(int number) {
        strings command{plan_.proxy,
                        "proxy",
                        "--to",
                        "127.0.0.1:" + std::to_string(port_),
                        "--json-ready",
                        "--seed",
                        std::to_string(seed_ + 1'000'000 * number)};
        std::istringstream rules(plan_.rule);
        for (std::string one; std::getline(rules, one, ';');)
            command.insert(command.end(), {"--fault", one});
        proxies_.push_back(std::make_unique<process>(command));
        proxies_.back()->start();
        proxy_ports_.push_back(number_of(proxies_.back()->wait_for("{\"port\""), "port"));
    }
    [[nodiscard]] std::string url(int proxy) const {
        return "mqtt://127.0.0.1:" +
               std::to_string(proxy_ports_.empty() ? port_ : proxy_ports_[static_cast<std::size_t>(proxy)]);
    }
    [[nodiscard]] strings party(const char* role, const char* id, const std::string& where, const strings& more) const {
        strings command = plan_.party;
        command.insert(command.end(), {role, where, id, std::to_string(plan_.qos), seed_ % 2 == 0 ? "4" : "5",
                                       std::to_string(plan_.keep_alive), std::to_string(plan_.inflight)});
        command.insert(command.end(), more.begin(), more.end());
        return command;
    }

    void send_last() {
        const auto last = std::to_string(plan_.messages + 1);
        process one(party("publish", "last", "mqtt://127.0.0.1:" + std::to_string(port_), {last, last, "0"}));
        one.start();
        one.wait_for("delivered");
        one.wait();
    }

    // Waits for a line of a party, or for the time of the next kill.
    void turn() {
        const auto now = steady::now();
        if (kills_ && now >= next_kill_) {
            broker_->kill();
            start_broker();
            ++figures_.kills;
            next_kill_ += plan_.kill_every;
            return;
        }
        auto wait = std::chrono::duration_cast<milliseconds>(last_line_ + plan_.patience - now);
        if (kills_) wait = std::min(wait, std::chrono::duration_cast<milliseconds>(next_kill_ - now) + milliseconds(1));
        pollfd ready[2] = {{subscriber_->output(), POLLIN, 0}, {publisher_ ? publisher_->output() : -1, POLLIN, 0}};
        if (::poll(ready, 2, static_cast<int>(std::max(wait, milliseconds(0)).count())) == 0) {
            figures_.hung = steady::now() - last_line_ >= plan_.patience ? 1 : 0;
            return;
        }
        for (int i = 0; i != 2; ++i) {
            if (ready[i].revents == 0) continue;
            process& from = i == 0 ? *subscriber_ : *publisher_;
            const bool goes_on = from.read();
            for (std::string line; from.take_line(line);)
                on_line(line);
            if (!goes_on && !is_delivered_) fail(i == 0 ? "the subscriber has ended" : "the publisher has ended");
        }
    }
    void on_line(const std::string& line) {
        last_line_ = steady::now();
        if (line == "subscribed") {
            is_subscribed_ = true;
        } else if (line == "delivered") {
            is_delivered_ = true;
        } else if (line.starts_with("noticed ")) {
            ++figures_.noticed;
            figures_.noticed_ms_max =
                std::max(figures_.noticed_ms_max, static_cast<int>(number_in(std::string_view(line).substr(8))));
        } else {
            const auto n = number_in(line);
            numbers_.take(n);
            has_last_ = has_last_ || n == static_cast<std::size_t>(plan_.messages) + 1;
        }
    }

    const plan& plan_;
    int seed_;
    std::uint16_t port_;
    std::string folder_;
    std::unique_ptr<process> broker_;
    std::vector<std::unique_ptr<process>> proxies_;
    std::vector<std::uint64_t> proxy_ports_;
    std::unique_ptr<process> subscriber_;
    std::unique_ptr<process> publisher_;
    arrivals numbers_;
    figures figures_;
    steady::time_point begin_;
    steady::time_point last_line_ = steady::now();
    steady::time_point next_kill_;
    bool kills_ = false;
    bool is_subscribed_ = false;
    bool is_delivered_ = false;
    bool has_last_ = false;
};

void print(const plan& what, const std::string& whose, const figures& f) {
    std::printf("%s qos=%d messages=%llu faults=%llu kills=%d lost=%llu dup=%llu reordered=%llu hung=%d", whose.c_str(),
                what.qos, static_cast<unsigned long long>(f.messages), static_cast<unsigned long long>(f.faults),
                f.kills, static_cast<unsigned long long>(f.lost), static_cast<unsigned long long>(f.duplicated),
                static_cast<unsigned long long>(f.reordered), f.hung);
    if (f.noticed != 0) std::printf(" noticed=%d noticed_ms_max=%d", f.noticed, f.noticed_ms_max);
    std::printf(" seconds=%.1f\n", f.seconds);
    std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
    auto options = read_options(count, arguments);
    plan what;
    std::istringstream words(options["--party"]);
    for (std::string word; words >> word;)
        what.party.push_back(word);
    what.broker = options["--broker"];
    what.mosquitto = options["--mosquitto"];
    what.proxy = options["--proxy"];
    what.rule = options["--rule"];
    what.has_store = number_option(options, "--store", 0) != 0;
    what.proxies = number_option(options, "--proxies", what.proxies);
    what.faults = number_option(options, "--faults", what.faults);
    what.kill_every = milliseconds(number_option(options, "--kill-every", 0));
    what.kills_min = number_option(options, "--kills-min", 0);
    what.qos = number_option(options, "--qos", what.qos);
    what.messages = number_option(options, "--messages", what.messages);
    what.rate = number_option(options, "--rate", what.rate);
    what.inflight = number_option(options, "--inflight", what.inflight);
    what.keep_alive = number_option(options, "--keep-alive", what.keep_alive);
    what.patience = std::chrono::seconds(number_option(options, "--patience", 60));
    const int first = number_option(options, "--seed", 1);
    const int seeds = number_option(options, "--seeds", 1);
    if (what.party.empty() || what.broker.empty() == what.mosquitto.empty()) return 2;
    ::signal(SIGPIPE, SIG_IGN);

    figures sum;
    int bad = 0;
    for (int seed = first; seed != first + seeds; ++seed) {
        const auto got = run(what, seed)();
        const bool is_short =
            (what.faults >= 0 && got.faults != static_cast<std::uint64_t>(what.faults)) || got.kills < what.kills_min;
        const bool is_late = got.noticed_ms_max > what.keep_alive * 1'500 + 250;  // and the machine's own delay
        const bool is_bad = got.lost != 0 || (what.qos == 2 && got.duplicated != 0) || got.reordered != 0 ||
                            got.hung != 0 || is_short || is_late;
        bad += is_bad ? 1 : 0;
        sum.add(got);
        if (is_bad && seeds != 1) print(what, "seed=" + std::to_string(seed), got);
    }
    print(what, "seeds=" + std::to_string(seeds) + " bad=" + std::to_string(bad), sum);
    return bad == 0 || number_option(options, "--verdict", 1) == 0 ? 0 : 1;
}
