#include "net/memory_network.hpp"

#include "net/memory_link.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <utility>

namespace martlet::net {

namespace asio = boost::asio;

namespace {

constexpr auto began_steady = steady_time(std::chrono::hours(1));  // a machine that has been up for a while
constexpr auto began_wall = unix_time(std::chrono::sys_days(std::chrono::year(2026) / 1 / 1));

std::string key_of(const endpoint& at) { return has_host(at.scheme) ? std::to_string(at.port) : to_string(at); }

}  // namespace

struct memory_network::entry {
    std::function<void()> function;
    queue::iterator place;  // if queued
    bool is_queued = false;
};

struct memory_network::listening {
    endpoint local;
    std::shared_ptr<accept_layers> layers;
    accept_handler on_accept;
};

class memory_network::memory_timer final : public timer {
public:
    memory_timer(std::shared_ptr<memory_network> network, std::function<void()> on_expiry)
        : network_(std::move(network)), entry_(std::make_shared<entry>()) {
        entry_->function = std::move(on_expiry);
    }
    ~memory_timer() override { remove(); }
    void set(steady_time at) override {
        remove();
        if (at == never) return;
        entry_->place = network_->queue_.emplace(at, entry_);
        entry_->is_queued = true;
    }

private:
    void remove() noexcept {
        if (std::exchange(entry_->is_queued, false)) network_->queue_.erase(entry_->place);
    }
    std::shared_ptr<memory_network> network_;
    std::shared_ptr<entry> entry_;
};

class memory_network::memory_listener final : public listener {
public:
    explicit memory_listener(std::shared_ptr<listening> what) : what_(std::move(what)) {}
    [[nodiscard]] const endpoint& local() const noexcept override { return what_->local; }

private:
    std::shared_ptr<listening> what_;  // the network looks for it by a weak pointer
};

class memory_network::memory_dialing final : public dialing {
public:
    explicit memory_dialing(std::shared_ptr<dial_handler> handler) : handler_(std::move(handler)) {}
    ~memory_dialing() override { *handler_ = nullptr; }

private:
    std::shared_ptr<dial_handler> handler_;
};

memory_network::memory_network(asio::any_io_executor executor, std::uint64_t seed)
    : executor_(std::move(executor)), random_(seed) {}

memory_network::~memory_network() = default;

// -- time

instant memory_network::now() const noexcept {
    return {began_steady + elapsed_, began_wall + std::chrono::duration_cast<std::chrono::milliseconds>(elapsed_)};
}

void memory_network::post(std::shared_ptr<task> what) {
    asio::post(executor_, [what = std::move(what)] { what->run(); });
}

std::unique_ptr<timer> memory_network::make_timer(std::function<void()> on_expiry) {
    return std::make_unique<memory_timer>(shared_from_this(), std::move(on_expiry));
}

void memory_network::at(steady_time when, std::function<void()> function) {
    if (when <= present()) return asio::post(executor_, std::move(function));
    auto one = std::make_shared<entry>();
    one->function = std::move(function);
    one->place = queue_.emplace(when, one);
    one->is_queued = true;
}

steady_time memory_network::next_due() const noexcept { return queue_.empty() ? never : queue_.begin()->first; }

void memory_network::step(steady_time at) {
    const auto next = std::min(at, next_due());
    if (next > present()) elapsed_ = next - began_steady;
    if (next_due() > present()) return;
    const auto due = queue_.begin()->second;
    queue_.erase(queue_.begin());
    due->is_queued = false;
    due->function();
}

std::uint64_t memory_network::random_seed() {  // splitmix64
    random_ += 0x9E3779B97F4A7C15;
    auto z = random_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
}

// -- connections

std::unique_ptr<dialing> memory_network::dial(const endpoint& to, const dial_options& options, dial_handler handler) {
    auto kept = std::make_shared<dial_handler>(std::move(handler));
    const auto fail_at = [&](steady_time when, error_code error, std::string detail) {
        at(when, [kept, error, detail = std::move(detail)] {
            if (const auto told = std::exchange(*kept, nullptr)) told({nullptr, error, detail});
        });
    };
    const std::string what = "connecting to " + to_string(to) + ": ";
    std::string detail;
    if (needs_layers(to.scheme) && !options.layers) {
        const error_code error = make_error_code(boost::system::errc::protocol_not_supported);
        fail_at(present(), error, what + error.message());
    } else if (const error_code error = options.layers ? options.layers->prepare(detail) : error_code()) {
        fail_at(present(), error, detail);
    } else {
        const error_code late = asio::error::timed_out;
        fail_at(present() + options.timeout, late, what + late.message());
        if (!is_silent_) {
            at(present() + 2 * delay_,
               [self = shared_from_this(), to, options, kept] { self->connect(to, options, kept); });
        }
    }
    return std::make_unique<memory_dialing>(std::move(kept));
}

void memory_network::connect(const endpoint& to, const dial_options& options,
                             const std::shared_ptr<dial_handler>& handler) {
    if (!*handler || is_silent_) return;
    const endpoint& hop = options.layers ? options.layers->first_hop() : to;
    const auto found = listening_.find(key_of(hop));
    const auto server = found != listening_.end() ? found->second.lock() : nullptr;
    if (!server || !is_reachable_) {
        const error_code error = asio::error::connection_refused;
        return std::exchange(*handler,
                             nullptr)({nullptr, error, "connecting to " + to_string(hop) + ": " + error.message()});
    }
    const auto link = std::make_shared<memory_link>(weak_from_this());
    std::erase_if(links_, [](const auto& one) { return one.expired(); });
    links_.push_back(link);
    const std::string client_address = "127.0.0.1:" + std::to_string(next_port_++);
    const std::string server_address = has_host(hop.scheme) ? "127.0.0.1:" + std::to_string(hop.port) : to_string(hop);
    auto accepted = make_memory_transport(link, 1, server_address, client_address);
    auto dialed = make_memory_transport(link, 0, client_address, server_address);
    if (server->layers) accepted = server->layers->wrap(std::move(accepted));
    if (options.layers) dialed = options.layers->wrap(std::move(dialed));
    if (accepted) server->on_accept(std::move(accepted));
    if (const auto told = std::exchange(*handler, nullptr)) told({std::move(dialed), {}, {}});
}

listen_result memory_network::listen(const endpoint& at, const listen_options& options, accept_handler on_accept,
                                     accept_error_handler) {
    error_code error;
    if (needs_layers(at.scheme) && !options.layers) {
        error = make_error_code(boost::system::errc::protocol_not_supported);
    }
    auto made = std::make_shared<listening>(listening{at, options.layers, std::move(on_accept)});
    made->local.user_name.reset();
    made->local.password.reset();
    if (has_host(at.scheme) && at.port == 0) made->local.port = next_port_++;
    auto& place = listening_[key_of(made->local)];
    if (!error && !place.expired()) error = asio::error::address_in_use;
    if (error) return {nullptr, error, "listening at " + to_string(at) + ": " + error.message()};
    place = made;
    return {std::make_unique<memory_listener>(std::move(made)), {}, {}};
}

// -- faults

std::size_t memory_network::carry(std::size_t bytes, bool& is_cut) noexcept {
    is_cut = cut_at_ && carried_ + bytes >= *cut_at_;
    if (is_cut) {
        bytes = static_cast<std::size_t>(*cut_at_ - std::min(carried_, *cut_at_));
        cut_at_.reset();
    }
    carried_ += bytes;
    return bytes;
}

void memory_network::set_silent(bool is_silent) {
    if (std::exchange(is_silent_, is_silent) == is_silent || is_silent) return;
    for (const auto& weak : links_) {
        if (const auto link = weak.lock()) link->release();
    }
}

void memory_network::cut_all() {
    for (const auto& weak : links_) {
        if (const auto link = weak.lock()) link->cut();
    }
}

std::size_t memory_network::open_links() const noexcept {
    return static_cast<std::size_t>(std::count_if(links_.begin(), links_.end(), [](const auto& weak) {
        const auto link = weak.lock();
        return link && link->is_open();
    }));
}

}  // namespace martlet::net
