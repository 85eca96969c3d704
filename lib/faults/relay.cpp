#include "faults/relay.hpp"

#include <boost/asio/error.hpp>

#include <array>
#include <string_view>
#include <utility>

namespace martlet::faults_impl {

namespace asio = boost::asio;

relay::relay(std::shared_ptr<net::network> on, std::unique_ptr<faulty_transport> client,
             std::unique_ptr<net::transport> broker, std::shared_ptr<counts> total, std::function<void()> done)
    : network_(std::move(on)),
      client_(std::move(client)),
      broker_(std::move(broker)),
      total_(std::move(total)),
      done_(std::move(done)) {
    in_.from = out_.to = client_.get();
    in_.to = out_.from = broker_.get();
    in_.count = &total_->in;
    out_.count = &total_->out;
}

void relay::start() {
    client_->when_gone([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->on_client_gone();
    });
    in_.wait(*client_, net::direction::read);
    out_.wait(*broker_, net::direction::read);
}

void relay::stop() noexcept {
    done_ = nullptr;
    is_finished_ = true;
    client_->close();
    broker_->close();
}

void relay::pump::on_ready(net::direction, error_code error) {
    if (!error && !owner.is_finished_) run();
}

void relay::pump::wait(net::transport& on, net::direction what) {
    on.wait(what, std::shared_ptr<net::waiter>(owner.shared_from_this(), this));
}

void relay::pump::run() {
    const auto kept = owner.shared_from_this();
    std::array<char, piece_size_max> slab;
    is_blocked = false;
    for (int i = 0;;) {
        while (written < bytes.size()) {
            const std::string_view rest = std::string_view(bytes).substr(written);
            const net::io_result put = to->write_some({&rest, 1});
            written += put.bytes;
            *count += put.bytes;
            if (put.failed()) return owner.on_broken();
            if (put.blocked() && written < bytes.size()) return wait(*to, net::direction::write);
        }
        if (is_over) {
            const net::io_result said = to->shutdown_send();
            if (said.blocked()) return wait(*to, net::direction::write);
            is_done = true;
            return owner.on_pump_done();
        }
        if (is_blocked || ++i == reads_per_turn_max) return wait(*from, net::direction::read);

        const net::io_result got = from->read_some(slab);
        bytes.assign(slab.data(), got.bytes);
        written = 0;
        is_blocked = got.blocked();
        if (!got.failed()) continue;
        if (got.error != asio::error::eof) return owner.on_broken();
        is_over = true;
    }
}

void relay::on_pump_done() {
    if (out_.is_done && (in_.is_done || is_client_gone_)) finish();
}

// It may read nothing and learn nothing of the broker: only when that has ended, too, there is nothing left to keep.
void relay::on_client_gone() {
    is_client_gone_ = true;
    on_pump_done();
}

void relay::on_broken() {
    reset_on_close(*broker_);
    client_->reset();
    finish();
}

void relay::finish() {
    if (std::exchange(is_finished_, true)) return;
    client_->close();
    broker_->close();
    if (done_) net::post(*network_, std::exchange(done_, nullptr));
}

}  // namespace martlet::faults_impl
