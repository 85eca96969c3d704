#include <martlet/core/read_buffer.hpp>

#include <algorithm>

namespace martlet::core {

namespace {

// Memory that is worth keeping: of a connection at rest, and in the middle of a packet.
constexpr std::size_t small_size = 4096;
constexpr std::size_t large_size = 1024 * 1024 + 4096;

// Memory for a packet that ends at `end`, of which `used` bytes are there by now: all of it if that is not out of proportion,
// so that a large one moves once or not at all. A string's own growth would end at up to twice the packet's size.
void make_room(std::string& in, std::size_t used, std::size_t end) {
    constexpr std::size_t growth_max = 8;
    if (used <= in.capacity()) return;
    std::string larger;
    larger.reserve(std::min(end, growth_max * used));
    larger = in;
    in.swap(larger);
}

}  // namespace

void read_buffer::drop_used() noexcept {
    tail_head_ += tail_packet_;
    tail_used_ = false;
    if (tail_head_ != tail_.size()) return;
    tail_.clear();  // its memory goes back when the rest is kept, if there is none
    tail_head_ = 0;
}

frame_status read_buffer::next(protocol_version version, std::size_t packet_size_max, frame& out, fault& why) {
    std::size_t size = 0;
    if (tail_used_) drop_used();
    if (tail_.size() == tail_head_) {  // nothing kept: in place
        const frame_status status = cut_frame(fresh_, version, packet_size_max, out, why, size);
        if (status == frame_status::complete) fresh_.remove_prefix(out.packet.size());
        return status;
    }
    for (;;) {
        const std::string_view kept = std::string_view(tail_).substr(tail_head_);
        const frame_status status = cut_frame(kept, version, packet_size_max, out, why, size);
        if (status == frame_status::complete) {
            tail_used_ = true;
            tail_packet_ = out.packet.size();
            return status;
        }
        if (status == frame_status::faulty || fresh_.empty()) return status;
        // Take just what completes this packet, so that the ones behind it are cut in place; the length itself may
        // still be incomplete, it is at most 5 bytes in all.
        const std::size_t wanted = size != 0 ? size - kept.size() : 1;
        const std::size_t taken = std::min(wanted, fresh_.size());
        if (size != 0) make_room(tail_, tail_.size() + taken, tail_head_ + size);
        tail_.append(fresh_.substr(0, taken));
        fresh_.remove_prefix(taken);
    }
}

void read_buffer::keep_rest() {
    if (tail_used_) {
        tail_head_ += tail_packet_;
        tail_used_ = false;
    }
    if (tail_head_ == tail_.size()) {
        tail_head_ = 0;
        // The next packet of a stream is probably as large as the last: no need to ask for memory again. Without one
        // an idle connection has none. Whoever begins a packet could as well have sent as much of it.
        const bool keeps = tail_.capacity() <= (fresh_.empty() ? small_size : large_size);
        if (!keeps) tail_ = std::string();
        tail_.assign(fresh_);
    } else if (!fresh_.empty()) {
        if (tail_head_ > tail_.size() / 2) {
            tail_.erase(0, tail_head_);
            tail_head_ = 0;
        }
        tail_.append(fresh_);
    }
    fresh_ = {};
}

void read_buffer::clear() noexcept {
    tail_ = std::string();
    tail_head_ = 0;
    fresh_ = {};
    tail_used_ = false;
}

}  // namespace martlet::core
