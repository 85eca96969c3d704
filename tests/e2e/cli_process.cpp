#include "e2e/cli_process.hpp"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace martlet::test {
namespace {

struct pipe_ends {
    int read_end = -1;
    int write_end = -1;
};

pipe_ends make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    return {ends[0], ends[1]};
}

// Nothing of the tester's own configuration may show.
std::vector<char*> clean_environment() {
    static std::array<std::string, 5> fixed = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                               "XDG_CONFIG_HOME=/nonexistent", "HOME=/nonexistent", "TZ=UTC",
                                               "LC_ALL=C"};
    static const std::array<const char*, 5> passed_on = {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
                                                         "LSAN_OPTIONS", "LLVM_PROFILE_FILE"};
    static std::vector<std::string> kept = [] {
        std::vector<std::string> list;
        for (const char* const name : passed_on) {
            if (const char* const value = std::getenv(name)) list.push_back(std::string(name) + '=' + value);
        }
        return list;
    }();
    std::vector<char*> environment;
    for (std::string& one : fixed)
        environment.push_back(one.data());
    for (std::string& one : kept)
        environment.push_back(one.data());
    environment.push_back(nullptr);
    return environment;
}

}  // namespace

scratch_folder::scratch_folder() {
    std::string name = (std::filesystem::temp_directory_path() / "martlet-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    root_ = name;
}

scratch_folder::~scratch_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
}

std::string scratch_folder::file(std::string_view name, std::string_view contents) const {
    const std::string where = path(name);
    std::ofstream(where, std::ios::binary) << contents;
    return where;
}

std::string contents_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// -- text_source

text_source::text_source(text_source&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), text_(std::move(other.text_)) {}

text_source& text_source::operator=(text_source&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    std::swap(text_, other.text_);
    return *this;
}

text_source::~text_source() { close(); }

void text_source::close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

bool text_source::fill() {
    std::array<char, 65'536> block{};
    ssize_t n = 0;
    do
        n = ::read(descriptor_, block.data(), block.size());
    while (n < 0 && errno == EINTR);
    if (n <= 0) return false;
    text_.append(block.data(), static_cast<std::size_t>(n));
    return true;
}

std::string text_source::line() {
    std::size_t end = 0;
    while ((end = text_.find('\n')) == std::string::npos) {
        if (!fill()) return std::exchange(text_, {});
    }
    std::string found = text_.substr(0, end);
    text_.erase(0, end + 1);
    return found;
}

std::string text_source::line_with(std::string_view text) {
    for (;;) {
        std::string found = line();
        if (found.find(text) != std::string::npos) return found;
        if (found.empty() && text_.empty() && !fill()) return {};
    }
}

std::string text_source::rest() {
    while (fill()) {}
    return std::exchange(text_, {});
}

// -- process

process::process(const strings& arguments, const process_input& input) {
    const pipe_ends out = make_pipe();
    const pipe_ends err = make_pipe();
    pipe_ends in;
    if (input.file.empty()) {
        in = make_pipe();
    } else {
        in.read_end = ::open(input.file.c_str(), O_RDONLY | O_CLOEXEC);
    }

    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in.read_end, STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, out.write_end, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, err.write_end, STDERR_FILENO);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t defaults;
    ::sigemptyset(&defaults);
    ::sigaddset(&defaults, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&attributes, &defaults);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

    strings words = arguments;
    std::vector<char*> argv;
    for (std::string& word : words)
        argv.push_back(word.data());
    argv.push_back(nullptr);
    strings own_environment = input.environment;
    std::vector<char*> environment;
    for (std::string& one : own_environment)  // the first one of a name counts
        environment.push_back(one.data());
    const std::vector<char*> everybodys = clean_environment();
    environment.insert(environment.end(), everybodys.begin(), everybodys.end());
    const int error = ::posix_spawn(&id_, argv[0], &actions, &attributes, argv.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    ::close(in.read_end);
    ::close(out.write_end);
    ::close(err.write_end);
    input_ = in.write_end;
    out_ = text_source(out.read_end);
    err_ = text_source(err.read_end);
    if (error != 0) throw std::runtime_error("cannot start " + arguments[0]);
}

process::process(process&& other) noexcept
    : id_(std::exchange(other.id_, -1)),
      input_(std::exchange(other.input_, -1)),
      status_(other.status_),
      out_(std::move(other.out_)),
      err_(std::move(other.err_)) {}

process::~process() {
    close_input();
    if (id_ > 0 && status_ < 0) {
        signal(SIGKILL);
        wait();
    }
}

void process::write(std::string_view text) {
    while (!text.empty()) {
        const ssize_t n = ::write(input_, text.data(), text.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return;  // it does not listen any more
        text.remove_prefix(static_cast<std::size_t>(n));
    }
}

void process::close_input() {
    if (input_ >= 0) ::close(std::exchange(input_, -1));
}

void process::signal(int number) const { ::kill(id_, number); }

int process::wait() {
    if (status_ >= 0) return status_;
    int status = 0;
    while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {}
    status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 1'000 + WTERMSIG(status);
    return status_;
}

// -- run

namespace {

run_result finish(process& p) {
    run_result result;
    std::thread errors([&] { result.err = p.err().rest(); });  // both pipes at once, or a full one would hold it up
    result.out = p.out().rest();
    errors.join();
    result.status = p.wait();
    return result;
}

}  // namespace

run_result run(const strings& arguments, std::string_view text) {
    ::signal(SIGPIPE, SIG_IGN);
    process p(arguments);
    std::thread input([&] {
        p.write(text);
        p.close_input();
    });
    run_result result = finish(p);
    input.join();
    return result;
}

run_result run_with_file(const strings& arguments, const std::string& input_file) {
    process p(arguments, {.file = input_file});
    return finish(p);
}

std::string find_program(std::string_view name) {
    for (const char* const folder : {"/usr/local/sbin/", "/usr/local/bin/", "/usr/sbin/", "/usr/bin/"}) {
        std::string path = folder + std::string(name);
        if (::access(path.c_str(), X_OK) == 0) return path;
    }
    return {};
}

}  // namespace martlet::test
