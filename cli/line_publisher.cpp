#include "line_publisher.hpp"

#include "exit_code.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <unistd.h>

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
      input_(runner.io().get_executor(), STDIN_FILENO, readiness::readable) {}

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

void line_publisher::pump() {
    while (state_ == state::pumping && !runner_.is_finishing()) {
        if (!line_ && !take_line()) return;
        if (!publish_line()) return;
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
    // A turn of the loop for each block: the client writes what it has, and reads acknowledgements.
    boost::asio::post(runner_.io(), [this] { pump(); });
    return false;
}

/// False: the line waits, and pump() will be called again.
bool line_publisher::publish_line() {
    for (; next_topic_ < settings_.topics.size(); ++next_topic_) {
        const std::string& topic = settings_.topics[next_topic_];
        if (settings_.qos != qos::at_most_once) {
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
            if (++next_topic_ == settings_.topics.size()) line_.reset();
            return false;
        }
        if (error) refused(line_number_, error);
    }
    line_.reset();
    return true;
}

error_code line_publisher::publish_now(std::string_view topic) {
    return runner_.client().publish(topic, payload(*line_), options_);
}

void line_publisher::publish_later(std::string_view topic) {
    ++outstanding_;
    outstanding_bytes_ += line_->size();
    runner_.client().async_publish(topic, payload(*line_), options_,
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
