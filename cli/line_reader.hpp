// Lines out of large blocks: for pub -l. No copy of a line that lies within a block; LF is taken off, everything else
// (CR, NUL) is kept, a last line without LF counts.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace martlet::cli {

class line_reader {
public:
    /// `block` is what prepare() offers at least.
    explicit line_reader(std::size_t block = 256 * 1024) : block_(block) {}

    /// Where the next bytes may be put. Lines given out before are no longer valid.
    [[nodiscard]] std::span<char> prepare();
    /// `n` bytes were put there.
    void commit(std::size_t n) noexcept { end_ += n; }

    /// The next complete line; nothing until more bytes come. Valid until prepare().
    [[nodiscard]] std::optional<std::string_view> next() noexcept;
    /// After the end of input: what follows the last LF, if anything.
    [[nodiscard]] std::optional<std::string_view> last() noexcept;

    /// Bytes of the line that is not complete yet.
    [[nodiscard]] std::size_t pending() const noexcept { return end_ - begin_; }

private:
    std::size_t block_;
    std::vector<char> bytes_;
    std::size_t begin_ = 0;     // of the first line not given out
    std::size_t searched_ = 0;  // up to here there is no LF
    std::size_t end_ = 0;
};

}  // namespace martlet::cli
