#include "shell_command.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

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

}  // namespace

command_result run_shell_command(const std::string& command, std::string_view input,
                                 const std::vector<std::pair<std::string, std::string>>& variables, bool collects) {
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
    if (::pipe2(in.data(), O_CLOEXEC) != 0) return {127, {}};
    if (collects && ::pipe2(out.data(), O_CLOEXEC) != 0) {
        ::close(in[0]);
        ::close(in[1]);
        return {127, {}};
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
    pid_t child = -1;
    const int error = ::posix_spawn(&child, "/bin/sh", &actions, &attributes, words.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    ::close(in[0]);
    close_if_open(out[1]);

    command_result result;
    if (error != 0) {
        ::close(in[1]);
        close_if_open(out[0]);
        result.status = 127;
        return result;
    }
    exchange(in[1], input, out[0], result.output);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result;
}

}  // namespace martlet::cli
