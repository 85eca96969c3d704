// Programs that are killed, and what they leave behind. For the drivers of this folder.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace martlet::crash {

using strings = std::vector<std::string>;

/// Says why, and ends this program; what it has started ends with it.
[[noreturn]] void fail(const std::string& why);

/// A program whose output comes line by line. It dies with us.
class process {
public:
    explicit process(strings command);
    ~process();
    process(const process&) = delete;
    process& operator=(const process&) = delete;

    void start();
    void end_input();
    /// kill -9, and the end of it.
    void kill();
    void signal(int number) const;
    int wait();

    [[nodiscard]] int output() const noexcept { return out_; }
    /// While it runs.
    [[nodiscard]] pid_t id() const noexcept { return id_; }
    [[nodiscard]] bool is_running() const noexcept { return id_ > 0; }

    /// Reads what is there; false at the end.
    bool read();
    bool take_line(std::string& into);
    /// Waits for a line that begins so.
    std::string wait_for(std::string_view beginning);

private:
    strings command_;
    pid_t id_ = -1;
    int out_ = -1;
    int in_ = -1;
    std::string text_;
};

/// A port that was free a moment ago.
[[nodiscard]] std::uint16_t free_port();
/// True if somebody listens there, on 127.0.0.1.
[[nodiscard]] bool accepts(std::uint16_t port);

/// How often each number stands in a ledger.
struct ledger_rows {
    std::map<std::int64_t, std::int64_t> times;
    explicit ledger_rows(const std::string& file);
};

/// The options of a command line "--name value …".
[[nodiscard]] std::map<std::string, std::string> read_options(int count, char** arguments);
/// The value of an option as a number; `otherwise` if it is not given.
[[nodiscard]] int number_option(const std::map<std::string, std::string>& options, const char* name, int otherwise);

/// What both parties' traces in `folder` say about a message, on standard error.
void print_trace(const std::string& folder, std::int64_t number, std::string_view what);

}  // namespace martlet::crash
