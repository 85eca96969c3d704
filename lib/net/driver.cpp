#include "net/driver.hpp"

#include <boost/asio/error.hpp>

#include <array>
#include <span>
#include <utility>

namespace martlet::net {

namespace asio = boost::asio;

namespace {

// The slab of this thread, for the time of one turn. Whoever runs the loop from inside a handler (and so comes here a
// second time) gets one of its own.
class slab {
public:
    slab() {
        if (shared().in_use) {
            own_ = std::make_unique<char[]>(driver::read_size_max);
        } else {
            if (!shared().bytes) shared().bytes = std::make_unique<char[]>(driver::read_size_max);
            shared().in_use = true;
        }
    }
    ~slab() {
        if (!own_) shared().in_use = false;
    }
    slab(const slab&) = delete;
    slab& operator=(const slab&) = delete;

    [[nodiscard]] std::span<char> bytes() const noexcept {
        return {own_ ? own_.get() : shared().bytes.get(), driver::read_size_max};
    }

private:
    struct of_thread {
        std::unique_ptr<char[]> bytes;
        bool in_use = false;
    };
    static of_thread& shared() noexcept {
        static thread_local of_thread instance;
        return instance;
    }

    std::unique_ptr<char[]> own_;
};

}  // namespace

std::shared_ptr<driver> driver::create(std::shared_ptr<network> on, std::unique_ptr<transport> link, core::output& out,
                                       driver_owner& owner, const driver_options& options) {
    return std::make_shared<driver>(create_only(), std::move(on), std::move(link), out, owner, options);
}

driver::driver(create_only, std::shared_ptr<network> on, std::unique_ptr<transport> link, core::output& out,
               driver_owner& owner, const driver_options& options)
    : network_(std::move(on)), link_(std::move(link)), output_(&out), owner_(&owner), options_(options) {}

driver::~driver() = default;

// -- commands

void driver::start() {
    if (state_ != state::idle) return;
    state_ = state::open;
    await_input();
}

void driver::flush() {
    if (state_ <= state::open && !write_blocked_ && !write_error_) (void)write();
}

void driver::pause_reading() noexcept { paused_ = true; }

void driver::resume_reading() {
    if (!std::exchange(paused_, false)) return;
    if (state_ == state::open && !in_turn_) await_input();
}

void driver::close_after_flush(bool peer_is_done) {
    if (state_ > state::open) return;
    state_ = state::flushing;
    if (write_error_) return finish_later(write_error_);
    if (peer_is_done && !write_blocked_ && link_->ends_by_close()) {
        if (write()) return finish_later({});
        if (state_ == state::closed) return;
    }
    end_ = std::make_unique<graceful_end>();
    end_->deadline = network_->make_timer([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->finish(asio::error::timed_out);
    });
    end_->deadline->set(network_->now().steady + options_.drain_timeout);
    if (!write_blocked_) finish_sending();
    if (state_ != state::closed) post_turn();
}

void driver::close() {
    if (state_ != state::closed) finish_later(asio::error::operation_aborted);
}

void driver::detach() {
    if (!owner_) return;
    owner_ = nullptr;
    if (state_ == state::flushing) {
        take_over_output();
    } else if (state_ <= state::open) {
        shut();
    }
    output_ = nullptr;
}

// -- from the transport and the network

void driver::on_ready(direction what, error_code error) {
    (what == direction::read ? read_waits_ : write_waits_) = false;
    if (state_ == state::closed) return;
    if (error) return finish(error);

    bool written = false;
    if (write_blocked_ && write_blocked_on_ == what) {
        write_blocked_ = false;
        if (state_ == state::flushing) {
            finish_sending();
        } else {
            written = write();
        }
    }
    if (read_blocked_on_ == what) input_turn();
    if (written && state_ <= state::open && !write_blocked_) owner_->on_writable_again(*this);
}

void driver::run() {
    posted_ = false;
    if (state_ == state::closed) {
        if (driver_owner* const owner = std::exchange(owner_, nullptr)) owner->on_closed(*this, error_);
    } else {
        input_turn();
    }
}

// -- reading

void driver::input_turn() {
    switch (state_) {
        case state::open: return read_turn();
        case state::flushing:
        case state::draining: return input_over_ ? void() : discard_turn();
        case state::idle:
        case state::closed: return;
    }
}

void driver::read_turn() {
    // An owner that calls a user's handler may throw: then the turn goes on in a later one.
    struct turn {
        driver& of;
        bool over = false;
        ~turn() {
            of.in_turn_ = false;
            if (!over && of.state_ == state::open && !of.paused_) of.post_turn();
        }
    } guard{*this};
    const slab memory;
    const std::span<char> bytes = memory.bytes();
    error_code ended;
    std::size_t total = 0;
    in_turn_ = true;
    read_blocked_ = false;
    read_blocked_on_ = direction::read;
    while (total < options_.turn_bytes_max && !paused_) {
        const io_result got = link_->read_some(bytes);
        if (got.bytes != 0) {
            total += got.bytes;
            if (!owner_->on_bytes(*this, {bytes.data(), got.bytes})) paused_ = true;
            if (state_ != state::open) break;
        }
        if (got.blocked()) {
            read_blocked_ = true;
            read_blocked_on_ = got.wait_for;
            ended = write_error_;
            break;
        }
        if (got.failed()) {
            ended = got.error;
            break;
        }
    }
    if (total != 0 && owner_) owner_->on_turn_end(*this);
    guard.over = true;
    in_turn_ = false;

    if (state_ != state::open) return;
    if (ended) return finish(ended);
    if (paused_ && write_error_) return finish(write_error_);
    if (paused_) return;
    if (total >= options_.turn_bytes_max && !read_blocked_) return post_turn();
    await_input();
}

// A slow reader of ours must be able to get to our last packet, so what it still sends has to go somewhere.
void driver::discard_turn() {
    const slab memory;
    std::size_t total = 0;
    read_blocked_on_ = direction::read;
    while (total < options_.turn_bytes_max) {
        const io_result got = link_->read_some(memory.bytes());
        total += got.bytes;
        end_->drained += got.bytes;
        if (end_->drained > options_.drain_bytes_max) return finish(asio::error::no_buffer_space);
        if (got.blocked()) {
            read_blocked_on_ = got.wait_for;
            return wait(read_blocked_on_);
        }
        if (got.failed()) {
            input_over_ = true;
            if (got.error != asio::error::eof) return finish(got.error);
            if (state_ == state::draining) finish({});
            return;  // it has finished sending, but may still read what we write
        }
    }
    post_turn();
}

void driver::await_input() {
    if (posted_) return;
    if (!read_blocked_ && link_->has_buffered_input()) return post_turn();
    wait(read_blocked_on_);
}

// -- writing

// True if nothing is left.
bool driver::write() {
    while (unwritten() != 0) {
        const io_result put = put_some();
        consume(put.bytes);
        if (put.blocked()) {
            block_writing(put.wait_for);
            return false;
        }
        if (put.failed()) {
            write_error_ = put.error;
            if (state_ == state::flushing) {
                finish_later(write_error_);
            } else {
                post_turn();  // what the peer said before it left is still to be read
            }
            return false;
        }
    }
    return true;
}

io_result driver::put_some() {
    std::string_view first;  // mostly that is all
    if (gather({&first, 1}) == 1 && first.size() == unwritten()) return link_->write_some({&first, 1});
    std::array<std::string_view, transport::gather_max> parts;
    return link_->write_some({parts.data(), gather(parts)});
}

void driver::finish_sending() {
    if (!write()) return;
    const io_result said = link_->shutdown_send();
    if (said.blocked()) return block_writing(said.wait_for);
    // a failure here means that the peer is gone, which reading will tell better
    state_ = state::draining;
    if (input_over_) finish_later({});
}

std::size_t driver::unwritten() const noexcept {
    if (output_) return output_->size();
    return end_ ? end_->rest.size() - end_->rest_written : 0;
}

std::size_t driver::gather(std::span<std::string_view> parts) const noexcept {
    if (output_) return output_->gather(parts);
    if (!end_ || end_->rest.empty()) return 0;
    parts[0] = std::string_view(end_->rest).substr(end_->rest_written);
    return 1;
}

void driver::consume(std::size_t count) noexcept {
    if (output_) return output_->consume(count);
    if (!end_) return;
    end_->rest_written += count;
    if (end_->rest_written == end_->rest.size()) {
        end_->rest.clear();
        end_->rest_written = 0;
    }
}

void driver::take_over_output() {
    end_->rest.reserve(output_->size());
    std::array<std::string_view, transport::gather_max> parts;
    while (const std::size_t count = output_->gather(parts)) {
        std::size_t copied = 0;
        for (const std::string_view part : std::span(parts).first(count)) {
            end_->rest += part;
            copied += part.size();
        }
        output_->consume(copied);
    }
}

void driver::block_writing(direction wait_for) {
    write_blocked_ = true;
    write_blocked_on_ = wait_for;
    wait(wait_for);
}

// -- both

void driver::wait(direction what) {
    bool& waits = what == direction::read ? read_waits_ : write_waits_;
    if (!std::exchange(waits, true)) link_->wait(what, shared_from_this());
}

void driver::post_turn() {
    if (!std::exchange(posted_, true)) network_->post(shared_from_this());
}

void driver::finish(error_code error) {
    shut();
    if (driver_owner* const owner = std::exchange(owner_, nullptr)) owner->on_closed(*this, error);
}

void driver::finish_later(error_code error) {
    shut();
    error_ = error;
    if (owner_) post_turn();
}

void driver::shut() noexcept {
    state_ = state::closed;
    if (end_) end_->deadline.reset();
    link_->close();
}

}  // namespace martlet::net
