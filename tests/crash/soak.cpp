// A soak: our broker, as a process with its store, for minutes or an hour, under clients that come and go, retained messages
// that change, and steady traffic.
//
//   martlet_crash_soak --broker PROGRAM [--seconds N] [--rate N] [--clients N] [--seed S]
//
// At QoS 1 and 2, MQTT 5 and 3.1.1:
//   pairs       publisher to subscriber, RATE messages a second in all, for the whole time
//   regulars    half of the CLIENTS, with sessions that stay: connected for some seconds, they leave with DISCONNECT or
//               without, and come back for what was queued meanwhile
//   passers-by  the other half: each time a client that nobody knew, with a will; it gets the retained messages of its topics,
//               publishes and deletes such, and leaves with DISCONNECT or without
// What fails: a message that is lost, repeated (QoS 2) or out of order; a retained message that is not the last one; a will
// that is owed and does not come; more descriptors when all have left than before anybody came; in runs of at least four
// minutes, memory at the end of more than 5 % over that at minute two. Ends with one line of figures.
#include "process.hpp"
#include "soak_checks.hpp"

#include <martlet/client.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace asio = boost::asio;
using namespace martlet;
using namespace martlet::crash;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;
using std::chrono::milliseconds;

namespace {

constexpr auto tuple = asio::experimental::as_tuple(asio::use_awaitable);
constexpr int pair_count = 4;
constexpr int news_count = 10;
constexpr int retained_per_client = 10;
constexpr std::size_t payload_size = 64;
constexpr auto tick = 20ms;  // between two rounds of a publisher
constexpr auto patience = 60s;
constexpr auto verdict_at_least = 240s;

struct plan {
    std::string broker;
    std::chrono::seconds duration{600};
    int rate = 2'000;
    int clients = 200;
    std::uint32_t seed = 1;
};

struct figures {
    std::uint64_t messages = 0, lost = 0, repeated = 0, joins = 0, retained = 0, wrong = 0;
    std::uint64_t wills_owed = 0, wills_got = 0;
    int hung = 0;
    double memory_two = 0, memory_end = 0;
    std::size_t descriptors_before = 0, descriptors_most = 0, descriptors_after = 0;
};

class soak {
public:
    soak(const plan& what, std::string folder)
        : plan_(what),
          random_(what.seed),
          broker_({what.broker, "broker", "-p", "0", "--json-ready", "--store", std::move(folder) + "/broker.db"}) {
        broker_.start();
        if (std::sscanf(broker_.wait_for("{\"port\"").c_str(), "{\"port\":%d", &port_) != 1) fail("no port");
        figures_.descriptors_before = descriptors_of(broker_.id());
    }

    figures run() {
        spawn(conduct());
        io_.run();
        return figures_;
    }

private:
    struct member {
        member(asio::io_context& io, const client_options& options) : link(io, options) {}
        client link;
        bool runs = false;
    };
    using member_ptr = std::shared_ptr<member>;

    // What one publisher sends, and who gets it.
    struct stream {
        std::string topic;
        martlet::qos qos;
        int rate;  // a second
        std::uint64_t sent = 0;
        std::deque<arrivals> receivers = {};
    };

    // -- from the beginning to the end

    asio::awaitable<void> conduct() {
        for (int i = 0; i != pair_count + news_count; ++i) {
            const bool is_pair = i < pair_count;
            streams_.push_back({(is_pair ? "soak/pair/" : "soak/news/") + std::to_string(i),
                                i % 4 < 2 ? qos::at_least_once : qos::exactly_once,
                                is_pair ? plan_.rate / pair_count : 1});
        }
        int number = 0;
        const int regulars = plan_.clients / 2;
        for (int i = 0; i != pair_count; ++i)
            spawn(receive(add("pair-sub", number++), streams_[static_cast<std::size_t>(i)]));
        for (int i = 0; i != regulars; ++i)
            spawn(be_regular(number++, streams_[static_cast<std::size_t>(pair_count + i % news_count)]));
        spawn(count_wills(add("heir", number++)));
        // What is published before they have subscribed is not owed to them.
        while (subscribed_ != pair_count + regulars + 1)
            co_await sleep(tick);
        begin_ = steady::now();
        for (stream& each : streams_)
            spawn(publish(add("pub", number++), each));
        for (int i = 0; i != plan_.clients - regulars; ++i)
            spawn(pass_by(i));
        spawn(sample());

        co_await sleep(plan_.duration);
        is_over_ = true;
        const auto deadline = steady::now() + patience;
        while (!is_complete() && steady::now() < deadline)
            co_await sleep(tick);
        figures_.hung = is_complete() ? 0 : 1;
        sum_up();
        for (const auto& each : members_)
            co_await leave(*each, true);
        // The broker closes what its clients have left when it comes to that.
        do {
            co_await sleep(tick);
            figures_.descriptors_after = descriptors_of(broker_.id());
        } while (figures_.descriptors_after > figures_.descriptors_before && steady::now() < deadline + patience);
        io_.stop();
    }

    [[nodiscard]] bool is_complete() const {
        return busy_ == 0 && figures_.wills_got == figures_.wills_owed &&
               std::all_of(streams_.begin(), streams_.end(), [](const stream& of) {
                   return std::all_of(of.receivers.begin(), of.receivers.end(),
                                      [&](const arrivals& got) { return got.last() == of.sent; });
               });
    }
    void sum_up() {
        for (const stream& of : streams_) {
            for (const arrivals& got : of.receivers) {
                figures_.messages += got.received();
                figures_.lost += got.lost() + of.sent - got.last();
                if (of.qos == qos::exactly_once) figures_.repeated += got.repeated();
            }
        }
        figures_.memory_two = memory_.mean(110s, 130s);
        figures_.memory_end = memory_.mean(plan_.duration - 20s, plan_.duration);
    }
    asio::awaitable<void> sample() {
        while (!is_over_) {
            memory_.add(steady::now() - begin_, static_cast<double>(memory_of(broker_.id())));
            figures_.descriptors_most = std::max(figures_.descriptors_most, descriptors_of(broker_.id()));
            co_await sleep(1s);
        }
    }

    // -- coming and going

    [[nodiscard]] client_options options_for(const std::string& name, int number) const {
        client_options options;
        options.urls = {"mqtt://127.0.0.1:" + std::to_string(port_)};
        options.client_id = name + '-' + std::to_string(number);
        options.version = number % 2 == 0 ? protocol_version::v5 : protocol_version::v3_1_1;
        options.session = session_mode::resume;
        return options;
    }
    member_ptr add(const std::string& name, int number) {
        members_.push_back(std::make_shared<member>(io_, options_for(name, number)));
        join(members_.back());
        return members_.back();
    }
    void join(const member_ptr& who) {
        ++figures_.joins;
        who->runs = true;
        who->link.async_run([who](error_code error) {
            if (error) fail("a client has ended: " + error.message());
            who->runs = false;
        });
    }
    asio::awaitable<void> leave(member& who, bool in_order) {
        if (in_order) {
            co_await who.link.async_disconnect(tuple);
        } else {
            who.link.stop();
        }
        while (who.runs)
            co_await sleep(1ms);
    }

    // -- what they do

    asio::awaitable<void> publish(member_ptr who, stream& to) {
        ++busy_;
        int unacknowledged = 0;
        while (!is_over_) {
            const auto due = static_cast<std::uint64_t>((steady::now() - begin_) / 1ms * to.rate / 1'000);
            while (to.sent < due) {
                std::string text = std::to_string(++to.sent);
                text.resize(payload_size, ' ');
                ++unacknowledged;
                who->link.async_publish(to.topic, payload(std::move(text)), publish_options{.qos = to.qos},
                                        [&unacknowledged](error_code error, const publish_result&) {
                                            if (error) fail("publish: " + error.message());
                                            --unacknowledged;
                                        });
            }
            co_await sleep(tick);
        }
        while (unacknowledged != 0)
            co_await sleep(tick);
        --busy_;
    }

    asio::awaitable<void> receive(member_ptr who, stream& from) {
        arrivals& got = from.receivers.emplace_back();
        auto messages =
            co_await who->link.async_subscribe(from.topic, subscribe_options{.qos = from.qos}, asio::use_awaitable);
        ++subscribed_;
        std::array<message, 64> batch;
        for (;;) {
            const auto [error, count] = co_await messages.async_receive_some(batch, tuple);
            if (error == errc::not_running) {  // between two joins
                co_await sleep(tick);
                continue;
            }
            if (error) fail("receive: " + error.message());
            for (std::size_t i = 0; i != count; ++i)
                got.take(number_in(batch[i].text()));
        }
    }

    asio::awaitable<void> be_regular(int number, stream& from) {
        const auto who = add("regular", number);
        spawn(receive(who, from));
        while (!is_begun())
            co_await sleep(tick);
        ++busy_;  // nobody may come back when all are told to leave
        for (;;) {
            co_await sleep(between(500ms, 8s));
            if (is_over_) break;
            co_await leave(*who, coin());
            co_await sleep(between(0s, 5s));
            join(who);
        }
        --busy_;
    }

    asio::awaitable<void> pass_by(int number) {
        ++busy_;
        std::array<std::uint64_t, retained_per_client> retained{};  // the number that is there; 0: none
        const std::string prefix = "soak/retained/" + std::to_string(number) + '/';
        while (!is_over_) {
            co_await sleep(between(0s, 2s));
            auto options = options_for("passer-by-" + std::to_string(number), static_cast<int>(++passers_by_));
            options.session = coin() ? session_mode::clean : session_mode::fresh;
            options.session_expiry = options.session == session_mode::fresh ? 3s : 0s;
            options.will = will_options{.topic = "soak/will", .payload = "gone", .qos = qos::at_least_once};
            const auto who = std::make_shared<member>(io_, options);
            join(who);
            co_await check_retained(*who, prefix, retained);
            for (int i = 0; i != 3; ++i) {
                auto& which = retained[static_cast<std::size_t>(below(retained_per_client))];
                which = coin() ? ++figures_.retained : 0;
                std::string text = which == 0 ? std::string() : std::to_string(which);
                if (which != 0) text.resize(static_cast<std::size_t>(20 + below(1'000)), ' ');
                co_await who->link.async_publish(
                    prefix + std::to_string(&which - retained.data()), payload(std::move(text)),
                    publish_options{.qos = coin() ? qos::at_least_once : qos::exactly_once, .retain = true},
                    asio::use_awaitable);
                co_await sleep(between(0s, 2s));
            }
            const bool in_order = coin();
            co_await leave(*who, in_order);
            if (!in_order) ++figures_.wills_owed;
        }
        --busy_;
    }
    // Subscribes and gets what is retained, each topic's last one.
    asio::awaitable<void> check_retained(member& who, const std::string& prefix,
                                         const std::array<std::uint64_t, retained_per_client>& owed) {
        auto left = std::count_if(owed.begin(), owed.end(), [](auto n) { return n != 0; });
        auto messages = co_await who.link.async_subscribe(prefix + '+', qos::exactly_once, asio::use_awaitable);
        while (left-- != 0) {
            const auto [error, got] = co_await messages.async_receive(patience, tuple);
            if (error) {
                figures_.wrong += static_cast<std::uint64_t>(left + 1);
                break;
            }
            const auto topic = number_in(got.topic().substr(prefix.size()));
            if (topic >= owed.size() || owed[topic] == 0 || owed[topic] != number_in(got.text())) ++figures_.wrong;
        }
        co_await who.link.async_unsubscribe(messages, asio::use_awaitable);
        if (messages.available() != 0) figures_.wrong += messages.available();
    }

    asio::awaitable<void> count_wills(member_ptr who) {
        auto messages = co_await who->link.async_subscribe("soak/will", qos::exactly_once, asio::use_awaitable);
        ++subscribed_;
        for (;;) {
            const auto [error, got] = co_await messages.async_receive(tuple);
            if (error == errc::not_running) co_return;  // all leave
            if (error) fail("receive: " + error.message());
            ++figures_.wills_got;
        }
    }

    // -- small things

    void spawn(asio::awaitable<void> what) {
        asio::co_spawn(io_, std::move(what), [](const std::exception_ptr& error) {
            if (!error) return;
            try {
                std::rethrow_exception(error);
            } catch (const std::exception& e) {
                fail(e.what());
            }
        });
    }
    asio::awaitable<void> sleep(steady::duration time) {
        asio::steady_timer timer(io_, time);
        co_await timer.async_wait(asio::use_awaitable);
    }
    [[nodiscard]] bool is_begun() const { return begin_ != steady::time_point(); }
    [[nodiscard]] int below(int bound) { return static_cast<int>(random_() % static_cast<std::uint32_t>(bound)); }
    [[nodiscard]] bool coin() { return below(2) == 0; }
    [[nodiscard]] milliseconds between(milliseconds least, milliseconds most) {
        return least + milliseconds(below(static_cast<int>((most - least).count()) + 1));
    }

    plan plan_;
    std::mt19937 random_;
    asio::io_context io_{1};
    process broker_;
    int port_ = 0;
    std::deque<stream> streams_;  // references stay valid
    std::vector<member_ptr> members_;
    std::uint64_t passers_by_ = 0;
    int subscribed_ = 0;
    int busy_ = 0;  // publishers, regulars and passers-by that are not done
    bool is_over_ = false;
    steady::time_point begin_;
    series memory_;
    figures figures_;
};

// Prints it; false if something is not as it should be.
bool report(const plan& what, const figures& f) {
    constexpr double mebi = 1'048'576;
    const bool has_memory = what.duration >= verdict_at_least;
    const double growth = has_memory ? 100 * (f.memory_end / f.memory_two - 1) : 0;
    std::printf(
        "seconds=%lld messages=%llu joins=%llu retained=%llu wills=%llu lost=%llu dup=%llu retained_wrong=%llu "
        "wills_missing=%lld hung=%d descriptors=%zu..%zu..%zu",
        static_cast<long long>(what.duration.count()), static_cast<unsigned long long>(f.messages),
        static_cast<unsigned long long>(f.joins), static_cast<unsigned long long>(f.retained),
        static_cast<unsigned long long>(f.wills_owed), static_cast<unsigned long long>(f.lost),
        static_cast<unsigned long long>(f.repeated), static_cast<unsigned long long>(f.wrong),
        static_cast<long long>(f.wills_owed - f.wills_got), f.hung, f.descriptors_before, f.descriptors_most,
        f.descriptors_after);
    if (has_memory) {
        std::printf(" mib_at_minute_two=%.2f mib_at_end=%.2f growth=%+.1f%%", f.memory_two / mebi, f.memory_end / mebi,
                    growth);
    }
    std::printf("\n");
    return f.lost == 0 && f.repeated == 0 && f.wrong == 0 && f.wills_got == f.wills_owed && f.hung == 0 &&
           f.messages != 0 && f.retained != 0 && f.wills_owed != 0 && f.descriptors_after <= f.descriptors_before &&
           growth <= 5;
}

}  // namespace

int main(int count, char** arguments) {
    auto options = read_options(count, arguments);
    plan what;
    what.broker = options["--broker"];
    what.duration = std::chrono::seconds(number_option(options, "--seconds", 600));
    what.rate = number_option(options, "--rate", what.rate);
    what.clients = number_option(options, "--clients", what.clients);
    what.seed = static_cast<std::uint32_t>(number_option(options, "--seed", 1));
    if (what.broker.empty() || what.duration.count() < 1) return 2;
    ::signal(SIGPIPE, SIG_IGN);

    std::string folder = (std::filesystem::temp_directory_path() / "martlet-soak-XXXXXX").string();
    if (::mkdtemp(folder.data()) == nullptr) fail("mkdtemp");
    const figures got = soak(what, folder).run();
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    return report(what, got) ? 0 : 1;
}
