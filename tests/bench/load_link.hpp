// One MQTT connection of the load generator: handshakes, and the way of bytes in both directions.
#pragma once

#include "bench/load_packets.hpp"
#include "bench/stream.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::test {

/// Set up while its socket blocks, then non-blocking.
class load_link {
public:
    load_link(std::uint16_t port, const tls_maker* tls, bool in_frames) : in_frames_(in_frames) {
        const int fd = connect_to(port);
        link_ = stream(fd, tls != nullptr ? tls->make(fd, false) : nullptr);
        if (!in_frames) return;
        say("GET /mqtt HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Protocol: mqtt\r\n\r\n");
        std::string head;
        for (char c = 0; !head.ends_with("\r\n\r\n"); head.push_back(c)) {
            if (link_.read({&c, 1}) <= 0) die("upgrading to WebSocket");
        }
        if (!head.starts_with("HTTP/1.1 101")) die("upgrading to WebSocket");
    }

    /// Sends a packet and waits for the answer, of less than 126 bytes. Blocking.
    void exchange(const std::string& packet) {
        std::string bytes = packet;
        if (in_frames_) {
            bytes.clear();
            append_frame(bytes, packet);
        }
        say(bytes);
        if (in_frames_) (void)hear(2);
        (void)hear(static_cast<unsigned char>(hear(2)[1]));
    }

    void set_non_blocking() const { test::set_non_blocking(link_.fd()); }
    [[nodiscard]] int fd() const { return link_.fd(); }

    // -- in

    /// Reads what is there, up to a few hundred KiB at a time, and calls `f(bytes)`, which returns how many bytes it has
    /// used; the rest comes again. False: the connection has ended.
    template <class F>
    bool read(std::vector<char>& slab, F&& f) {
        for (int turns = 0; turns < 4 || link_.is_tls(); ++turns) {
            std::memcpy(slab.data(), tail_.data(), tail_.size());
            const std::size_t room = slab.size() - tail_.size();
            const std::ptrdiff_t got = link_.read(std::span(slab).subspan(tail_.size(), room));
            if (got < 0) return false;
            if (got == 0) return true;
            const bool is_all = !link_.is_tls() && static_cast<std::size_t>(got) < room;
            std::size_t size = tail_.size() + static_cast<std::size_t>(got);
            if (in_frames_) size = unframe(slab.data(), tail_.size(), size);
            const std::size_t used = f(std::string_view(slab.data(), size));
            tail_.assign(slab.data() + used, size - used);
            if (is_all) return true;
        }
        return true;
    }

    // -- out: first the rest of what has been begun, then acknowledgements, then new messages

    /// Packets that wait to be written.
    std::string control;

    /// Bytes that stay where they are until they are written.
    void begin(std::string_view packets) { rest_ = packets; }
    [[nodiscard]] bool is_free() const { return rest_.empty() && framed_.empty(); }

    /// Writes what it can. False: the connection has ended.
    bool write() {
        for (;;) {
            if (!rest_.empty()) {
                if (!write_some(rest_)) return !is_broken_;
                continue;
            }
            if (framed_.empty()) {
                if (control.empty()) return true;
                if (in_frames_) {
                    append_frame(framed_, control);
                } else {
                    framed_ = control;
                }
                control.clear();
            }
            std::string_view left = std::string_view(framed_).substr(framed_written_);
            const bool wrote = write_some(left);
            framed_written_ = framed_.size() - left.size();
            if (!wrote) return !is_broken_;
            framed_.clear();
            framed_written_ = 0;
        }
    }
    /// Something could not be written, and epoll is to say when it can.
    [[nodiscard]] bool wants_write() const { return !rest_.empty() || !framed_.empty(); }
    bool is_watched_for_writing = false;

private:
    std::string hear(std::size_t size) {
        std::string bytes(size, '\0');
        for (std::size_t done = 0; done < size;) {
            const std::ptrdiff_t n = link_.read(std::span(bytes).subspan(done));
            if (n <= 0) die("waiting for an answer");
            done += static_cast<std::size_t>(n);
        }
        return bytes;
    }

    void say(std::string_view bytes) {
        while (!bytes.empty()) {
            const std::ptrdiff_t n = link_.write(bytes);
            if (n <= 0) die("writing");
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    }

    bool write_some(std::string_view& bytes) {
        while (!bytes.empty()) {
            const std::ptrdiff_t n = link_.write(bytes);
            if (n <= 0) {
                is_broken_ = n < 0;
                return false;
            }
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }

    // Takes the heads of a server's frames out of [from, to); returns the new end.
    std::size_t unframe(char* bytes, std::size_t from, std::size_t to) {
        std::size_t end = from;
        for (std::size_t at = from; at < to;) {
            if (frame_left_ == 0) {
                frame_head_.push_back(bytes[at++]);
                const auto byte = [this](std::size_t i) { return static_cast<unsigned char>(frame_head_[i]); };
                if (frame_head_.size() < 2) continue;
                const unsigned code = byte(1) & 0x7F;
                const std::size_t more = code == 126 ? 2 : code == 127 ? 8 : 0;
                if (frame_head_.size() < 2 + more) continue;
                frame_left_ = more == 0 ? code : 0;
                for (std::size_t i = 0; i < more; ++i)
                    frame_left_ = frame_left_ << 8 | byte(2 + i);
                frame_head_.clear();
                continue;
            }
            const std::size_t count = std::min(frame_left_, to - at);
            std::memmove(bytes + end, bytes + at, count);
            end += count;
            at += count;
            frame_left_ -= count;
        }
        return end;
    }

    stream link_;
    bool in_frames_;
    bool is_broken_ = false;
    std::string tail_;
    std::string frame_head_;
    std::size_t frame_left_ = 0;
    std::string_view rest_;
    std::string framed_;
    std::size_t framed_written_ = 0;
};

}  // namespace martlet::test
