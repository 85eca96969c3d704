#include "net/memory_link.hpp"

#include <boost/asio/error.hpp>

#include <algorithm>
#include <utility>

namespace martlet::net {

namespace asio = boost::asio;

namespace {

error_code would_block() noexcept { return asio::error::would_block; }

class memory_transport final : public transport {
public:
    memory_transport(std::shared_ptr<memory_link> link, std::size_t side, std::string own, std::string peer)
        : link_(std::move(link)), side_(side), own_(std::move(own)), peer_(std::move(peer)) {}
    ~memory_transport() override { link_->close(side_); }

    io_result read_some(std::span<char> into) noexcept override { return link_->read(side_, into); }
    io_result write_some(std::span<const std::string_view> from) noexcept override { return link_->write(side_, from); }
    void wait(direction what, std::shared_ptr<waiter> who) override { link_->wait(side_, what, std::move(who)); }
    io_result shutdown_send() noexcept override {
        link_->finish(side_);
        return {};
    }
    void close() noexcept override { link_->close(side_); }
    [[nodiscard]] std::string peer_address() const override { return peer_; }
    [[nodiscard]] std::string local_address() const override { return own_; }

private:
    std::shared_ptr<memory_link> link_;
    std::size_t side_;
    std::string own_;
    std::string peer_;
};

}  // namespace

std::unique_ptr<transport> make_memory_transport(std::shared_ptr<memory_link> link, std::size_t side, std::string own,
                                                 std::string peer) {
    return std::make_unique<memory_transport>(std::move(link), side, std::move(own), std::move(peer));
}

io_result memory_link::read(std::size_t side, std::span<char> into) noexcept {
    const auto network = network_.lock();
    auto& from = sent_[other(side)];
    std::size_t got = 0;
    bool is_end = false;
    while (network && got != into.size() && !from.under_way.empty() &&
           from.under_way.front().at <= network->present()) {
        const auto& first = from.under_way.front();
        if (first.bytes.empty()) {
            is_end = true;  // stays, to be told again
            break;
        }
        const auto count = std::min(into.size() - got, first.bytes.size() - from.taken);
        std::copy_n(first.bytes.data() + from.taken, count, into.data() + got);
        got += count;
        from.taken += count;
        from.size -= count;
        if (from.taken == first.bytes.size()) {
            from.under_way.pop_front();
            from.taken = 0;
        }
    }
    if (got != 0) {
        wake(other(side), direction::write);
        return {got, {}, direction::read};
    }
    if (is_end) return {0, asio::error::eof, direction::read};
    if (is_cut_ || !network) return {0, asio::error::connection_reset, direction::read};
    return {0, would_block(), direction::read};
}

io_result memory_link::write(std::size_t side, std::span<const std::string_view> from) {
    const auto network = network_.lock();
    if (is_cut_ || !network || sent_[side].is_finished) return {0, asio::error::broken_pipe, direction::write};
    std::string bytes;
    const auto room = window - std::min(window, sent_[side].size);
    std::size_t wanted = 0;
    for (const auto part : from) {
        wanted += part.size();
        bytes.append(part.substr(0, room - std::min(room, bytes.size())));
    }
    if (bytes.empty()) return wanted == 0 ? io_result{} : io_result{0, would_block(), direction::write};
    const auto count = bytes.size();
    bool is_last = false;
    bytes.resize(network->carry(count, is_last));
    if (!ends_[other(side)].is_closed && !bytes.empty()) append(side, std::move(bytes));
    if (is_last) cut();
    return {count, count < wanted ? would_block() : error_code(), direction::write};
}

void memory_link::append(std::size_t side, std::string bytes) {
    const auto network = network_.lock();
    if (!network) return;
    auto& own = sent_[side];
    own.size += bytes.size();
    const auto last = own.under_way.empty() ? steady_time::min() : own.under_way.back().at;
    const auto at = std::max(network->arrival(), last);  // a shorter delay does not overtake
    own.under_way.push_back({at, std::move(bytes)});
    if (at == never) return;
    network->at(at, [self = shared_from_this(), side] { self->wake(other(side), direction::read); });
}

void memory_link::finish(std::size_t side) {
    if (is_cut_ || std::exchange(sent_[side].is_finished, true)) return;
    append(side, {});
}

void memory_link::close(std::size_t side) {
    auto& own = ends_[side];
    if (std::exchange(own.is_closed, true)) return;
    finish(side);
    for (const auto what : {direction::read, direction::write}) {
        auto& waiting = own.waiting[static_cast<std::size_t>(what)];
        if (waiting) tell(std::exchange(waiting, nullptr), what, asio::error::operation_aborted);
    }
    // Who sends to somebody who has gone is not held up.
    sent_[other(side)] = {.under_way = {}, .size = 0, .taken = 0, .is_finished = sent_[other(side)].is_finished};
    wake(other(side), direction::write);
}

void memory_link::cut() {
    if (std::exchange(is_cut_, true)) return;
    for (const std::size_t side : {0u, 1u}) {
        // What had arrived can still be read; the rest is lost.
        const auto network = network_.lock();
        std::erase_if(sent_[side].under_way,
                      [&](const chunk& one) { return !network || one.at > network->present() || one.bytes.empty(); });
        wake(side, direction::read);
        wake(side, direction::write);
    }
}

void memory_link::release() {
    const auto network = network_.lock();
    for (const std::size_t side : {0u, 1u}) {
        bool is_held = false;
        for (auto& one : sent_[side].under_way) {
            if (one.at != never) continue;
            one.at = network->arrival();
            is_held = true;
        }
        if (!is_held) continue;
        network->at(network->arrival(),
                    [self = shared_from_this(), side] { self->wake(other(side), direction::read); });
    }
}

// -- waiting

bool memory_link::is_ready(std::size_t side, direction what) const noexcept {
    if (is_cut_ || ends_[side].is_closed) return true;
    if (what == direction::write) return sent_[side].size < window;
    const auto network = network_.lock();
    const auto& from = sent_[other(side)];
    return !network || (!from.under_way.empty() && from.under_way.front().at <= network->present());
}

void memory_link::wait(std::size_t side, direction what, std::shared_ptr<waiter> who) {
    if (ends_[side].is_closed) return tell(std::move(who), what, asio::error::operation_aborted);
    ends_[side].waiting[static_cast<std::size_t>(what)] = std::move(who);
    wake(side, what);
}

void memory_link::wake(std::size_t side, direction what) {
    auto& waiting = ends_[side].waiting[static_cast<std::size_t>(what)];
    if (waiting && is_ready(side, what)) tell(std::exchange(waiting, nullptr), what, {});
}

void memory_link::tell(std::shared_ptr<waiter> who, direction what, error_code error) {
    if (const auto network = network_.lock()) {
        net::post(*network, [who = std::move(who), what, error] { who->on_ready(what, error); });
    }
}

}  // namespace martlet::net
