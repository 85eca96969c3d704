// pub -l: each line of standard input is a message. Input is read only while the client has room, so that any number of
// lines needs a bounded amount of memory; a slow broker holds up who writes to us.
#pragma once

#include "client_runner.hpp"
#include "descriptor_watch.hpp"
#include "line_reader.hpp"
#include "message_record.hpp"
#include "pacing.hpp"
#include "publication.hpp"
#include "terminal.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::cli {

class line_publisher {
public:
    /// Both must outlive this object.
    line_publisher(client_runner& runner, const pub_settings& settings, profile p);

    /// Begins when the connection is there.
    void start();
    /// Takes no more lines; ends when those before are through.
    void interrupt();

private:
    enum class state : std::uint8_t { connecting, pumping, waiting_for_room, waiting_for_input, at_end };

    void pump();
    bool take_line();
    bool read_more();
    bool understand_line();
    bool is_due();
    void report_progress();
    bool publish_line();
    error_code publish_now(std::string_view topic);
    void publish_later(std::string_view topic);
    void published(std::uint64_t line, std::size_t size, const error_code& error);
    void refused(std::uint64_t line, const error_code& error);
    void end_of_input();
    void finish_if_done();

    client_runner& runner_;
    const pub_settings& settings_;
    profile profile_;
    publish_options options_;
    line_reader lines_;
    descriptor_watch input_;

    state state_ = state::connecting;
    bool has_input_ended_ = false;
    std::optional<progress_bar> progress_;
    std::uint64_t bytes_read_ = 0;
    boost::asio::steady_timer pace_timer_;
    std::optional<pacing> pace_;
    message_record record_;  // of jsonl
    std::string decoded_;    // of --hex, --base64
    std::vector<user_property> pairs_;
    std::vector<std::string> line_topics_;  // what the line itself names; else those of -t
    publish_options line_options_;
    std::optional<std::string_view> line_;  // taken from lines_, not yet published to every topic
    std::size_t next_topic_ = 0;            // of line_
    std::uint64_t line_number_ = 0;
    std::uint64_t outstanding_ = 0;  // operations under way
    std::size_t outstanding_bytes_ = 0;
    int exit_code_ = 0;
};

}  // namespace martlet::cli
