#include "bench/msgsps.hpp"

#include "clock.hpp"
#include "command_line.hpp"
#include "exit_code.hpp"
#include "failure.hpp"
#include "help.hpp"
#include "histogram.hpp"
#include "quantities.hpp"
#include "stamp.hpp"

#include <martlet/client.hpp>
#include <martlet/topic.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace martlet::cli {

namespace {

using namespace bench;  // NOLINT(google-build-using-namespace): its own front

constexpr std::uint16_t stamp_run = 0x6D70;  // these programs' stamps, whoever started them
constexpr std::uint64_t outstanding_max = 20'000;
constexpr int batch_max = 256;
constexpr std::chrono::milliseconds pump_interval{1};

struct msgsps_settings {
    std::string host = "127.0.0.1";
    std::string port = "1883";
    std::string topic = "perf/test";
    martlet::qos qos = martlet::qos::at_least_once;
    std::size_t size = 1'024;
    double rate = 10'000;  ///< one each 100 µs; 0: as fast as it goes
    std::size_t clients = 1;
    std::uint64_t count_max = 0;
    double seconds_max = 0;
    bool is_json = false;
    bool has_latency = false;
};

class meter {
public:
    meter(const msgsps_settings& settings, bool is_publisher)
        : settings_(settings), is_publisher_(is_publisher), tick_(io_), pump_(io_), signals_(io_, SIGINT, SIGTERM) {}

    int run() {
        for (std::size_t i = 0; i < settings_.clients; ++i)
            add_client();
        signals_.async_wait([this](const error_code& error, int) {
            if (!error) finish(0);
        });
        io_.run();
        return code_;
    }

private:
    struct member {
        explicit member(boost::asio::io_context& io, client_options options) : client(io, std::move(options)) {}
        martlet::client client;
        subscription stream;
        std::array<message, 256> batch;
        std::uint64_t outstanding = 0;
    };

    void add_client() {
        client_options options;
        const bool is_v6 = settings_.host.find(':') != std::string::npos;
        options.urls = {"mqtt://" + (is_v6 ? '[' + settings_.host + ']' : settings_.host) + ':' + settings_.port};
        options.keep_alive = std::chrono::seconds(600);
        options.receive_maximum = 65'535;
        options.reconnect.before_first_connect = false;
        auto& m = *members_.emplace_back(std::make_unique<member>(io_, std::move(options)));
        m.client.async_run([this](const error_code& error) {
            if (error) fail("Error: " + describe(error));
        });
        if (is_publisher_) {
            watch_connected(m);
        } else {
            subscribe(m);
        }
    }

    void watch_connected(member& m) {
        m.client.async_next_event([this, &m](const error_code& error, const client_event& event) {
            if (error) return;
            if (event.kind == client_event::kind_type::connected) return ready();
            watch_connected(m);
        });
    }

    void subscribe(member& m) {
        m.client.async_subscribe(settings_.topic, settings_.qos, [this, &m](const error_code& error, subscription s) {
            if (error) return fail("Error: " + describe(error));
            m.stream = std::move(s);
            receive(m);
            ready();
        });
    }

    // Seconds are counted from when all are there.
    void ready() {
        if (++ready_ != settings_.clients) return;
        start_ = std::chrono::steady_clock::now();
        payload_.resize(settings_.size);
        fill_payload(payload_, stamp_run);
        tick();
        if (is_publisher_) pump();
    }

    void receive(member& m) {
        m.stream.async_receive_some(std::span<message>(m.batch),
                                    [this, &m](const error_code& error, std::size_t count) {
                                        if (error) return;
                                        const nanoseconds now = monotonic_now();
                                        for (std::size_t i = 0; i < count; ++i)
                                            counted(m.batch[i].text(), now);
                                        receive(m);
                                    });
    }

    void counted(std::string_view payload, nanoseconds now) {
        ++counted_;
        ++total_;
        if (settings_.has_latency) {
            const auto s = read_stamp(std::span<const char>(payload.data(), payload.size()), stamp_run);
            if (s) latencies_.record(now - s->intended);
        }
        if (settings_.count_max != 0 && total_ >= settings_.count_max) finish(0);
    }

    void pump() {
        if (is_finishing_) return;
        int taken = 0;
        const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
        const auto due =
            settings_.rate > 0 ? static_cast<std::uint64_t>(elapsed * settings_.rate) + 1 : ~std::uint64_t{0};
        bool is_full = true;
        while (taken < batch_max && published_ < due) {
            member& m = *members_[published_ % members_.size()];
            is_full = m.outstanding >= outstanding_max;
            if (is_full || (settings_.count_max != 0 && published_ >= settings_.count_max)) break;
            publish(m);
            ++taken;
        }
        if (taken == batch_max) {
            boost::asio::post(io_, [this] { pump(); });
            return;
        }
        pump_.expires_after(pump_interval);
        pump_.async_wait([this](const error_code& error) {
            if (!error) pump();
        });
    }

    void publish(member& m) {
        const nanoseconds now = monotonic_now();
        if (payload_.size() >= stamp_size_full) write_stamp(payload_, {stamp_run, 0, published_, now, 0});
        ++published_;
        ++m.outstanding;
        publish_options how;
        how.qos = settings_.qos;
        m.client.async_publish(settings_.topic, std::string_view(payload_), how,
                               [this, &m, now](const error_code& error, publish_result) {
                                   --m.outstanding;
                                   if (error || is_finishing_) return;
                                   if (settings_.has_latency) latencies_.record(monotonic_now() - now);
                                   ++counted_;
                                   ++total_;
                                   if (settings_.count_max != 0 && total_ >= settings_.count_max) finish(0);
                               });
    }

    void tick() {
        tick_.expires_at(start_ + std::chrono::seconds(++ticks_));
        tick_.async_wait([this](const error_code& error) {
            if (error) return;
            print_line();
            if (settings_.seconds_max > 0 && static_cast<double>(ticks_) >= settings_.seconds_max) return finish(0);
            tick();
        });
    }

    void print_line() {
        const auto count = static_cast<unsigned long long>(counted_);
        const double p50 = static_cast<double>(latencies_.percentile(50)) / 1e3;
        const double p99 = static_cast<double>(latencies_.percentile(99)) / 1e3;
        if (settings_.is_json) {
            std::printf("{\"second\":%llu,\"messages\":%llu", static_cast<unsigned long long>(ticks_), count);
            if (settings_.has_latency) std::printf(",\"p50_us\":%.1f,\"p99_us\":%.1f", p50, p99);
            std::printf("}\n");
        } else if (settings_.has_latency) {
            std::printf("%llu %.1f %.1f\n", count, p50, p99);
        } else {
            std::printf("%llu\n", count);
        }
        if (std::fflush(stdout) != 0) finish(0);
        counted_ = 0;
        latencies_.clear();
    }

    void fail(const std::string& line) {
        if (!is_finishing_) complain(line);
        finish(1);
    }

    void finish(int code) {
        if (is_finishing_) return;
        is_finishing_ = true;
        code_ = code;
        if (settings_.count_max != 0 && counted_ != 0 && code == 0) print_line();
        io_.stop();
    }

    const msgsps_settings& settings_;
    bool is_publisher_;
    boost::asio::io_context io_{1};
    boost::asio::steady_timer tick_;
    boost::asio::steady_timer pump_;
    boost::asio::signal_set signals_;
    std::vector<std::unique_ptr<member>> members_;
    std::chrono::steady_clock::time_point start_;
    std::string payload_;
    histogram latencies_;
    std::size_t ready_ = 0;
    std::uint64_t ticks_ = 0;
    std::uint64_t published_ = 0;
    std::uint64_t counted_ = 0;
    std::uint64_t total_ = 0;
    int code_ = 0;
    bool is_finishing_ = false;
};

std::string set_option(msgsps_settings& s, const option& row, const std::string& value) {
    const std::string_view name = row.short_name.empty() ? row.long_name : row.short_name;
    const auto number = parse_amount(value);
    const bool is_whole = number && std::floor(*number) == *number;
    if (name == "--json") {
        s.is_json = true;
    } else if (name == "--latency") {
        s.has_latency = true;
    } else if (name == "-h") {
        s.host = value;
    } else if (name == "-p") {
        if (!is_whole || *number > 65'535 || *number < 1) return "Invalid port given: " + value;
        s.port = decimal_text(*number, 0);
    } else if (name == "-t") {
        s.topic = value;
    } else if (name == "-q") {
        if (value != "0" && value != "1" && value != "2") return "Invalid QoS given: " + value;
        s.qos = static_cast<martlet::qos>(value[0] - '0');
    } else if (name == "-s") {
        const auto size = parse_bytes(value);
        if (!size || *size > 268'000'000) return "Invalid size given: " + value;
        s.size = *size;
    } else if (name == "-r") {
        if (value != "max" && (!number || *number <= 0)) return "Invalid rate given: " + value;
        s.rate = value == "max" ? 0 : *number;
    } else if (name == "-c") {
        if (!is_whole || *number < 1 || *number > 10'000) return "Invalid number of clients given: " + value;
        s.clients = static_cast<std::size_t>(*number);
    } else if (name == "-C") {
        if (!is_whole || *number < 1) return "Invalid message count given: " + value;
        s.count_max = static_cast<std::uint64_t>(*number);
    } else if (name == "-W") {
        if (!is_whole || *number < 1) return "Invalid time given: " + value;
        s.seconds_max = *number;
    }
    return {};
}

std::string complaint_about(const msgsps_settings& s, bool is_publisher) {
    if (is_publisher ? !is_valid_topic_name(s.topic) : !is_valid_topic_filter(s.topic))
        return "Invalid topic '" + s.topic + "'.";
    if (s.has_latency && is_publisher && s.size < stamp_size_full)
        return "--latency needs payloads of at least 32 bytes.";
    return {};
}

/// Options of a publisher are none of a subscriber's.
bool is_for_publisher(const option& row) { return row.short_name == "-s" || row.short_name == "-r"; }

int run_msgsps(std::span<char* const> arguments, std::string_view program, bool is_publisher) {
    msgsps_settings s;
    command_line in(arguments, command::msgsps, profile::native);
    while (const option* const row = in.next()) {
        if (row->id == option_id::help) {
            std::fputs(help_text(command::msgsps, profile::native, "martlet msgsps").c_str(), stdout);
            return exit_ok;
        }
        if (row->id == option_id::version) {
            std::printf("%s\n", std::string(version_text()).c_str());
            return exit_ok;
        }
        std::string text;
        if (!row->value_name.empty()) {
            const auto value = in.value();
            if (!value) break;
            text = *value;
        }
        if (!is_publisher && is_for_publisher(*row)) {
            in.fail("Unknown option '" + std::string(row->short_name) + "': only publishers take it.");
        } else if (std::string wrong = set_option(s, *row, text); !wrong.empty()) {
            in.fail(std::move(wrong));
        }
    }
    if (std::string wrong = complaint_about(s, is_publisher); !wrong.empty()) in.fail(std::move(wrong));
    if (in.failed()) return report_usage_error(in, program);
    return meter(s, is_publisher).run();
}

}  // namespace

int run_msgsps_pub(std::span<char* const> arguments, profile, std::string_view program) {
    return run_msgsps(arguments, program, true);
}

int run_msgsps_sub(std::span<char* const> arguments, profile, std::string_view program) {
    return run_msgsps(arguments, program, false);
}

int run_msgsps(std::span<char* const> arguments, profile p, std::string_view program) {
    const std::string_view word = arguments.empty() ? std::string_view() : std::string_view(arguments.front());
    const std::string name = std::string(program) + ' ' + std::string(word);
    if (word == "--help" || word == "--version") return run_msgsps(arguments, program, true);
    if (word == "pub") return run_msgsps_pub(arguments.subspan(1), p, name);
    if (word == "sub") return run_msgsps_sub(arguments.subspan(1), p, name);
    complain("Error: '" + std::string(program) + "' wants 'pub' or 'sub'.\nUse '" + std::string(program) +
             " --help' to see usage.");
    return 1;
}

}  // namespace martlet::cli
