// WebSocket as a transport. Nothing is buffered per connection once the upgrade is done: input is unwrapped where it was
// read; a server's output leaves packet by packet, large ones from where they stand, small ones through a buffer of the
// thread; a client's is masked through that buffer, and what one write_some() takes is one frame.
//
//   upgrading ──► open ── close frame, fault ──► over
#include "net/websocket.hpp"

#include "net/packet_cursor.hpp"
#include "net/websocket_frames.hpp"
#include "net/websocket_upgrade.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <sys/random.h>
#include <utility>

namespace martlet::net {

namespace asio = boost::asio;

namespace {

// What is copied for one write at most: it waits in memory while the socket is full.
constexpr std::size_t copied_size_max = 64 * 1024;
// A server's packets above this are not copied.
constexpr std::size_t packed_size_max = 4 * 1024;

// Unpredictable, RFC 6455 §10.3; from a supply, because a system call per frame would cost more than the frame.
template <std::size_t N>
void draw_random(std::array<unsigned char, N>& out) noexcept {
    struct supply {
        std::array<unsigned char, 256> bytes;
        std::size_t used = sizeof bytes;
    };
    static thread_local supply of_thread;
    if (of_thread.bytes.size() - of_thread.used < N) {
        std::size_t filled = 0;
        while (filled != of_thread.bytes.size()) {
            const ssize_t n = ::getrandom(of_thread.bytes.data() + filled, of_thread.bytes.size() - filled, 0);
            if (n > 0) filled += static_cast<std::size_t>(n);
        }
        of_thread.used = 0;
    }
    std::memcpy(out.data(), of_thread.bytes.data() + of_thread.used, N);
    of_thread.used += N;
}

class websocket_transport : public transport {
public:
    websocket_transport(std::unique_ptr<transport> inner, bool is_server, std::uint64_t frame_max)
        : inner_(std::move(inner)), reader_(is_server, frame_max), is_server_(is_server) {}

    ~websocket_transport() override {
        if (const auto waiting = write_wait_.lock()) waiting->of = nullptr;
    }

    io_result handshake() noexcept override {
        if (is_open_) return {};
        if (error_) return {0, error_};
        if (const io_result below = inner_->handshake(); below.error) return {0, below.error, below.wait_for};
        return upgrade();
    }

    io_result read_some(std::span<char> into) noexcept override {
        if (!is_open_) {
            if (const io_result opening = handshake(); opening.error) return opening;
        }
        for (;;) {
            if (error_) return {0, error_};
            io_result got = next_input(into);
            const frame_reader::result data = reader_.unwrap(into.first(got.bytes));
            answer();
            if (data.failed) {
                fail(errc::websocket_protocol_error, std::string(reader_.fault()));
            } else if (reader_.is_closed()) {
                error_ = asio::error::eof;
            }
            const bool read_any = got.bytes != 0;
            got.bytes = data.payload;
            if (error_ && data.payload == 0) return {0, error_};
            if (error_) return {data.payload, {}};  // the end is told by the next read
            if (data.payload != 0 || got.error || !read_any) return got;
        }
    }

    io_result write_some(std::span<const std::string_view> from) noexcept override {
        if (!is_open_) {
            if (const io_result opening = handshake(); opening.error) return opening;
        }
        if (error_) return {0, error_};
        const io_result put = is_server_ ? write_packets(from) : write_masked(from);
        if (!controls_.empty()) write_controls();
        return put;
    }

    [[nodiscard]] bool has_buffered_input() const noexcept override {
        return !early_.empty() || inner_->has_buffered_input();
    }

    void wait(direction what, std::shared_ptr<waiter> who) override {
        if (what == direction::read) {
            inner_->wait(what, std::move(who));
        } else {
            wait_to_write(std::move(who));
        }
    }

    // A close frame. The peer answers with one; the server then closes the connection, RFC 6455 §7.1.1.
    io_result shutdown_send() noexcept override {
        if (is_open_ && !close_is_sent_ && !error_) say_close(close_code::normal, {});
        if (const io_result put = begin_frame(); put.blocked()) return put;
        return is_open_ && !error_ ? io_result() : inner_->shutdown_send();
    }

    void close() noexcept override { inner_->close(); }

    [[nodiscard]] int native_handle() noexcept override { return inner_->native_handle(); }
    [[nodiscard]] std::string peer_address() const override { return inner_->peer_address(); }
    [[nodiscard]] std::string local_address() const override { return inner_->local_address(); }
    [[nodiscard]] std::string failure() const override { return failure_.empty() ? inner_->failure() : failure_; }
    [[nodiscard]] std::string peer_identity() const override { return inner_->peer_identity(); }
    [[nodiscard]] bool is_resumed() const noexcept override { return inner_->is_resumed(); }

protected:
    /// The HTTP exchange. Ends with opened(), or with fail() and its error.
    virtual io_result upgrade() noexcept = 0;

    // Reads into `head` until its blank line has come; bytes after it are the first frames. Blocked or failed: not yet.
    io_result read_head(std::string& head, std::size_t size_max, bool& is_too_long) {
        is_too_long = false;
        std::array<char, 2048> piece;
        for (;;) {
            const io_result got = inner_->read_some(piece);
            head.append(piece.data(), got.bytes);
            if (const auto end = end_of_head(head)) {
                early_ = head.substr(*end);
                head.resize(*end);
                is_too_long = head.size() > size_max;
                return {};
            }
            is_too_long = head.size() > size_max;
            if (is_too_long) return {};
            if (got.error) return {0, got.error, got.wait_for};
        }
    }

    void opened() noexcept { is_open_ = true; }
    error_code fail(errc error, std::string why) {
        failure_ = std::move(why);
        error_ = error;
        return error_;
    }

    transport& inner() noexcept { return *inner_; }
    // Bytes of our own, to be written before anything else.
    void say(std::string bytes) { own_ += bytes; }

    io_result write_own() noexcept {
        while (own_written_ != own_.size()) {
            const std::array<std::string_view, 1> rest{std::string_view(own_).substr(own_written_)};
            const io_result put = inner_->write_some(rest);
            own_written_ += put.bytes;
            if (put.error && own_written_ != own_.size()) return {0, put.error, put.wait_for};
        }
        own_ = {};
        own_written_ = 0;
        return {};
    }

private:
    // Waits for the layer below on behalf of the driver, of our own control frames, or both.
    struct write_wait final : waiter {
        explicit write_wait(websocket_transport& owner) : of(&owner) {}
        void on_ready(direction what, error_code error) override {
            if (of != nullptr) {
                of->write_wait_.reset();
                if (!error) of->write_controls();
            }
            if (who) who->on_ready(what, error);
        }
        websocket_transport* of;
        std::shared_ptr<waiter> who;
    };

    void wait_to_write(std::shared_ptr<waiter> who) {
        auto waiting = write_wait_.lock();
        const bool is_new = !waiting;
        if (is_new) {
            waiting = std::make_shared<write_wait>(*this);
            write_wait_ = waiting;
        }
        if (who) waiting->who = std::move(who);
        if (is_new) inner_->wait(direction::write, std::move(waiting));
    }

    io_result next_input(std::span<char> into) noexcept {
        if (early_.empty()) return inner_->read_some(into);
        const std::size_t count = std::min(into.size(), early_.size());
        std::memcpy(into.data(), early_.data(), count);
        early_.erase(0, count);
        return {count, {}};
    }

    // -- control frames

    const mask_key* new_key(mask_key& key) const noexcept {
        if (is_server_) return nullptr;
        draw_random(key);
        return &key;
    }

    void say_close(close_code code, std::string_view why) {
        mask_key key;
        controls_ = make_close_frame(code, why, new_key(key));
        close_is_sent_ = true;
    }

    // To what has just been read: a pong, a close frame. Written at once if nothing is in the way, else when it may.
    void answer() {
        if (close_is_sent_) return;
        std::string ping;
        if (!reader_.fault().empty()) {
            say_close(reader_.fault_code(), reader_.fault());
        } else if (reader_.is_closed()) {
            const close_code code = reader_.received_code();
            say_close(code == close_code::no_status ? close_code::normal : code, {});
        } else if (reader_.take_ping(ping)) {
            // an older pong that has not begun to be written is not needed any more, RFC 6455 §5.5.3
            mask_key key;
            controls_ = make_control_frame(opcode::pong, ping, new_key(key));
        } else {
            return;
        }
        write_controls();
    }

    // Control frames stand between frames: not while one of ours is unfinished.
    void write_controls() noexcept {
        if (frame_left_ != 0 || promised_ != 0) return;
        if (own_written_ == own_.size()) own_ += std::exchange(controls_, {});
        if (write_own().blocked()) wait_to_write(nullptr);
    }

    // -- data frames

    // A server's: every packet has a frame of its own. MQTT does not ask for it [MQTT-6.0.0-2], but Paho C handles the
    // first packet of a frame only, and the others when it hears from us again.
    io_result write_packets(std::span<const std::string_view> from) noexcept {
        if (frame_left_ == 0 && promised_ == 0) {
            if (const io_result put = begin_frame(); put.error) return put;
            if (!pack(from) && !begin_packet(from)) return {};
        }
        if (frame_left_ != 0) return write_frame(from);
        const io_result put = write_own();
        return {put.error ? 0 : std::exchange(promised_, 0), put.error, put.wait_for};
    }

    // Small packets that are whole, each with its head; false if the first one is not such a packet.
    bool pack(std::span<const std::string_view> from) {
        static thread_local std::string packed;
        packed.clear();
        packet_cursor at{from};
        at.skip(0);
        std::size_t left = 0;
        for (const std::string_view part : from)
            left += part.size();
        for (;;) {
            const std::size_t size = packet_size(at);
            if (size == 0 || size > packed_size_max || size > left) break;
            if (packed.size() + frame_head_max + size > copied_size_max) break;
            std::array<char, frame_head_max> head;
            packed.append(head.data(), write_frame_head(head, opcode::binary, size, nullptr));
            at.copy(packed, size);
            promised_ += size;
            left -= size;
        }
        if (promised_ != 0) write_copied(packed);
        return promised_ != 0;
    }

    // The frame of a large packet, or of what is no packet; false if there is nothing to send.
    bool begin_packet(std::span<const std::string_view> from) {
        frame_left_ = packet_size({from});
        if (frame_left_ == 0) {
            for (const std::string_view part : from)
                frame_left_ += part.size();
        }
        if (frame_left_ == 0) return false;
        std::array<char, frame_head_max> head;
        own_.assign(head.data(), write_frame_head(head, opcode::binary, frame_left_, nullptr));
        return true;
    }

    // More of the frame that has begun, its head first.
    io_result write_frame(std::span<const std::string_view> from) noexcept {
        std::array<std::string_view, gather_max> parts;
        std::size_t count = 0;
        const std::size_t head_left = own_.size() - own_written_;
        if (head_left != 0) parts[count++] = std::string_view(own_).substr(own_written_);
        std::size_t size = 0;
        for (const std::string_view part : from) {
            if (count == parts.size() || size == frame_left_) break;
            parts[count] = part.substr(0, frame_left_ - size);
            size += parts[count++].size();
        }
        io_result put = inner_->write_some({parts.data(), count});
        const std::size_t of_head = std::min(put.bytes, head_left);
        own_written_ += of_head;
        if (own_written_ == own_.size()) {
            own_ = {};
            own_written_ = 0;
        }
        put.bytes -= of_head;
        frame_left_ -= put.bytes;
        return put;
    }

    // Most frames leave whole, and then nothing is kept.
    void write_copied(std::string_view frames) {
        const std::array<std::string_view, 1> whole{frames};
        const io_result put = inner_->write_some(whole);
        own_ = frames.substr(put.bytes);
        own_written_ = 0;
    }

    // A client's: masked into the thread's buffer; what the layer below does not take is kept, and counts as written when
    // it is gone: the caller comes again with the same bytes.
    io_result write_masked(std::span<const std::string_view> from) noexcept {
        std::size_t total = 0;
        packet_cursor at{from};
        for (;;) {
            if (promised_ == 0) {
                if (io_result put = begin_frame(); put.error) {
                    put.bytes = total;
                    return put;
                }
                if (!mask(at)) return {total, {}};
            }
            io_result put = write_own();
            if (!put.error) {
                total += promised_;
                at.skip(std::exchange(promised_, 0));
                continue;
            }
            put.bytes = total;
            return put;
        }
    }

    // The next frame into own_; false if there is nothing to send.
    bool mask(packet_cursor at) {
        static thread_local std::string masked;
        masked.assign(frame_head_max, '\0');
        for (; at.part != at.from.size() && masked.size() - frame_head_max != copied_size_max; ++at.part, at.offset = 0)
            masked += at.from[at.part].substr(at.offset, copied_size_max - (masked.size() - frame_head_max));
        promised_ = masked.size() - frame_head_max;
        if (promised_ == 0) return false;

        mask_key key;
        draw_random(key);
        apply_mask(std::span(masked).subspan(frame_head_max), key, 0);
        std::array<char, frame_head_max> head;
        const std::size_t head_size = write_frame_head(head, opcode::binary, promised_, &key);
        const std::size_t begin = frame_head_max - head_size;
        std::memcpy(masked.data() + begin, head.data(), head_size);

        write_copied(std::string_view(masked).substr(begin));
        return true;
    }

    // What has to leave before the next frame.
    io_result begin_frame() noexcept {
        if (const io_result put = write_own(); put.error) return put;
        own_ = std::exchange(controls_, {});
        return write_own();
    }

    std::unique_ptr<transport> inner_;
    frame_reader reader_;
    std::string early_;  // came with the upgrade, belongs to frames
    std::string own_;    // bytes of ours under way: HTTP, a frame's head, a control frame, a masked frame
    std::size_t own_written_ = 0;
    std::string controls_;          // a control frame that waits for its turn
    std::uint64_t frame_left_ = 0;  // of a server's frame: payload that its head has announced
    std::size_t promised_ = 0;      // payload of copied frames: counts as written when own_ is gone
    std::weak_ptr<write_wait> write_wait_;
    std::string failure_;
    error_code error_;
    const bool is_server_;
    bool is_open_ = false;
    bool close_is_sent_ = false;
};

class websocket_client final : public websocket_transport {
public:
    websocket_client(std::unique_ptr<transport> inner, const endpoint& to, const websocket_options& options)
        : websocket_transport(std::move(inner), false, options.frame_bytes_max),
          header_bytes_max_(options.header_bytes_max) {
        std::array<unsigned char, 16> random;
        draw_random(random);
        key_.assign(reinterpret_cast<const char*>(random.data()), random.size());
        const bool is_v6 = to.host.find(':') != std::string::npos;
        std::string host = is_v6 ? "[" + to.host.substr(0, to.host.find('%')) + "]" : to.host;
        if (to.port != default_port(to.scheme)) host += ":" + std::to_string(to.port);
        say(make_upgrade_request(host, to.path.empty() ? "/mqtt" : to.path, key_, options));
    }

private:
    io_result upgrade() noexcept override {
        if (const io_result put = write_own(); put.error) return put;
        bool is_too_long = false;
        if (const io_result got = read_head(head_, header_bytes_max_, is_too_long); got.error) return got;
        const std::string why = is_too_long ? std::string("the headers of the server's answer are over the limit")
                                            : check_upgrade_response(head_, key_);
        head_ = {};
        if (!why.empty()) return {0, fail(errc::websocket_refused, why)};
        opened();
        return {};
    }

    std::string key_;
    std::string head_;
    std::size_t header_bytes_max_;
};

class websocket_server final : public websocket_transport {
public:
    websocket_server(std::unique_ptr<transport> inner, std::string_view path,
                     std::shared_ptr<const websocket_server_options> options)
        : websocket_transport(std::move(inner), true, options->frame_bytes_max),
          path_(path),
          options_(std::move(options)) {}

private:
    io_result upgrade() noexcept override {
        if (!is_answered_) {
            bool is_too_long = false;
            if (const io_result got = read_head(head_, options_->header_bytes_max, is_too_long); got.error) return got;
            upgrade_answer answer = is_too_long ? refuse_long_head() : answer_upgrade(head_, path_, *options_);
            head_ = {};
            refusal_ = std::move(answer.refusal);
            say(std::move(answer.response));
            is_answered_ = true;
        }
        if (const io_result put = write_own(); put.error) return put;
        if (!refusal_.empty()) {
            (void)inner().shutdown_send();
            return {0, fail(errc::websocket_refused, refusal_)};
        }
        opened();
        return {};
    }

    std::string head_;
    std::string path_;
    std::string refusal_;
    std::shared_ptr<const websocket_server_options> options_;
    bool is_answered_ = false;
};

}  // namespace

error_code check_websocket(const websocket_options& options, std::string& detail) {
    if (!make_upgrade_request("h", "/", "0123456789abcdef", options).empty()) return {};
    detail = "a WebSocket header's name must be a token, and its value must not have line breaks";
    return errc::option_invalid;
}

error_code check_websocket(const websocket_server_options&, std::string&) { return {}; }

std::unique_ptr<transport> make_websocket_client(std::unique_ptr<transport> inner, const endpoint& to,
                                                 const websocket_options& options) {
    return std::make_unique<websocket_client>(std::move(inner), to, options);
}

std::unique_ptr<transport> make_websocket_server(std::unique_ptr<transport> inner, std::string_view path,
                                                 std::shared_ptr<const websocket_server_options> options) {
    return std::make_unique<websocket_server>(std::move(inner), path, std::move(options));
}

}  // namespace martlet::net

namespace martlet {
bool has_websocket() noexcept { return true; }
}  // namespace martlet
