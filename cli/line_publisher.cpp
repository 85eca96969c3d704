#include "line_publisher.hpp"

#include "exit_code.hpp"

#include <martlet/topic.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace martlet::cli {
namespace {

// What may be under way at once. Less than the client's queue takes, so that it never refuses.
constexpr std::uint64_t outstanding_max = 20'000;
constexpr std::size_t outstanding_bytes_max = 32u * 1024 * 1024;
constexpr std::size_t line_size_max = 268'435'455;  // no MQTT packet is larger

}  // namespace

line_publisher::line_publisher(client_runner& runner, const pub_settings& settings, profile p)
    : runner_(runner),
      settings_(settings),
      profile_(p),
      options_(settings.options()),
      input_(runner.io().get_executor(), STDIN_FILENO, readiness::readable),
      pace_timer_(runner.io()) {
    if (settings.rate) pace_.emplace(*settings.rate);
    struct stat about {};
    const bool is_file = ::fstat(STDIN_FILENO, &about) == 0 && S_ISREG(about.st_mode);
    const bool shows = is_file && profile_ == profile::native && !settings_.connection.quiet;
    if (shows) progress_.emplace("publishing", static_cast<std::uint64_t>(about.st_size), false);
}

void line_publisher::start() {
    if (profile_ == profile::native && ::isatty(STDIN_FILENO) == 1) {
        runner_.tell("Each line is published; Ctrl-D ends.");
    }
    runner_.on_connected([this] {
        if (state_ != state::connecting) return;
        state_ = state::pumping;
        pump();
    });
}

void line_publisher::interrupt() {
    if (state_ == state::at_end) return;
    input_.cancel();
    pace_timer_.cancel();
    if (progress_) progress_->clear();
    const std::uint64_t taken = line_number_ - (line_ ? 1 : 0);
    runner_.tell("Interrupted after " + std::to_string(taken) + (taken == 1 ? " line" : " lines") +
                 (outstanding_ == 0 ? "." : "; waiting for " + std::to_string(outstanding_) + " acknowledgements."));
    exit_code_ = exit_by_second_signal;
    end_of_input();
}

void line_publisher::pump() {
    while (state_ == state::pumping && !runner_.is_finishing()) {
        if (!line_) {
            if (!take_line()) return;
            if (!understand_line()) continue;
        }
        if (!is_due() || !publish_line()) return;
    }
}

/// False: more input has been asked for, or there is none.
bool line_publisher::take_line() {
    line_ = lines_.next();
    if (!line_) return read_more();
    ++line_number_;
    next_topic_ = 0;
    return true;
}

bool line_publisher::read_more() {
    if (lines_.pending() > line_size_max) {
        runner_.tell("Error: Line " + std::to_string(line_number_ + 1) + " is longer than " +
                     std::to_string(line_size_max) + " bytes.");
        exit_code_ = exit_payload_too_large;
        end_of_input();
        return false;
    }
    if (has_input_ended_) {
        end_of_input();
        return false;
    }
    if (!input_.is_ready()) {
        state_ = state::waiting_for_input;
        input_.wait([this] {
            state_ = state::pumping;
            pump();
        });
        return false;
    }

    const std::span<char> room = lines_.prepare();
    const ssize_t n = ::read(STDIN_FILENO, room.data(), room.size());
    const bool failed = n < 0 && errno != EINTR && errno != EAGAIN;
    if (failed) {
        runner_.tell(std::string("Error: Cannot read standard input: ") + std::strerror(errno));
        exit_code_ = exit_failure;
    }
    if (n == 0 || failed) {
        has_input_ended_ = true;
        line_ = lines_.last();
        if (line_) {
            ++line_number_;
            next_topic_ = 0;
        } else {
            end_of_input();
        }
        return line_.has_value();
    }
    if (n > 0) lines_.commit(static_cast<std::size_t>(n));
    if (n > 0) bytes_read_ += static_cast<std::uint64_t>(n);
    report_progress();
    // A turn of the loop for each block: the client writes what it has, and reads acknowledgements.
    boost::asio::post(runner_.io(), [this] { pump(); });
    return false;
}

void line_publisher::report_progress() {
    if (progress_) progress_->set(bytes_read_);
}

/// From the line to topics, payload and options. False: it is none, which has been told.
bool line_publisher::understand_line() {
    line_topics_.clear();
    line_options_ = options_;
    if (settings_.format == line_format::line && settings_.payload.encoding == payload_encoding::none) return true;
    const auto refuse = [this](const std::string& why) {
        if (progress_) progress_->clear();
        runner_.tell("Error: Line " + std::to_string(line_number_) + ": " + why);
        if (exit_code_ == 0) exit_code_ = exit_failure;
        line_.reset();
        return false;
    };

    std::string_view text = *line_;
    if (settings_.format == line_format::tsv) {
        const std::size_t tab = text.find('\t');
        if (tab == std::string_view::npos) return refuse("there is no tab between topic and payload.");
        const std::string_view topic = text.substr(0, tab);
        if (!is_valid_topic_name(topic)) return refuse("'" + std::string(topic) + "' is no topic to publish to.");
        line_topics_.emplace_back(topic);
        text.remove_prefix(tab + 1);
    }
    if (settings_.format == line_format::jsonl) {
        if (const std::string why = parse_record(text, record_); !why.empty()) return refuse(why);
        if (record_.topic) line_topics_.push_back(*record_.topic);
        if (line_topics_.empty() && settings_.topics.empty()) return refuse("topic: there is none, and no -t.");
        if (record_.qos) line_options_.qos = *record_.qos;
        if (record_.retain) line_options_.retain = *record_.retain;
        const message_properties own = record_.properties(pairs_);
        if (own != message_properties{}) line_options_.properties = own;
        text = record_.payload;
    }
    if (settings_.payload.encoding != payload_encoding::none) {
        auto bytes = decode_payload(text, settings_.payload.encoding);
        if (!bytes) return refuse("the payload is not what --hex or --base64 promises.");
        decoded_ = std::move(*bytes);
        text = decoded_;
    }
    line_ = text;
    return true;
}

/// With --rate: false until the line's time has come; pump() is called then.
bool line_publisher::is_due() {
    if (!pace_ || next_topic_ > 0) return true;
    const auto now = pacing::clock::now();
    const auto due = pace_->due(now);
    if (now >= due) {
        pace_->sent(now);
        return true;
    }
    state_ = state::waiting_for_input;
    pace_timer_.expires_at(due);
    pace_timer_.async_wait([this](const error_code& cancelled) {
        if (cancelled) return;
        state_ = state::pumping;
        pump();
    });
    return false;
}

/// False: the line waits, and pump() will be called again.
bool line_publisher::publish_line() {
    const std::vector<std::string>& topics = line_topics_.empty() ? settings_.topics : line_topics_;
    for (; next_topic_ < topics.size(); ++next_topic_) {
        const std::string& topic = topics[next_topic_];
        if (line_options_.qos != qos::at_most_once) {
            if (outstanding_ >= outstanding_max || outstanding_bytes_ >= outstanding_bytes_max) {
                state_ = state::waiting_for_room;
                return false;
            }
            publish_later(topic);
            continue;
        }
        const error_code error = publish_now(topic);
        if (error == errc::queue_full || error == errc::not_connected) {  // this one waits, and we with it
            publish_later(topic);
            state_ = state::waiting_for_room;
            if (++next_topic_ == topics.size()) line_.reset();
            return false;
        }
        if (error) refused(line_number_, error);
    }
    line_.reset();
    return true;
}

error_code line_publisher::publish_now(std::string_view topic) {
    return runner_.client().publish(topic, payload(*line_), line_options_);
}

void line_publisher::publish_later(std::string_view topic) {
    ++outstanding_;
    outstanding_bytes_ += line_->size();
    runner_.client().async_publish(topic, payload(*line_), line_options_,
                                   [this, line = line_number_, size = line_->size()](
                                       const error_code& error, publish_result) { published(line, size, error); });
}

void line_publisher::published(std::uint64_t line, std::size_t size, const error_code& error) {
    if (error == errc::not_running) return;  // the run's own end says why
    --outstanding_;
    outstanding_bytes_ -= size;
    if (error) refused(line, error);
    if (state_ == state::waiting_for_room &&
        (outstanding_ <= outstanding_max / 2 && outstanding_bytes_ <= outstanding_bytes_max / 2)) {
        state_ = state::pumping;
        boost::asio::post(runner_.io(), [this] { pump(); });
        return;
    }
    finish_if_done();
}

void line_publisher::refused(std::uint64_t line, const error_code& error) {
    if (runner_.is_finishing()) return;
    const failure f = publish_failure(error);
    runner_.tell("Warning: Publish " + std::to_string(line) + " failed: " + f.text + ".");
    if (exit_code_ == 0 && profile_ == profile::native) exit_code_ = f.exit_code;
}

void line_publisher::end_of_input() {
    state_ = state::at_end;
    finish_if_done();
}

void line_publisher::finish_if_done() {
    if (state_ == state::at_end && outstanding_ == 0) runner_.finish(exit_code_, {.drain = true});
}

}  // namespace martlet::cli
