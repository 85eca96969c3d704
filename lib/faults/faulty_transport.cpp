#include "faults/faulty_transport.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <sys/socket.h>
#include <utility>

namespace martlet::faults_impl {

namespace asio = boost::asio;

namespace {

// How long a client may take to read what was said last, after a rule has ended its connection in order.
constexpr duration farewell_max = std::chrono::seconds(5);

}  // namespace

void reset_on_close(net::transport& link) noexcept {
    const linger at_once{1, 0};
    const int fd = link.native_handle();
    if (fd >= 0) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

//   client ══ inner ══► link ──► read_some      A turn moves what can be moved: input when the reader wants some, output
//          ◄════════════════ ◄── write_some     when it is due; then wakes who waits for it.
class faulty_stream final : public net::waiter,
                            public net::task,
                            public rule_watcher,
                            public std::enable_shared_from_this<faulty_stream> {
public:
    faulty_stream(std::shared_ptr<net::network> on, std::unique_ptr<net::transport> inner, std::shared_ptr<plan> rules,
                  std::string listener, bool by_packets)
        : network_(std::move(on)),
          inner_(std::move(inner)),
          plan_(std::move(rules)),
          link_(plan_, {inner_->peer_address(), std::move(listener)}, by_packets, network_->now().steady) {
        plan_->watch(*this);
    }
    ~faulty_stream() { plan_->unwatch(*this); }

    /// After construction, as it needs a shared pointer: a rule may act without any byte.
    void start() { set_timer(); }

    void when_gone(std::function<void()> told) { gone_ = std::move(told); }
    [[nodiscard]] net::transport& inner() noexcept { return *inner_; }
    [[nodiscard]] const net::transport& inner() const noexcept { return *inner_; }

    net::io_result read_some(std::span<char> into) {
        for (bool tried = false;; tried = true) {
            const std::string_view due = link_.due(flow::in);
            if (!due.empty()) {
                const std::size_t count = std::min(due.size(), into.size());
                // Pieces are taken in turns of their own, so that who passes them on passes them on one by one.
                const bool is_piece = link_.is_in_pieces(flow::in);
                std::memcpy(into.data(), due.data(), count);
                link_.consume(flow::in, count);
                set_timer();
                return {count, is_piece ? error_code(asio::error::would_block) : error_code()};
            }
            if (is_dead_) return {0, asio::error::connection_reset};
            if (link_.is_over(flow::in)) return {0, input_error_ ? input_error_ : error_code(asio::error::eof)};
            if (tried || !fill()) return {0, asio::error::would_block};
            after_input();
        }
    }

    net::io_result write_some(std::span<const std::string_view> from) {
        if (is_dead_) return {0, asio::error::connection_reset, net::direction::write};
        if (output_error_) return {0, output_error_, net::direction::write};
        std::size_t taken = 0;
        bool is_blocked = false;
        for (const std::string_view part : from) {
            if (link_.is_full(flow::out)) {
                is_blocked = true;
                break;
            }
            link_.receive(flow::out, part, network_->now().steady);
            taken += part.size();
        }
        flush();
        after_input();
        return {taken, is_blocked ? error_code(asio::error::would_block) : error_code(), net::direction::write};
    }

    [[nodiscard]] bool has_buffered_input() const noexcept {
        return is_dead_ || !link_.due(flow::in).empty() || link_.is_over(flow::in);
    }

    void wait(net::direction what, std::shared_ptr<net::waiter> who) {
        (what == net::direction::read ? reader_ : writer_) = std::move(who);
        if (what == net::direction::read ? is_readable() : is_writable()) return schedule();
        if (what == net::direction::read) wait_for_input();
    }

    net::io_result shutdown_send() {
        if (is_dead_) return {0, asio::error::connection_reset, net::direction::write};
        link_.finish(flow::out, network_->now().steady);
        is_shut_ = true;
        flush();
        set_timer();
        if (!output_error_ && link_.queued(flow::out) != 0) {
            return {0, asio::error::would_block, net::direction::write};
        }
        return {};
    }

    // A rule's last word is to be read; whatever else there is ends with its reader.
    void close(bool by_reset) {
        if (is_abandoned_) return;
        is_abandoned_ = true;
        gone_ = nullptr;
        abort_waits();
        if (by_reset) reset_on_close(*inner_);
        const bool says_farewell = !by_reset && !is_dead_ && link_.is_ended() && !input_is_over_ && !output_error_;
        if (!says_farewell) return die();
        farewell_until_ = network_->now().steady + farewell_max;
        schedule();
    }

    // -- from the inner transport, the timer, the rules

    void on_ready(net::direction what, error_code error) override {
        (what == net::direction::read ? inner_reads_ : inner_writes_) = false;
        if (is_dead_ || error) return;
        turn();
    }
    void run() override {
        is_scheduled_ = false;
        turn();
    }
    void on_rules_changed() override { schedule(); }

private:
    [[nodiscard]] bool is_readable() const noexcept { return has_buffered_input(); }
    [[nodiscard]] bool is_writable() const noexcept {
        return is_dead_ || output_error_ || (is_shut_ ? link_.queued(flow::out) == 0 : !link_.is_full(flow::out));
    }

    void turn() {
        if (is_dead_) return wake();
        const auto self = shared_from_this();  // a waiter may let go of us
        link_.on_deadline(network_->now().steady);
        if (is_abandoned_) return say_farewell();
        flush();
        if (!is_dead_ && (reader_ != nullptr || link_.is_silent(flow::in))) fill();
        flush();
        after_input();
        wake();
    }

    void wake() {
        if (reader_ != nullptr && is_readable()) std::exchange(reader_, nullptr)->on_ready(net::direction::read, {});
        if (writer_ != nullptr && is_writable()) std::exchange(writer_, nullptr)->on_ready(net::direction::write, {});
    }

    // True if something was read.
    bool fill() {
        if (input_is_over_ || is_dead_ || link_.is_full(flow::in)) return false;
        std::array<char, piece_size_max> bytes;
        bool any = false;
        for (int i = 0; i != reads_per_turn_max && !link_.is_full(flow::in); ++i) {
            const net::io_result got = inner_->read_some(bytes);
            const steady_time now = network_->now().steady;
            if (got.bytes != 0) {
                any = true;
                link_.receive(flow::in, {bytes.data(), got.bytes}, now);
            }
            if (got.blocked()) {
                input_blocked_on_ = got.wait_for;
                break;
            }
            if (!got.error) {
                if (inner_->has_buffered_input() && !link_.is_ended()) continue;
                input_blocked_on_ = net::direction::read;
                break;
            }
            any = true;
            input_is_over_ = true;
            if (got.error != asio::error::eof) input_error_ = got.error;
            link_.finish(flow::in, now);
            if (link_.is_silent(flow::in) && gone_) net::post(*network_, std::exchange(gone_, nullptr));
            break;
        }
        if (!input_is_over_ && (reader_ != nullptr || link_.is_silent(flow::in))) wait_for_input();
        return any;
    }

    void flush() {
        while (!output_error_ && !is_dead_) {
            const std::string_view due = link_.due(flow::out);
            if (due.empty()) break;
            const bool is_piece = link_.is_in_pieces(flow::out);
            const net::io_result put = inner_->write_some({&due, 1});
            link_.consume(flow::out, put.bytes);
            if (put.blocked()) {
                wait_inner(put.wait_for);
                break;
            }
            if (put.failed()) {
                output_error_ = put.error;
                break;
            }
            if (is_piece) {  // the next one in a turn, and a segment, of its own
                schedule();
                break;
            }
        }
        if (link_.is_reset() && !is_dead_) {
            reset_on_close(*inner_);
            die();
            schedule();
        } else if (link_.is_over(flow::out) && !std::exchange(is_inner_shut_, true)) {
            static_cast<void>(inner_->shutdown_send());  // a failure here is told by reading
        }
    }

    // What was read or written may have had consequences for the other end.
    void after_input() {
        flush();
        if ((reader_ != nullptr && is_readable()) || (writer_ != nullptr && is_writable())) schedule();
        set_timer();
    }

    void say_farewell() {
        flush();
        fill_and_forget();
        const bool is_late = network_->now().steady >= farewell_until_;
        if (is_late || output_error_ || (input_is_over_ && link_.queued(flow::out) == 0)) return die();
        set_timer();
    }

    void fill_and_forget() {
        std::array<char, piece_size_max> bytes;
        while (!input_is_over_ && !is_dead_) {
            const net::io_result got = inner_->read_some(bytes);
            if (got.blocked()) return wait_inner(got.wait_for);
            if (got.failed()) input_is_over_ = true;
        }
    }

    void wait_for_input() {
        if (!input_is_over_ && !is_dead_ && !link_.is_full(flow::in)) wait_inner(input_blocked_on_);
    }
    void wait_inner(net::direction what) {
        if (!std::exchange(what == net::direction::read ? inner_reads_ : inner_writes_, true)) {
            inner_->wait(what, shared_from_this());
        }
    }

    void schedule() {
        if (!std::exchange(is_scheduled_, true)) network_->post(shared_from_this());
    }

    void set_timer() {
        if (is_dead_) return;
        steady_time next = link_.next_deadline();
        if (is_abandoned_) next = std::min(next, farewell_until_);
        if (next == never && timer_ == nullptr) return;
        if (timer_ == nullptr) {
            timer_ = network_->make_timer([weak = weak_from_this()] {
                if (const auto self = weak.lock()) self->turn();
            });
        }
        timer_->set(next);
    }

    void abort_waits() {
        for (auto* const who : {&reader_, &writer_}) {
            if (*who == nullptr) continue;
            const auto what = who == &reader_ ? net::direction::read : net::direction::write;
            net::post(*network_, [waiting = std::exchange(*who, nullptr), what] {
                waiting->on_ready(what, asio::error::operation_aborted);
            });
        }
    }

    void die() {
        is_dead_ = true;
        if (timer_ != nullptr) timer_->cancel();
        inner_->close();
    }

    std::shared_ptr<net::network> network_;
    std::unique_ptr<net::transport> inner_;
    std::shared_ptr<plan> plan_;
    faulty_link link_;
    std::unique_ptr<net::timer> timer_;
    std::shared_ptr<net::waiter> reader_;
    std::shared_ptr<net::waiter> writer_;
    std::function<void()> gone_;
    error_code input_error_;
    error_code output_error_;
    steady_time farewell_until_{};
    net::direction input_blocked_on_ = net::direction::read;
    bool inner_reads_ = false;  // waits that are under way
    bool inner_writes_ = false;
    bool is_scheduled_ = false;
    bool is_shut_ = false;        // its owner has finished sending
    bool is_inner_shut_ = false;  // and the client was told
    bool input_is_over_ = false;
    bool is_abandoned_ = false;
    bool is_dead_ = false;
};

faulty_transport::faulty_transport(std::shared_ptr<net::network> on, std::unique_ptr<net::transport> inner,
                                   std::shared_ptr<plan> rules, std::string listener, bool by_packets)
    : stream_(std::make_shared<faulty_stream>(std::move(on), std::move(inner), std::move(rules), std::move(listener),
                                              by_packets)) {
    stream_->start();
}

faulty_transport::~faulty_transport() { stream_->close(false); }

void faulty_transport::when_gone(std::function<void()> told) { stream_->when_gone(std::move(told)); }

void faulty_transport::reset() noexcept { stream_->close(true); }

net::io_result faulty_transport::read_some(std::span<char> into) noexcept { return stream_->read_some(into); }

net::io_result faulty_transport::write_some(std::span<const std::string_view> from) noexcept {
    return stream_->write_some(from);
}

bool faulty_transport::has_buffered_input() const noexcept { return stream_->has_buffered_input(); }

void faulty_transport::wait(net::direction what, std::shared_ptr<net::waiter> who) {
    stream_->wait(what, std::move(who));
}

net::io_result faulty_transport::shutdown_send() noexcept { return stream_->shutdown_send(); }

void faulty_transport::close() noexcept { stream_->close(false); }

int faulty_transport::native_handle() noexcept { return stream_->inner().native_handle(); }

std::string faulty_transport::peer_address() const { return std::as_const(*stream_).inner().peer_address(); }

std::string faulty_transport::local_address() const { return std::as_const(*stream_).inner().local_address(); }

std::string faulty_transport::failure() const { return std::as_const(*stream_).inner().failure(); }

std::string faulty_transport::peer_identity() const { return std::as_const(*stream_).inner().peer_identity(); }

}  // namespace martlet::faults_impl
