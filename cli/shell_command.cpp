#include "shell_command.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

extern char** environ;

namespace martlet::cli {
namespace {

constexpr std::size_t output_size_max = 268'435'455;

void close_if_open(int& descriptor) {
    if (descriptor >= 0) ::close(descriptor);
    descriptor = -1;
}

/// Writes `input` to one end and reads from the other until both are done, whichever is ready.
void exchange(int& to, std::string_view input, int& from, std::string& output) {
    ::fcntl(to, F_SETFL, O_NONBLOCK);
    std::array<char, 65'536> block{};
    while (to >= 0 || from >= 0) {
        if (to >= 0 && input.empty()) close_if_open(to);
        std::array<pollfd, 2> ends = {{{to, POLLOUT, 0}, {from, POLLIN, 0}}};
        if (to < 0 && from < 0) return;
        if (::poll(ends.data(), ends.size(), -1) < 0 && errno != EINTR) return;
        if (to >= 0 && ends[0].revents != 0) {
            const ssize_t n = ::write(to, input.data(), input.size());
            if (n > 0) input.remove_prefix(static_cast<std::size_t>(n));
            if (n < 0 && errno != EAGAIN && errno != EINTR) close_if_open(to);  // it does not want more
        }
        if (from >= 0 && ends[1].revents != 0) {
            const ssize_t n = ::read(from, block.data(), block.size());
            if (n > 0 && output.size() < output_size_max) output.append(block.data(), static_cast<std::size_t>(n));
            if (n == 0 || (n < 0 && errno != EINTR)) close_if_open(from);
        }
    }
}

/// A shell at work, and our ends of its pipes; -1: there is none.
struct started {
    pid_t child = -1;
    int input = -1;
    int output = -1;
};

started start(const std::string& command, const environment_variables& variables, bool collects) {
    std::vector<std::string> own;
    for (const auto& [name, value] : variables)
        own.push_back(name + '=' + value);
    std::vector<char*> environment;
    for (std::string& one : own)
        environment.push_back(one.data());
    for (char** one = environ; *one != nullptr; ++one)
        environment.push_back(*one);
    environment.push_back(nullptr);

    std::array<int, 2> in = {-1, -1};
    std::array<int, 2> out = {-1, -1};
    if (::pipe2(in.data(), O_CLOEXEC) != 0) return {};
    if (collects && ::pipe2(out.data(), O_CLOEXEC) != 0) {
        ::close(in[0]);
        ::close(in[1]);
        return {};
    }
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    if (collects) ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t defaults;
    ::sigemptyset(&defaults);
    ::sigaddset(&defaults, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&attributes, &defaults);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

    std::string shell = "sh";
    std::string flag = "-c";
    std::string text = command;
    std::array<char*, 4> words = {shell.data(), flag.data(), text.data(), nullptr};
    started shown{-1, in[1], out[0]};
    const int error = ::posix_spawn(&shown.child, "/bin/sh", &actions, &attributes, words.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    ::close(in[0]);
    close_if_open(out[1]);
    if (error != 0) {
        close_if_open(shown.input);
        close_if_open(shown.output);
        shown.child = -1;
    }
    return shown;
}

int status_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

constexpr int not_started = 127;

}  // namespace

command_result run_shell_command(const std::string& command, std::string_view input,
                                 const environment_variables& variables, bool collects) {
    started shell = start(command, variables, collects);
    command_result result;
    result.status = not_started;
    if (shell.child < 0) return result;
    exchange(shell.input, input, shell.output, result.output);
    int status = 0;
    while (::waitpid(shell.child, &status, 0) < 0 && errno == EINTR) {}
    result.status = status_of(status);
    return result;
}

// -- beside a loop

shell_command::shell_command(boost::asio::any_io_executor executor) : children_(executor, SIGCHLD), input_(executor) {}

shell_command::~shell_command() {
    if (child_ >= 0) ::kill(child_, SIGTERM);
}

void shell_command::run(const std::string& command, std::string_view input, const environment_variables& variables,
                        std::function<void(int)> done) {
    done_ = std::move(done);
    const started shell = start(command, variables, false);
    child_ = shell.child;
    if (child_ < 0) {
        boost::asio::post(children_.get_executor(), [this] { finish(not_started); });
        return;
    }
    input_.assign(shell.input);
    input_.non_blocking(true);
    write(input);
    await_end();
}

// A command that does not want all of its input closes it, or ends: both are its own affair.
void shell_command::write(std::string_view rest) {
    if (rest.empty()) {
        input_.close();
        return;
    }
    input_.async_write_some(boost::asio::buffer(rest), [this, rest](const auto& error, std::size_t count) {
        if (error == boost::asio::error::operation_aborted) return;
        write(error ? std::string_view() : rest.substr(count));
    });
}

// Some child's end; SIGCHLDs that arrive together are one.
void shell_command::await_end() {
    children_.async_wait([this](const auto& error, int) {
        if (!error && !reap()) await_end();
    });
}

/// False: ours still runs.
bool shell_command::reap() {
    int status = 0;
    if (::waitpid(child_, &status, WNOHANG) != child_) return false;
    child_ = -1;
    input_.close();
    finish(status_of(status));
    return true;
}

void shell_command::finish(int status) { std::exchange(done_, nullptr)(status); }

}  // namespace martlet::cli
