// Cuts packets out of a byte stream that arrives in pieces: complete ones in place, out of the caller's bytes; only the
// incomplete tail is kept, and it grows with what has arrived, never with what was announced.
#pragma once

#include <martlet/core/codec.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace martlet::core {

class read_buffer {
public:
    /// Offers new bytes; they must stay valid until keep_rest(). The previous ones must have been used up or kept.
    void offer(std::string_view bytes) noexcept { fresh_ = bytes; }

    /// The next complete packet; views in it are valid until the next call of next(), offer() or keep_rest().
    [[nodiscard]] frame_status next(protocol_version version, std::size_t packet_size_max, frame& out, fault& why);

    /// The offered bytes that have not been cut yet, unless kept ones stand before them: then there are none. What was
    /// returned by next() is no longer valid.
    [[nodiscard]] std::string_view in_place() noexcept {
        if (tail_used_) drop_used();
        return tail_.size() == tail_head_ ? fresh_ : std::string_view();
    }
    /// Takes the first `n` bytes of in_place() as cut.
    void skip(std::size_t n) noexcept { fresh_.remove_prefix(n); }

    /// Copies what has not been cut yet, so that the offered bytes may go away.
    void keep_rest();

    /// Bytes kept of a packet that is not complete yet (or was not asked for).
    [[nodiscard]] std::size_t kept() const noexcept { return tail_.size() - tail_head_; }
    /// True if bytes are there that next() has not seen or could not complete.
    [[nodiscard]] bool has_rest() const noexcept { return kept() != 0 || !fresh_.empty(); }
    void clear() noexcept;

private:
    void drop_used() noexcept;

    std::string tail_;  // kept bytes from tail_head_ on; they precede fresh_
    std::size_t tail_head_ = 0;
    std::string_view fresh_;
    bool tail_used_ = false;  // the last packet was cut out of tail_: drop it at the next call
    std::size_t tail_packet_ = 0;
};

}  // namespace martlet::core
