// The shell: listeners, one driver per connection, one timer, and after each turn one flush of all that became due. With
// a store, connections wait until it is loaded, and each turn's rows go to it as one batch.
#include "broker/broker_engine.hpp"
#include "broker/broker_trace.hpp"
#include "broker/log_quota.hpp"
#include "faults/faulty_transport.hpp"
#include "net/driver.hpp"
#include "net/listener_layers.hpp"
#include "net/network.hpp"
#include "net/network_of.hpp"

#include <martlet/broker.hpp>
#include <martlet/store.hpp>

#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/prefer.hpp>

#include <algorithm>
#include <atomic>
#include <list>
#include <new>
#include <utility>
#include <vector>

namespace martlet {

namespace {

/// Also the port that to_string() leaves out.
std::string with_port(const endpoint& where) {
    std::string url = to_string(where);
    if (!has_host(where.scheme) || where.port != default_port(where.scheme)) return url;
    const std::size_t path = url.find('/', url.find("://") + 3);
    return url.insert(std::min(path, url.size()), ":" + std::to_string(where.port));
}

/// True if a client was refused by TLS, or refuses us.
bool is_of_tls(const error_code& error) {
    return error.category() == errc_category() && error.value() >= static_cast<int>(errc::tls_options_invalid) &&
           error.value() <= static_cast<int>(errc::certificate_invalid);
}

bool is_local(std::string_view address) {
    return address.starts_with("127.") || address.starts_with("[::1]") || address.starts_with("[::ffff:127.") ||
           address.starts_with("unix:") || address.starts_with("memory:");
}

}  // namespace

class broker::impl final : public net::task, public std::enable_shared_from_this<impl> {
public:
    impl(std::shared_ptr<net::network> on, const broker_options& options)
        : network_(std::move(on)),
          engine_(options, options.seed ? *options.seed : network_->random_seed(), network_->now(),
                  options.store != nullptr),
          timer_(network_->make_timer([this] { on_timer(); })) {
        engine_.set_wake([this] { continue_later(); });
    }

    /// After construction, as it needs a shared pointer.
    void start() {
        store* const kept = engine_.options().store.get();
        if (kept == nullptr) return;
        is_loading_ = true;
        work_ = asio::prefer(network_->executor(), asio::execution::outstanding_work.tracked);
        committed_ = std::make_shared<commits>();
        const auto weak = weak_from_this();
        kept->watch([weak, network = network_](error_code error, std::string detail) {
            net::post(*network, [weak, error, detail = std::move(detail)] {
                const auto self = weak.lock();
                if (self == nullptr) return;
                self->log(error ? log_level::error : log_level::notice,
                          error ? detail + "; nothing is acknowledged until it passes" : "The store goes on.");
            });
        });
        kept->load([weak, network = network_](error_code error, stored_state state) {
            // Copyable, as functions are: the state itself is moved on.
            net::post(*network, [weak, error, state = std::make_shared<stored_state>(std::move(state))] {
                if (const auto self = weak.lock()) self->on_loaded(error, std::move(*state));
            });
        });
    }

    void when_loaded(std::function<void()> done) {
        if (is_loading_) {
            loaded_.push_back(std::move(done));
        } else {
            net::post(*network_, std::move(done));
        }
    }

    /// The broker object is gone: nothing is called any more.
    void abandon() {
        work_ = {};
        listeners_.clear();
        early_.clear();
        loaded_.clear();
        timer_.reset();
        engine_.set_wake({});
        for (connection& c : connections_)
            c.driver->detach();
        connections_.clear();
        stopped_ = {};
    }

    boost::system::result<endpoint> listen(std::string_view url, const listener_options& options, std::string* detail) {
        std::string_view why;
        const auto fail = [&](error_code error, std::string line) -> error_code {
            if (detail != nullptr) *detail = std::move(line);
            return error;
        };
        auto where = parse_endpoint(url, &why);
        if (!where) return fail(where.error(), "listening at " + std::string(url) + ": " + std::string(why));
        if (stopping_) return fail(errc::not_running, "listening at " + std::string(url) + ": the broker has stopped");
        std::shared_ptr<net::listener_layers> layers;
        if (net::needs_layers(where->scheme)) {
            layers = std::make_shared<net::listener_layers>(*where, options.tls, options.websocket);
            std::string line;
            if (const error_code error = layers->prepare(line)) {
                return fail(error, "listening at " + std::string(url) + ": " + line);
            }
            layers->commit();
        }
        const auto about = std::make_shared<listener_info>();
        about->identity_is_user_name = options.use_identity_as_user_name;
        auto made = network_->listen(
            *where, {.layers = layers},
            [this, about](std::unique_ptr<net::transport> link) { on_accepted(std::move(link), *about); },
            [this](error_code error) { log(log_level::error, "Accepting failed: " + error.message()); });
        if (made.error) return fail(made.error, std::move(made.detail));
        listeners_.push_back({std::move(made.listener), std::move(layers), false});
        const endpoint& local = listeners_.back().accepting->local();
        about->name = to_string(local);
        about->port = local.port;
        about->number = ++listened_;
        log(log_level::notice, "Listening at " + with_port(local));
        return local;
    }

    [[nodiscard]] const listener_options& defaults() const noexcept { return engine_.options().listener; }

    std::string in_process() {
        static std::atomic<std::uint64_t> count{0};
        for (const auto& one : listeners_) {
            if (one.is_in_process) return to_string(one.accepting->local());
        }
        const std::string url = "memory:broker-" + std::to_string(++count);
        if (listen(url, defaults(), nullptr)) listeners_.back().is_in_process = true;
        return url;
    }

    error_code reload_tls(std::string* detail) {
        for (const auto& one : listeners_) {
            if (one.layers == nullptr) continue;
            std::string line;
            const error_code error = one.layers->prepare(line);
            if (!error) continue;
            for (const auto& other : listeners_) {
                if (other.layers != nullptr) other.layers->discard();
            }
            if (detail != nullptr) *detail = "certificates of " + to_string(one.accepting->local()) + ": " + line;
            return error;
        }
        for (const auto& one : listeners_) {
            if (one.layers != nullptr) one.layers->commit();
        }
        return {};
    }

    [[nodiscard]] std::uint16_t port() const noexcept {
        for (const auto& one : listeners_) {
            if (one.accepting->local().port != 0) return one.accepting->local().port;
        }
        return 0;
    }

    [[nodiscard]] std::vector<endpoint> listeners() const {
        std::vector<endpoint> all;
        for (const auto& one : listeners_)
            all.push_back(one.accepting->local());
        return all;
    }

    void stop(std::function<void()> done) {
        if (done) stopped_.push_back(std::move(done));
        if (!stopping_) {
            stopping_ = true;
            listeners_.clear();
            engine_.shut_down(network_->now());
            flush();
        }
        if (connections_.empty()) continue_later();
    }

    void apply_rights() {
        engine_.on_deadline(network_->now());
        flush();
    }

    [[nodiscard]] broker_impl::broker_counters count() const noexcept { return engine_.count(); }
    [[nodiscard]] asio::any_io_executor executor() const noexcept { return network_->executor(); }

private:
    struct connection final : net::driver_owner {
        explicit connection(impl& of) : owner(of) {}
        bool on_bytes(net::driver& from, std::string_view bytes) override {
            if (!std::exchange(is_identified, true)) {
                if (std::string who = from.link().peer_identity(); !who.empty()) {
                    owner.engine_.set_identity(id, std::move(who));
                }
            }
            return owner.receive(id, bytes);
        }
        void on_turn_end(net::driver&) override { owner.flush(); }
        void on_writable_again(net::driver&) override {
            owner.engine_.on_written(id, owner.network_->now());
            owner.flush();
        }
        void on_closed(net::driver& which, error_code error) override { owner.on_closed(*this, which, error); }

        impl& owner;
        broker_impl::peer_id id{};
        std::shared_ptr<net::driver> driver;
        std::list<connection>::iterator self;
        bool is_identified = false;  // whatever has to be proved below MQTT is proved before the first byte
    };

    /// What a connection has of the listener that accepted it.
    struct listener_info {
        std::string name;
        std::uint16_t port = 0;
        std::uint16_t number = 0;
        bool identity_is_user_name = false;
    };

    struct listening {
        std::unique_ptr<net::listener> accepting;
        std::shared_ptr<net::listener_layers> layers;  // null: plain sockets
        bool is_in_process = false;                    // in_process() made it
    };

    /// How far the store is; written by its thread, read in a task that is posted when there is none under way.
    struct commits {
        std::atomic<std::uint64_t> number{0};
        std::atomic<bool> is_posted{false};
    };

    void on_loaded(error_code error, stored_state state) {
        is_loading_ = false;
        const auto until_the_end = std::exchange(work_, {});
        if (timer_ == nullptr) return;  // abandoned
        if (error) return fail_store(error, engine_.options().store->last_error());
        if (!engine_.restore(std::move(state), network_->now())) {
            return fail_store(errc::store_damaged, "the store is damaged: its rows contradict each other");
        }
        for (auto& done : std::exchange(loaded_, {}))
            done();
        for (auto& [link, about] : std::exchange(early_, {}))
            on_accepted(std::move(link), about);
        flush();
        if (stopping_ && connections_.empty()) continue_later();
    }

    void commit() {
        if (store_has_failed_ || is_loading_ || !engine_.has_changes()) return;
        const auto weak = weak_from_this();
        engine_.options().store->commit(engine_.take_changes(), [weak, network = network_, done = committed_](
                                                                    error_code error, std::uint64_t number) {
            if (error) {
                return net::post(*network, [weak, error] {
                    const auto self = weak.lock();
                    if (self == nullptr || self->timer_ == nullptr) return;
                    self->fail_store(error, self->engine_.options().store->last_error());
                });
            }
            done->number.store(number);
            if (done->is_posted.exchange(true)) return;
            net::post(*network, [weak, done] {
                done->is_posted.store(false);
                const auto self = weak.lock();
                if (self == nullptr || self->timer_ == nullptr) return;
                self->engine_.options().store->collect();
                self->engine_.on_committed(done->number.load(), self->network_->now());
                self->flush();
            });
        });
    }

    /// What is waiting will never be stored. Clients keep what was not acknowledged, and find us gone.
    void fail_store(error_code error, const std::string& detail) {
        if (std::exchange(store_has_failed_, true)) return;
        const std::string text = detail.empty() ? error.message() : detail;
        log(log_level::error, text);
        early_.clear();
        stop({});
        if (const auto& told = engine_.options().on_store_failed) told(error, text);
    }

    void on_accepted(std::unique_ptr<net::transport> link, const listener_info& by) {
        if (is_loading_) {
            if (early_.size() < engine_.options().connections_max) early_.emplace_back(std::move(link), by);
            return;
        }
        // Half-open connections may exceed the limit a little, so that a full broker can still say that it is full.
        const std::size_t limit = engine_.options().connections_max;
        if (stopping_ || connections_.size() >= limit + limit / 8 + 16) return;
        const std::string address = link->peer_address();
        if (!engine_.admits({address, is_local(address)})) return;
        if (const auto& faults = engine_.options().faults) {
            link = std::make_unique<faults_impl::faulty_transport>(network_, std::move(link), faults->plan(), by.name,
                                                                   true);
        }
        connection& c = connections_.emplace_back(*this);
        c.self = std::prev(connections_.end());
        try {
            c.id = engine_.peer_opened({address, is_local(address), {}, by.identity_is_user_name, by.number}, &c,
                                       network_->now());
            if (logs(log_level::notice)) {
                const std::string port = by.port != 0 ? " on port " + std::to_string(by.port) : std::string();
                log(log_level::notice, "New connection from " + address + port + '.');
            }
            if (logs(log_level::debug)) link = traced(std::move(link), c.id);
            c.driver = net::driver::create(network_, std::move(link), *engine_.out(c.id), c);
            c.driver->start();
        } catch (const std::bad_alloc&) {  // this one cannot be served; the others can
            if (c.driver != nullptr) c.driver->detach();
            engine_.on_closed(c.id, network_->now());
            connections_.erase(c.self);
        }
        arm();
    }

    void on_closed(connection& c, const net::driver& link, error_code error) {
        if (error) {
            if (const std::string why = link.link().failure(); !why.empty()) tell_failure(link.link(), error, why);
        }
        engine_.on_closed(c.id, network_->now());
        connections_.erase(c.self);
        flush();
        if (stopping_ && connections_.empty()) continue_later();
    }

    /// A client that TLS refuses does not learn much: here is the reason, as often as the log can bear.
    void tell_failure(const net::transport& link, const error_code& error, const std::string& why) {
        std::string line = "Connection from " + link.peer_address() + ": " + error.message() + ": " + why;
        if (!is_of_tls(error) || !refusals_.admits(network_->now().steady)) return log(log_level::notice, line);
        if (const auto untold = refusals_.take_untold(); untold != 0 && !logs(log_level::notice)) {
            line += " (" + std::to_string(untold) + " more of TLS were not told)";
        }
        log(log_level::warning, line);
    }

    static void flush_one(const broker_impl::flush_item& item) {
        auto& driver = *static_cast<connection*>(item.owner)->driver;
        if (item.closing) return driver.close_after_flush(item.peer_is_done);
        driver.flush();
        if (item.reading && driver.is_reading_paused()) driver.resume_reading();
    }

    /// All that follows from one read is written before the next one: the bytes are still in the cache, and those that
    /// go on as they came are written from where they stand.
    bool receive(broker_impl::peer_id id, std::string_view bytes) {
        const bool reads_on = engine_.receive_and_flush(id, bytes, network_->now(), flush_one);
        commit();
        return reads_on;
    }

    void flush() {
        commit();
        if (engine_.has_work()) {
            engine_.flush(flush_one, network_->now());
            commit();  // a receiver that has caught up got more
        }
        arm();
    }

    /// One timer for all; what is left to be done has its turn after the others.
    void arm() {
        if (engine_.has_work()) return continue_later();
        timer_->set(engine_.next_deadline());
    }

    void on_timer() {
        engine_.on_deadline(network_->now());
        flush();
    }

    void continue_later() {
        if (std::exchange(posted_, true)) return;
        network_->post(shared_from_this());
    }

    void run() override {
        posted_ = false;
        if (timer_ == nullptr) return;  // abandoned
        on_timer();
        if (!stopping_ || !connections_.empty()) return;
        for (auto& done : std::exchange(stopped_, {}))
            done();
    }

    // The link may outlive us: a last packet is still to be written.
    std::unique_ptr<net::transport> traced(std::unique_ptr<net::transport> link, broker_impl::peer_id id) {
        const std::string address = link->peer_address();
        return std::make_unique<broker_impl::traced_transport>(
            std::move(link), broker_impl::packet_trace(
                                 [weak = weak_from_this()](std::string_view line) {
                                     if (const auto self = weak.lock()) self->log(log_level::debug, std::string(line));
                                 },
                                 [weak = weak_from_this(), id, address] {
                                     const auto self = weak.lock();
                                     std::string known = self != nullptr ? self->engine_.client_id(id) : std::string();
                                     return known.empty() ? address : known;
                                 }));
    }

    [[nodiscard]] bool logs(log_level level) const noexcept {
        const broker_options& options = engine_.options();
        return options.log != nullptr && level <= options.log_detail;
    }
    void log(log_level level, const std::string& line) const {
        if (logs(level)) engine_.options().log->write(level, line);
    }

    std::shared_ptr<net::network> network_;
    broker_impl::broker_engine engine_;
    std::unique_ptr<net::timer> timer_;
    std::vector<listening> listeners_;
    std::uint16_t listened_ = 0;  // listeners that there have been
    std::list<connection> connections_;
    std::vector<std::function<void()>> stopped_;
    std::vector<std::pair<std::unique_ptr<net::transport>, listener_info>>
        early_;  // accepted before the store was loaded
    std::vector<std::function<void()>> loaded_;
    std::shared_ptr<commits> committed_;
    asio::any_io_executor work_;  // keeps the loop alive while the store is loading
    broker_impl::log_quota refusals_;
    bool posted_ = false;
    bool stopping_ = false;
    bool is_loading_ = false;
    bool store_has_failed_ = false;
};

broker::broker(asio::any_io_executor executor, const broker_options& options)
    : impl_(std::make_shared<impl>(net::network_of(std::move(executor)), options)) {
    impl_->start();
}

broker::broker(broker&&) noexcept = default;

broker& broker::operator=(broker&& other) noexcept {
    if (impl_ != nullptr && impl_ != other.impl_) impl_->abandon();
    impl_ = std::move(other.impl_);
    return *this;
}

broker::~broker() {
    if (impl_ != nullptr) impl_->abandon();
}

boost::system::result<endpoint> broker::listen(std::string_view url, std::string* detail) {
    return impl_->listen(url, impl_->defaults(), detail);
}

boost::system::result<endpoint> broker::listen(std::string_view url, const listener_options& options,
                                               std::string* detail) {
    return impl_->listen(url, options, detail);
}

std::string broker::in_process() { return impl_->in_process(); }

error_code broker::reload_tls(std::string* detail) { return impl_->reload_tls(detail); }

void broker::when_loaded(std::function<void()> done) { impl_->when_loaded(std::move(done)); }

std::uint16_t broker::port() const noexcept { return impl_->port(); }

std::vector<endpoint> broker::listeners() const { return impl_->listeners(); }

void broker::stop(std::function<void()> done) { impl_->stop(std::move(done)); }

void broker::apply_rights() { impl_->apply_rights(); }

broker_statistics broker::statistics() const noexcept {
    const auto c = impl_->count();
    broker_statistics s;
    s.connections = c.connections;
    s.sessions = c.sessions;
    s.sessions_connected = c.sessions_connected;
    s.subscriptions = c.subscriptions;
    s.shared_subscriptions = c.shared_subscriptions;
    s.retained = c.retained;
    s.retained_bytes = c.retained_bytes;
    s.connections_accepted = c.connections_accepted;
    s.deliveries = c.routed.deliveries;
    s.dropped_full = c.routed.dropped_full;
    s.dropped_queue = c.routed.dropped_queue;
    s.dropped_other = c.routed.dropped_other;
    s.retained_refused = c.routed.retained_refused;
    s.dropped_memory = c.routed.dropped_memory;
    s.memory = c.memory;
    s.queued = c.queued;
    s.bytes_received = c.traffic.bytes_received;
    s.bytes_sent = c.traffic.bytes_sent;
    s.messages_received = c.traffic.publishes_received;
    s.messages_sent = c.traffic.publishes_sent;
    return s;
}

asio::any_io_executor broker::get_executor() const noexcept { return impl_->executor(); }

}  // namespace martlet
