#include <martlet/core/read_buffer.hpp>

#include <algorithm>

namespace martlet::core {

// Gives the memory of a large packet back; a small one is worth keeping while a stream is cut in pieces.
void read_buffer::drop_used() noexcept {
    tail_head_ += tail_packet_;
    tail_used_ = false;
    if (tail_head_ != tail_.size()) return;
    if (tail_.capacity() > 4096) {
        tail_ = std::string();
    } else {
        tail_.clear();
    }
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
        if (tail_.capacity() > 4096 && fresh_.size() < tail_.capacity() / 4) {
            tail_ = std::string(fresh_);
        } else {
            tail_.assign(fresh_);
        }
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
