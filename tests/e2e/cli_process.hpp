// Real processes for the tests of the tools: their standard input, output and error, and how they ended. Nothing here
// waits for a time: reading ends with a line, an end of file or the end of the process; ctest's own limit is the only one.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace martlet::test {

using strings = std::vector<std::string>;

/// A folder that is gone after the test.
class scratch_folder {
public:
    scratch_folder();
    scratch_folder(const scratch_folder&) = delete;
    scratch_folder& operator=(const scratch_folder&) = delete;
    ~scratch_folder();

    [[nodiscard]] std::string path(std::string_view name) const { return (root_ / name).string(); }
    /// Writes a file and returns its path.
    std::string file(std::string_view name, std::string_view contents) const;

private:
    std::filesystem::path root_;
};

[[nodiscard]] std::string contents_of(const std::string& path);

/// Reads a descriptor, which it owns, line by line or to its end.
class text_source {
public:
    text_source() = default;
    explicit text_source(int descriptor) noexcept : descriptor_(descriptor) {}
    text_source(text_source&& other) noexcept;
    text_source& operator=(text_source&& other) noexcept;
    ~text_source();

    /// The next line without LF; empty at the end.
    std::string line();
    /// Reads until a line contains `text`; returns it, or an empty string at the end.
    std::string line_with(std::string_view text);
    std::string rest();
    void close();

private:
    bool fill();

    int descriptor_ = -1;
    std::string text_;
};

struct process_input {
    std::string file = {};     ///< standard input comes from there; empty: a pipe, see process::write()
    strings environment = {};  ///< "NAME=value", on top of (and instead of) what every process gets
};

/// A program at work. Killed if it still runs when the object goes.
class process {
public:
    /// `arguments` begins with the program's path. Locale, home and configuration are those of nobody.
    explicit process(const strings& arguments, const process_input& input = {});
    process(process&& other) noexcept;
    process& operator=(process&&) = delete;
    ~process();

    void write(std::string_view text);
    void close_input();

    [[nodiscard]] text_source& out() noexcept { return out_; }
    [[nodiscard]] text_source& err() noexcept { return err_; }

    void signal(int number) const;
    /// Waits for its end. The exit status, or 1000 plus the signal that ended it.
    int wait();
    [[nodiscard]] pid_t id() const noexcept { return id_; }

private:
    pid_t id_ = -1;
    int input_ = -1;
    int status_ = -1;
    text_source out_;
    text_source err_;
};

struct run_result {
    int status = 0;
    std::string out;
    std::string err;
};

/// Runs a program to its end. `text` is its standard input.
run_result run(const strings& arguments, std::string_view text = {});
run_result run_with_file(const strings& arguments, const std::string& input_file);

/// The path of an installed program, or an empty string.
[[nodiscard]] std::string find_program(std::string_view name);

}  // namespace martlet::test
