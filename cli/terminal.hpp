// The terminal: whether there is one, its size, text that fits into it, a progress bar, a password typed unseen.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace martlet::cli {

[[nodiscard]] bool is_terminal(int descriptor) noexcept;

struct terminal_size {
    std::size_t columns = 80;
    std::size_t rows = 24;
};
/// 80x24 if the terminal does not say.
[[nodiscard]] terminal_size size_of_terminal(int descriptor) noexcept;

/// Colours are for terminals, unless NO_COLOR is set or TERM is "dumb". https://no-color.org
[[nodiscard]] bool wants_colour(int descriptor) noexcept;

/// `text` for one line: control characters and what is not UTF-8 become '.', at most `columns` characters, filled up
/// with blanks if `fill` is set. Wide characters count as one.
[[nodiscard]] std::string fitted(std::string_view text, std::size_t columns, bool fill = false);

/// "12s", "3m04s", "5h", "2d"
[[nodiscard]] std::string age_text(std::chrono::milliseconds age);

/// Draws lines from the top of the screen, over what was there; what is below is cleared.
class screen {
public:
    /// The frame to write: `lines` cut to the size. After another size than the last the screen is cleared first.
    [[nodiscard]] std::string frame(std::string_view lines, terminal_size size);

private:
    terminal_size last_{0, 0};
};

/// A line on standard error that is drawn again and again; nothing at all if that is no terminal.
class progress_bar {
public:
    /// `unit` is what is counted: "lines".
    progress_bar(std::string_view what, std::uint64_t total, bool quiet);
    progress_bar(const progress_bar&) = delete;
    progress_bar& operator=(const progress_bar&) = delete;
    ~progress_bar();

    /// Redrawn at most ten times a second.
    void set(std::uint64_t done);
    /// Takes the line away, before something else is written.
    void clear();
    /// What set() would draw.
    [[nodiscard]] std::string text(std::uint64_t done, std::size_t columns) const;

private:
    std::string what_;
    std::uint64_t total_;
    bool is_shown_;
    bool is_drawn_ = false;
    std::chrono::steady_clock::time_point next_{};
};

/// Asks on the terminal, without an echo. Nothing, and why, if there is none.
[[nodiscard]] std::optional<std::string> ask_password(std::string_view prompt, std::string& why);

}  // namespace martlet::cli
