#include "faults/faulty_transport.hpp"
#include "faults/relay.hpp"
#include "net/network.hpp"
#include "net/network_of.hpp"

#include <martlet/fault_proxy.hpp>

#include <boost/system/errc.hpp>

#include <map>
#include <utility>
#include <vector>

namespace martlet {

using faults_impl::faulty_transport;
using faults_impl::relay;

class fault_proxy::impl final : public std::enable_shared_from_this<impl> {
public:
    impl(std::shared_ptr<net::network> on, fault_proxy_options options)
        : network_(std::move(on)), options_(std::move(options)) {
        if (options_.faults == nullptr) options_.faults = std::make_shared<faults>();
    }

    boost::system::result<endpoint> listen(std::string_view url, std::string* detail) {
        const auto fail = [&](error_code error, std::string line) -> error_code {
            if (detail != nullptr) *detail = std::move(line);
            return error;
        };
        std::string_view why;
        auto to = parse_endpoint(options_.to, &why);
        if (!to) return fail(to.error(), options_.to + ": " + std::string(why));
        auto at = parse_endpoint(url, &why);
        if (!at) return fail(at.error(), std::string(url) + ": " + std::string(why));
        for (const endpoint* const one : {&*to, &*at}) {
            if (!net::needs_layers(one->scheme)) continue;
            return fail(make_error_code(boost::system::errc::protocol_not_supported),
                        to_string(*one) + ": a proxy passes on bytes: mqtt:// or unix:, also for TLS and WebSocket");
        }
        to_ = *std::move(to);
        const auto number = listeners_.size();
        auto made = network_->listen(
            *at, {}, [this, number](std::unique_ptr<net::transport> link) { on_accepted(std::move(link), number); },
            [this](error_code error) { log(log_level::error, "Accepting failed: " + error.message()); });
        if (made.error) return fail(made.error, std::move(made.detail));
        listeners_.push_back(std::move(made.listener));
        return listeners_.back()->local();
    }

    void stop() {
        listeners_.clear();
        for (auto& [number, each] : connections_) {
            each.dialing.reset();
            if (each.relaying != nullptr) each.relaying->stop();
        }
        connections_.clear();
    }

    [[nodiscard]] fault_proxy_statistics statistics() const noexcept {
        fault_proxy_statistics now = statistics_;
        now.connections = connections_.size();
        now.bytes_in = counts_->in;
        now.bytes_out = counts_->out;
        return now;
    }

private:
    struct connection {
        std::unique_ptr<faulty_transport> client;  // until the broker is reached
        std::unique_ptr<net::dialing> dialing;
        std::shared_ptr<relay> relaying;
    };

    void on_accepted(std::unique_ptr<net::transport> link, std::size_t listener) {
        ++statistics_.accepted;
        if (connections_.size() >= options_.connections_max) {
            ++statistics_.failed;
            return;
        }
        const auto& plan = options_.faults->plan();
        const std::uint64_t number = statistics_.accepted;
        connection& made = connections_[number];
        made.client = std::make_unique<faulty_transport>(
            network_, std::move(link), plan, to_string(listeners_[listener]->local()), plan->needs_packets());
        made.dialing =
            network_->dial(to_, {.timeout = options_.connect_timeout},
                           [this, number](net::dial_result result) { on_dialed(number, std::move(result)); });
    }

    void on_dialed(std::uint64_t number, net::dial_result result) {
        connection& where = connections_.at(number);
        const auto ended = std::exchange(where.dialing, nullptr);
        if (result.error) {
            ++statistics_.failed;
            log(log_level::error, result.detail);
            connections_.erase(number);
            return;
        }
        where.relaying = std::make_shared<relay>(network_, std::move(where.client), std::move(result.link), counts_,
                                                 [weak = weak_from_this(), number] {
                                                     if (const auto self = weak.lock())
                                                         self->connections_.erase(number);
                                                 });
        where.relaying->start();
    }

    void log(log_level level, std::string_view line) const {
        if (options_.log) options_.log(level, line);
    }

    std::shared_ptr<net::network> network_;
    fault_proxy_options options_;
    endpoint to_;
    std::vector<std::unique_ptr<net::listener>> listeners_;
    std::map<std::uint64_t, connection> connections_;
    std::shared_ptr<relay::counts> counts_ = std::make_shared<relay::counts>();
    fault_proxy_statistics statistics_;
};

fault_proxy::fault_proxy(boost::asio::any_io_executor executor, fault_proxy_options options)
    : impl_(std::make_shared<impl>(net::network_of(std::move(executor)), std::move(options))) {}

fault_proxy::fault_proxy(fault_proxy&&) noexcept = default;

fault_proxy& fault_proxy::operator=(fault_proxy&& other) noexcept {
    if (impl_ != nullptr && impl_ != other.impl_) impl_->stop();
    impl_ = std::move(other.impl_);
    return *this;
}

fault_proxy::~fault_proxy() {
    if (impl_ != nullptr) impl_->stop();
}

boost::system::result<endpoint> fault_proxy::listen(std::string_view url, std::string* detail) {
    return impl_->listen(url, detail);
}

void fault_proxy::stop() { impl_->stop(); }

fault_proxy_statistics fault_proxy::statistics() const noexcept { return impl_->statistics(); }

}  // namespace martlet
