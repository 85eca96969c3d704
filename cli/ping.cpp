#include "ping.hpp"

#include "exit_code.hpp"
#include "failure.hpp"
#include "interruption.hpp"
#include "json_text.hpp"
#include "standard_output.hpp"
#include "tool_client.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

namespace martlet::cli {
namespace {

using steady = std::chrono::steady_clock;

constexpr std::chrono::milliseconds reply_timeout{5'000};

struct ping_settings {
    connection_settings connection;
    std::optional<std::uint64_t> count;
    std::chrono::milliseconds interval{1'000};
    std::optional<std::chrono::milliseconds> timeout;
    bool json = false;
};

bool read_ping_option(const option& row, command_line& in, ping_settings& out) {
    switch (row.id) {
        case option_id::count:
            if (const auto n = in.number(1, INT64_MAX, "Invalid count \"{}\"."))
                out.count = static_cast<std::uint64_t>(*n);
            return true;
        case option_id::interval: read_seconds(in, "Invalid interval \"{}\".", out.interval); return true;
        case option_id::timeout: {
            std::chrono::milliseconds limit{};
            if (read_seconds(in, "Invalid timeout \"{}\".", limit)) out.timeout = limit;
            return true;
        }
        case option_id::json: out.json = true; return true;
        default: return read_connection_option(row, in, out.connection);
    }
}

double milliseconds(steady::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

std::string number(double value) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.3f", value);
    return text.data();
}

/// UNSUBSCRIBE of a filter that nobody has subscribed to: every broker answers it, it needs no rights and changes
/// nothing. PINGREQ would do as well, but belongs to keep-alive.
class pinger {
public:
    pinger(blocking_client& client, const ping_settings& settings, std::string where)
        : client_(client), settings_(settings), where_(std::move(where)) {}

    void run() {
        const auto deadline = deadline_after(settings_.timeout);
        auto due = steady::now();
        for (std::uint64_t n = 1; !was_interrupted(); ++n) {
            if (!ask(n) || n == settings_.count) return;
            due += settings_.interval;
            while (steady::now() < due) {
                if (was_interrupted() || steady::now() >= deadline) return;
                std::this_thread::sleep_for(
                    std::min<steady::duration>(due - steady::now(), std::chrono::milliseconds(50)));
            }
        }
    }

    int report() const {
        const double lost =
            sent_ == 0 ? 0 : 100.0 * static_cast<double>(sent_ - times_.size()) / static_cast<double>(sent_);
        double low = 0, high = 0, sum = 0, squares = 0;
        for (const double t : times_) {
            low = sum == 0 ? t : std::min(low, t);
            high = std::max(high, t);
            sum += t;
            squares += t * t;
        }
        const double n = std::max<double>(static_cast<double>(times_.size()), 1);
        const double mean = sum / n;
        const double deviation = std::sqrt(std::max(squares / n - mean * mean, 0.0));
        std::string text;
        if (settings_.json) {
            text = "{\"schema\":\"martlet.ping/1\",\"kind\":\"summary\",\"sent\":" + std::to_string(sent_) +
                   ",\"received\":" + std::to_string(times_.size()) + ",\"min_ms\":" + number(low) +
                   ",\"mean_ms\":" + number(mean) + ",\"max_ms\":" + number(high) +
                   ",\"deviation_ms\":" + number(deviation) + "}\n";
        } else {
            std::array<char, 32> percent{};
            std::snprintf(percent.data(), percent.size(), "%.0f", lost);
            text = "--- " + where_ + " ---\n" + std::to_string(sent_) + " sent, " + std::to_string(times_.size()) +
                   " answered, " + percent.data() + " % lost\n";
            if (!times_.empty()) {
                text += "round trip min/mean/max/deviation = " + number(low) + "/" + number(mean) + "/" + number(high) +
                        "/" + number(deviation) + " ms\n";
            }
        }
        print(text);
        return times_.empty() ? exit_failure : exit_ok;
    }

private:
    /// False: nobody sees the answers.
    bool ask(std::uint64_t n) {
        static constexpr std::array<std::string_view, 1> nothing = {"martlet/ping"};
        ++sent_;
        const auto begin = steady::now();
        try {
            static_cast<void>(client_.unsubscribe(nothing, {.timeout = reply_timeout}));
        } catch (const boost::system::system_error& e) {
            if (!was_interrupted()) complain("no answer: seq=" + std::to_string(n) + ": " + describe(e.code()));
            return true;
        }
        times_.push_back(milliseconds(steady::now() - begin));
        if (settings_.json) {
            return print("{\"schema\":\"martlet.ping/1\",\"kind\":\"answer\",\"seq\":" + std::to_string(n) +
                         ",\"ms\":" + number(times_.back()) + "}\n");
        }
        return print("answer from " + where_ + ": seq=" + std::to_string(n) + " time=" + number(times_.back()) +
                     " ms\n");
    }

    blocking_client& client_;
    const ping_settings& settings_;
    std::string where_;
    std::uint64_t sent_ = 0;
    std::vector<double> times_;
};

}  // namespace

int run_ping(std::span<char* const> arguments, profile p, std::string_view program) {
    ping_settings settings;
    settings.connection = default_settings(p);
    command_line in(arguments, command::ping, p);
    const auto done = read_options(in, program, [&](const option& row) { return read_ping_option(row, in, settings); });
    if (done) return *done;
    if (!finish_connection_options(in, settings.connection)) return report_usage_error(in, program);

    watch_interruption();
    const std::string where = destination(settings.connection);
    const auto begin = steady::now();
    int code = exit_failure;
    const auto client = open_client(settings.connection, true, code);
    if (!client) return code;
    const std::string connected = number(milliseconds(steady::now() - begin));
    bool is_seen = true;
    if (settings.json) {
        std::string line = "{\"schema\":\"martlet.ping/1\",\"kind\":\"connected\",\"broker\":";
        append_json_string(where, line);
        is_seen = print(line + ",\"ms\":" + connected + "}\n");
    } else {
        is_seen = print("PING " + where + ": connected in " + connected + " ms\n");
    }
    pinger pings(*client, settings, where);
    if (is_seen) pings.run();
    say_goodbye(*client);
    return pings.report();
}

}  // namespace martlet::cli
