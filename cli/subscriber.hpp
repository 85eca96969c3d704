// sub at work: batches of messages become text; the text is flushed, and only then are the messages acknowledged and
// the next ones asked for.
//
//   receiving ── batch ──► printing ── flushed ──► receiving
//                             │  ├── --exec ──► waiting until the command has ended ──► printing
//                             │  └── output full ──► waiting until it is writable ──► printing
//                             └── -C reached, --retained-only ended, output closed ──► finishing
#pragma once

#include "client_runner.hpp"
#include "descriptor_watch.hpp"
#include "message_printer.hpp"
#include "shell_command.hpp"
#include "sub_options.hpp"
#include "terminal.hpp"
#include "text_output.hpp"
#include "watch_table.hpp"

#include <martlet/client.hpp>

#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::cli {

class subscriber {
public:
    /// All must outlive this object.
    subscriber(client_runner& runner, text_output& output, const sub_settings& settings, profile p);

    /// Subscribes, and begins to receive.
    void start();

private:
    void subscribe();
    void subscribed(const error_code& error, subscription stream);
    void unsubscribe();
    void replied();

    void receive();
    void receive_unclaimed();
    void received(std::size_t count);
    void handle_rest_of_batch();
    [[nodiscard]] bool handle(const message& m);
    [[nodiscard]] bool show(const message& m);
    void save(const message& m);
    void execute(const message& m);
    void execute_next();
    void tick();
    void arm_quiet_timer();
    [[nodiscard]] bool is_filtered_out(const message& m) const;

    void flush();
    void flushed();
    void output_failed();

    client_runner& runner_;
    text_output& output_;
    const sub_settings& settings_;
    profile profile_;
    message_printer printer_;
    watch_table table_;
    screen screen_;
    boost::asio::steady_timer tick_;
    boost::asio::steady_timer quiet_;
    bool draws_;                // --watch, on a terminal
    std::uint64_t second_ = 0;  // messages of this second, for --message-rate
    std::uint64_t file_number_ = 0;
    descriptor_watch writable_;
    std::minstd_rand random_;

    subscription stream_;
    std::vector<message> batch_;
    std::size_t batch_size_ = 0;
    std::size_t handled_ = 0;    // of batch_
    bool stream_waits_ = false;  // for the flush, before it is asked for more
    bool unclaimed_waits_ = false;
    bool output_waits_ = false;  // for room
    bool batch_waits_ = false;   // for the command of its latest message
    std::uint64_t handled_total_ = 0;
    int replies_awaited_ = 0;  // SUBACK, UNSUBACK
    bool has_ended_ = false;   // finish after the flush

    shell_command shell_;
    std::deque<message> to_execute_;  // at most two: of the batch and of what is unclaimed
};

}  // namespace martlet::cli
