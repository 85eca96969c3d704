#include "line_reader.hpp"

#include <cstring>

namespace martlet::cli {

std::span<char> line_reader::prepare() {
    if (begin_ > 0) {
        const std::size_t kept = end_ - begin_;
        if (kept > 0) std::memmove(bytes_.data(), bytes_.data() + begin_, kept);
        searched_ -= begin_;
        end_ = kept;
        begin_ = 0;
    }
    if (bytes_.size() - end_ < block_) bytes_.resize(end_ + block_ + end_ / 2);  // a long line grows geometrically
    return std::span(bytes_).subspan(end_);
}

std::optional<std::string_view> line_reader::next() noexcept {
    if (searched_ == end_) return std::nullopt;
    const char* const from = bytes_.data() + searched_;
    const auto* const feed = static_cast<const char*>(std::memchr(from, '\n', end_ - searched_));
    if (feed == nullptr) {
        searched_ = end_;
        return std::nullopt;
    }
    const auto line_end = static_cast<std::size_t>(feed - bytes_.data());
    const std::string_view line(bytes_.data() + begin_, line_end - begin_);
    begin_ = searched_ = line_end + 1;
    return line;
}

std::optional<std::string_view> line_reader::last() noexcept {
    if (begin_ == end_) return std::nullopt;
    const std::string_view line(bytes_.data() + begin_, end_ - begin_);
    begin_ = searched_ = end_;
    return line;
}

}  // namespace martlet::cli
