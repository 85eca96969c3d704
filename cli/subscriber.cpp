#include "subscriber.hpp"

#include "exit_code.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <span>
#include <unistd.h>
#include <utility>

namespace martlet::cli {
namespace {

constexpr std::size_t batch_max = 1'000;

}  // namespace

subscriber::subscriber(client_runner& runner, text_output& output, const sub_settings& settings, profile p)
    : runner_(runner),
      output_(output),
      settings_(settings),
      profile_(p),
      printer_(settings.output, p, [&runner](std::string_view line) { runner.tell(line); }),
      tick_(runner.io()),
      quiet_(runner.io()),
      draws_(settings.watch && (p == profile::mosquitto || is_terminal(STDOUT_FILENO))),
      writable_(runner.io().get_executor(), output.descriptor(), readiness::writable),
      random_(static_cast<std::minstd_rand::result_type>(std::time(nullptr))),
      batch_(std::min<std::uint64_t>(batch_max, settings.count.value_or(batch_max))),
      shell_(runner.io().get_executor()) {}

void subscriber::start() {
    runner_.leave_on_signal();
    if (draws_ || settings_.message_rate) runner_.on_connected([this] { tick(); });
    if (!settings_.filters.empty()) subscribe();
    if (!settings_.unsubscribe.empty()) unsubscribe();
    if (settings_.filters.empty() && settings_.connection.keep_session) receive_unclaimed();
}

// -- subscribing

void subscriber::subscribe() {
    std::vector<subscription_request> requests;
    for (std::size_t i = 0; i < settings_.filters.size(); ++i) {
        requests.push_back({settings_.filters[i], settings_.filter_qos[i].value_or(settings_.qos), settings_.no_local,
                            settings_.retain_as_published, settings_.retain_handling});
    }
    subscribe_options options;
    options.user_properties = settings_.connection.properties.subscribe_user_properties;
    options.subscription_identifier = settings_.connection.properties.subscription_identifier;
    ++replies_awaited_;
    runner_.client().async_subscribe(
        std::span<const subscription_request>(requests), options,
        [this](const error_code& error, subscription stream) { subscribed(error, std::move(stream)); });
}

void subscriber::subscribed(const error_code& error, subscription stream) {
    if (runner_.is_finishing() || error == errc::not_running) return;  // the run's own end says why
    if (error) {
        const bool denied = error.category() == reason_category();
        runner_.tell(denied ? "All subscription requests were denied." : "Error: " + describe(error));
        runner_.finish(!denied ? exit_failure : profile_ == profile::mosquitto ? exit_ok : error.value());
        return;
    }
    stream_ = std::move(stream);
    arm_quiet_timer();
    if (profile_ == profile::native) {
        for (std::size_t i = 0; i < stream_.granted().size(); ++i) {
            if (!is_failure(stream_.granted()[i])) continue;
            runner_.tell("Warning: Subscription to '" + stream_.filters()[i] +
                         "' was denied: " + describe(stream_.granted()[i]));
        }
    }
    replied();
    if (runner_.is_finishing()) return;
    receive();
    if (settings_.connection.keep_session) receive_unclaimed();  // what other filters of the session still bring
}

void subscriber::unsubscribe() {
    const std::vector<std::string_view> filters(settings_.unsubscribe.begin(), settings_.unsubscribe.end());
    unsubscribe_options options;
    options.user_properties = settings_.connection.properties.unsubscribe_user_properties;
    ++replies_awaited_;
    runner_.client().async_unsubscribe(std::span<const std::string_view>(filters), options,
                                       [this](const error_code& error, const std::vector<reason_code>&) {
                                           if (error == errc::not_running) return;
                                           if (error && !runner_.is_finishing()) {
                                               runner_.tell("Error: Unsubscribing failed: " + describe(error));
                                           }
                                           replied();
                                       });
}

void subscriber::replied() {
    --replies_awaited_;
    const bool nothing_to_wait_for = settings_.exit_after_subscribe || settings_.filters.empty();
    if (replies_awaited_ == 0 && nothing_to_wait_for && !runner_.is_finishing()) runner_.finish(exit_ok);
}

// -- receiving

void subscriber::receive() {
    const std::uint64_t wanted = settings_.count.value_or(UINT64_MAX) - handled_total_;
    const std::size_t room = std::min<std::uint64_t>(batch_.size(), wanted);
    stream_.async_receive_some(std::span(batch_).first(room), [this](const error_code& error, std::size_t count) {
        if (runner_.is_finishing()) return;
        if (error) {  // every filter was unsubscribed
            if (error != errc::subscription_ended && error != errc::not_running)
                runner_.tell("Error: " + describe(error));
            return;
        }
        received(count);
    });
}

void subscriber::receive_unclaimed() {
    runner_.client().async_receive([this](const error_code& error, const message& m) {
        if (error || runner_.is_finishing() || has_ended_) return;
        static_cast<void>(handle(m));
        unclaimed_waits_ = true;
        if (to_execute_.empty()) flush();
    });
}

void subscriber::received(std::size_t count) {
    arm_quiet_timer();
    batch_size_ = count;
    handled_ = 0;
    handle_rest_of_batch();
}

// A message whose command runs holds up those behind it, and nothing else.
void subscriber::handle_rest_of_batch() {
    while (handled_ < batch_size_ && !has_ended_ && handle(batch_[handled_])) {
        ++handled_;
        batch_waits_ = !to_execute_.empty();
        if (batch_waits_) return;
    }
    stream_waits_ = true;
    flush();
}

/// False: not for us, so not to be acknowledged, and the end.
bool subscriber::handle(const message& m) {
    if (settings_.retained_only && !m.retain()) {
        has_ended_ = true;
        return false;
    }
    if (is_filtered_out(m)) return true;
    if (settings_.remove_retained && m.retain()) {
        runner_.client().async_publish(m.topic(), payload(), {.qos = qos::at_least_once, .retain = true},
                                       [](const error_code&, publish_result) {});
    }
    if (!show(m)) return true;
    ++handled_total_;
    if (!settings_.until.empty() && m.text().find(settings_.until) != std::string_view::npos) has_ended_ = true;
    if (handled_total_ == settings_.count) has_ended_ = true;
    return true;
}

bool subscriber::is_filtered_out(const message& m) const {
    if (m.retain() && settings_.output.skip_retained) return true;
    return std::any_of(settings_.filter_out.begin(), settings_.filter_out.end(),
                       [&](const std::string& filter) { return topic_matches(filter, m.topic()); });
}

/// False: the random filter took it away.
bool subscriber::show(const message& m) {
    const std::optional<double> share = settings_.output.random_filter;
    if (share && static_cast<double>(random_() % 10'000) >= *share * 100) {
        return profile_ == profile::mosquitto;  // -C counts it there
    }
    if (draws_) {
        table_.update(m.topic(), m.text(), m.retain(), watch_table::clock::now());
    } else if (settings_.message_rate) {
        ++second_;
    } else if (!settings_.save_dir.empty()) {
        save(m);
    } else if (!settings_.command.empty()) {
        execute(m);
    } else {
        printer_.print(m, output_.text());
    }
    return true;
}

void subscriber::save(const message& m) {
    std::string topic(m.topic());
    for (char& c : topic) {
        const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.';
        if (!plain) c = '_';
    }
    topic.resize(std::min<std::size_t>(topic.size(), 100));
    char number[32] = {};
    int descriptor = -1;
    std::string name;
    do {  // a number that a former run has used is passed over
        std::snprintf(number, sizeof(number), "%06llu-", static_cast<unsigned long long>(++file_number_));
        name = settings_.save_dir + '/' + number + topic;
        descriptor = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (descriptor < 0 && errno == EEXIST);
    std::string_view rest = m.text();
    bool good = descriptor >= 0;
    while (good && !rest.empty()) {
        const ssize_t n = ::write(descriptor, rest.data(), rest.size());
        if (n < 0 && errno == EINTR) continue;
        good = n > 0;
        if (good) rest.remove_prefix(static_cast<std::size_t>(n));
    }
    const int error = errno;
    if (descriptor >= 0 && ::close(descriptor) != 0) good = false;
    if (good) {
        output_.text().append(name) += '\n';
        return;
    }
    runner_.tell("Error: Unable to write file \"" + name + "\": " + std::strerror(error) + '.');
    runner_.finish(exit_failure);
}

void subscriber::execute(const message& m) {
    to_execute_.push_back(m);
    if (!shell_.is_running()) execute_next();
}

void subscriber::execute_next() {
    const message& m = to_execute_.front();
    shell_.run(settings_.command, m.text(),
               {{"MQTT_TOPIC", std::string(m.topic())},
                {"MQTT_QOS", std::to_string(to_number(m.qos()))},
                {"MQTT_RETAIN", m.retain() ? "1" : "0"}},
               [this](int status) {
                   if (status != 0)
                       runner_.tell("Warning: The command of --exec ended with " + std::to_string(status) + ".");
                   to_execute_.pop_front();
                   if (runner_.is_finishing()) return;
                   arm_quiet_timer();
                   if (!to_execute_.empty()) return execute_next();
                   if (std::exchange(batch_waits_, false)) return handle_rest_of_batch();
                   flush();
               });
}

// Once a second: the table, or the number of messages.
void subscriber::tick() {
    if (runner_.is_finishing()) return;
    if (draws_) {
        const terminal_size size = size_of_terminal(STDOUT_FILENO);
        output_.text() += screen_.frame(table_.render(size, watch_table::clock::now()), size);
        flush();
    } else if (tick_.expiry() != boost::asio::steady_timer::time_point()) {
        output_.text() += std::to_string(std::exchange(second_, 0)) + " msgs/s\n";
        flush();
    }
    tick_.expires_after(draws_ ? std::chrono::milliseconds(250) : std::chrono::milliseconds(1'000));
    tick_.async_wait([this](const error_code& error) {
        if (!error) tick();
    });
}

void subscriber::arm_quiet_timer() {
    if (!settings_.quiet_for) return;
    quiet_.expires_after(*settings_.quiet_for);
    quiet_.async_wait([this](const error_code& error) {
        if (error || runner_.is_finishing()) return;
        if (shell_.is_running()) return;  // its end sets the timer again
        runner_.finish(exit_ok);
    });
}

// -- output

void subscriber::flush() {
    if (output_waits_) return;
    switch (output_.flush()) {
        case text_output::result::done: flushed(); break;
        case text_output::result::failed: output_failed(); break;
        case text_output::result::would_block:
            output_waits_ = true;
            writable_.wait([this] {
                output_waits_ = false;
                if (!runner_.is_finishing()) flush();
            });
            break;
    }
}

// Asking for the next messages acknowledges those before; the last ones are acknowledged one by one.
void subscriber::flushed() {
    if (has_ended_) {
        for (std::size_t i = 0; i < handled_; ++i)
            stream_.acknowledge(batch_[i]);
        runner_.finish(exit_ok, {.drain = settings_.remove_retained});
        return;
    }
    if (std::exchange(stream_waits_, false)) receive();
    if (std::exchange(unclaimed_waits_, false)) receive_unclaimed();
}

void subscriber::output_failed() {
    const bool closed = output_.error() == EPIPE;  // the reader has seen enough
    if (!closed) runner_.tell(std::string("Error: Cannot write standard output: ") + std::strerror(output_.error()));
    runner_.finish(closed || profile_ == profile::mosquitto ? exit_ok : exit_failure);
}

}  // namespace martlet::cli
