#include "plan.hpp"

#include "backlog_actors.hpp"
#include "connection_actors.hpp"
#include "publisher.hpp"
#include "receiver.hpp"
#include "subscriber.hpp"

#include <algorithm>
#include <utility>

namespace martlet::cli::bench {
namespace {

constexpr std::uint64_t queue_max = 200'000;
constexpr double default_connect_rate = 1'000;
constexpr std::uint16_t receive_maximum = 65'535;

class builder {
public:
    builder(const run_settings& settings, run_plan& plan, std::vector<std::unique_ptr<worker>>& workers)
        : settings_(settings), plan_(plan), workers_(workers) {}

    void add(const flow_settings& flow, std::size_t number) {
        flow_ = &flow;
        base_ = plan_.prefix + (settings_.flows.size() > 1 ? std::to_string(number) + '/' : std::string());
        switch (flow.scenario) {
            case scenario::one2one:
            case scenario::soak: return add_pairs();
            case scenario::rr: return add_requests();
            case scenario::conn: return add_connections();
            case scenario::subscribe: return add_subscribing();
            case scenario::retained:
            case scenario::session: return add_backlog();
            default: return add_crowd();
        }
    }

private:
    // A pair has a topic and a credit of its own.
    void add_pairs() {
        const flow_settings& f = *flow_;
        for (std::size_t i = 0; i < f.publishers; ++i) {
            const auto shared = make_flow(f.outstanding_max, 1, false);
            const std::string topic = base_ + std::to_string(i);
            add_subscriber(i, topic, 0, shared, nullptr, false);
            add_publisher(i, i, topic, {}, 1, shared);
        }
        publishers_ += f.publishers;
    }

    void add_crowd() {
        const flow_settings& f = *flow_;
        const bool is_group = f.scenario == scenario::shared;
        const auto shared = make_flow(f.outstanding_max * f.publishers, f.subscribers, is_group);
        const std::string topic = base_ + "t";
        std::shared_ptr<sequence_checks> group;
        if (is_group) group = std::make_shared<sequence_checks>(publishers_ + f.publishers, true);
        for (std::size_t i = 0; i < f.subscribers; ++i)
            add_subscriber(i, is_group ? "$share/bench/" + topic : topic, i, shared, group, false);
        const std::size_t copies = is_group ? 1 : f.subscribers;
        for (std::size_t i = 0; i < f.publishers; ++i)
            add_publisher(i, i, topic, {}, copies, shared);
        publishers_ += f.publishers;
    }

    void add_requests() {
        const flow_settings& f = *flow_;
        const bool has_properties =
            !settings_.connection.version || settings_.connection.version == protocol_version::v5;
        for (std::size_t i = 0; i < f.subscribers; ++i) {
            const std::string requests = base_ + "q/+";
            add_subscriber(i, f.subscribers > 1 ? "$share/bench/" + requests : requests, 0, nullptr, nullptr, true);
        }
        for (std::size_t i = 0; i < f.publishers; ++i) {
            const auto shared = make_flow(f.outstanding_max, 1, false);
            const std::string answers = base_ + "a/" + std::to_string(i);
            add_subscriber(i, answers, 0, shared, nullptr, false);
            add_publisher(i, i, base_ + "q/" + std::to_string(i), has_properties ? answers : std::string(), 1, shared);
        }
        publishers_ += f.publishers;
    }

    void add_connections() {
        const double rate = settings_.connect_rate > 0 ? settings_.connect_rate : default_connect_rate;
        for (std::size_t i = 0; i < flow_->subscribers; ++i) {
            const std::size_t client = plan_.clients++;
            worker* const w = worker_of(i);
            if (w == nullptr) continue;
            const auto slot = flow_->mode == connection_mode::hold
                                  ? static_cast<nanoseconds>(static_cast<double>(i) / rate * 1e9)
                                  : 0;
            w->actors.push_back(std::make_unique<connector>(
                *w, [this_options = options("c", client, true)] { return this_options; }, flow_->mode, slot));
        }
    }

    void add_subscribing() {
        for (std::size_t i = 0; i < flow_->subscribers; ++i) {
            const std::size_t client = plan_.clients++;
            worker* const w = worker_of(i);
            if (w == nullptr) continue;
            w->actors.push_back(std::make_unique<subscribe_looper>(*w, options("s", client),
                                                                   base_ + std::to_string(i) + '/', flow_->topics,
                                                                   flow_->subscriber_qos.value_or(flow_->qos)));
        }
    }

    void add_backlog() {
        const flow_settings& f = *flow_;
        const bool is_retained = f.scenario == scenario::retained;
        const std::uint64_t messages = is_retained ? f.topics : f.count;
        backlog_settings b;
        b.run = plan_.run;
        b.size = std::max(f.size_max, stamp_size_full);
        b.qos = is_retained ? f.qos : std::max(f.qos, martlet::qos::at_least_once);
        b.is_retained = is_retained;
        b.filter = is_retained ? base_ + "r/#" : base_ + "t";
        for (std::size_t i = 0; i < f.subscribers; ++i) {
            const std::size_t client = plan_.clients++;
            if (worker* const w = worker_of(i)) {
                w->actors.push_back(
                    std::make_unique<collector>(*w, options("s", client), b, publishers_ + f.publishers, messages));
            }
        }
        for (std::size_t i = 0; i < f.publishers; ++i) {
            const std::size_t client = plan_.clients++;
            worker* const w = worker_of(i);
            if (w == nullptr) continue;
            b.number = static_cast<std::uint32_t>(publishers_ + i);
            b.topic = is_retained ? base_ + "r/" + std::to_string(i) + '/' : base_ + "t";
            b.messages = share(messages, i, f.publishers);
            w->actors.push_back(std::make_unique<loader>(*w, options("p", client), b));
        }
        publishers_ += f.publishers;
    }

    // `group`: the checks of all who share the messages; null: its own.
    void add_subscriber(std::size_t i, std::string filter, std::size_t index, std::shared_ptr<flow> shared,
                        const std::shared_ptr<sequence_checks>& group, bool is_responder) {
        const std::size_t client = plan_.clients++;
        worker* const w = worker_of(i);
        if (w == nullptr) return;
        subscriber_settings s;
        s.run = plan_.run;
        s.filter = std::move(filter);
        s.qos = flow_->subscriber_qos.value_or(flow_->qos);
        s.index = index;
        s.pattern = plan_.pattern;
        s.checks = group != nullptr || is_responder
                       ? group
                       : std::make_shared<sequence_checks>(publishers_ + flow_->publishers, false);
        s.is_closed_loop = !flow_->rate && flow_->arrivals.kind != arrival_kind::burst;
        s.is_responder = is_responder;
        w->actors.push_back(std::make_unique<subscriber>(*w, options(is_responder ? "r" : "s", client), std::move(s),
                                                         std::move(shared)));
    }

    void add_publisher(std::size_t i, std::size_t index, std::string topic, std::string response_topic,
                       std::size_t copies, std::shared_ptr<flow> shared) {
        const std::size_t client = plan_.clients++;
        worker* const w = worker_of(i);
        if (w == nullptr) return;
        const flow_settings& f = *flow_;
        publisher_settings p;
        p.number = static_cast<std::uint32_t>(publishers_ + index);
        p.run = plan_.run;
        p.topic = std::move(topic);
        p.response_topic = std::move(response_topic);
        p.qos = f.qos;
        p.size_min = f.size_min;
        p.size_max = f.size_max;
        if (f.rate || f.arrivals.kind == arrival_kind::burst) {
            p.open = schedule(f.rate.value_or(rate_profile(1)), f.arrivals, index, f.publishers, settings_.seed);
        }
        if (f.count != 0) p.count = share(f.count, index, f.publishers);
        p.outstanding_max = f.outstanding_max;
        p.copies = static_cast<std::uint32_t>(copies);
        p.seed = settings_.seed + p.number;
        auto made = std::make_unique<publisher>(*w, options("p", client), std::move(p), shared);
        shared->wakers.push_back([w, raw = made.get()] { boost::asio::post(w->io(), [raw] { raw->wake(); }); });
        w->actors.push_back(std::move(made));
    }

    // Credit is shared memory: where other agents have some of the subscribers, acknowledgements alone are the window.
    std::shared_ptr<flow> make_flow(std::uint64_t credit, std::size_t subscribers, bool is_shared) {
        if (plan_.share.count > 1 && crosses_agents(flow_->scenario)) subscribers = 0;
        plan_.flows.push_back(std::make_shared<flow>(credit, subscribers, is_shared));
        return plan_.flows.back();
    }

    static std::uint64_t share(std::uint64_t of, std::size_t index, std::size_t parts) {
        return of / parts + (index < of % parts ? 1 : 0);
    }

    // Dealt out over the agents first, over their threads then. Null: another agent's.
    worker* worker_of(std::size_t i) {
        if (i % plan_.share.count != plan_.share.index) return nullptr;
        return workers_[i / plan_.share.count % workers_.size()].get();
    }

    client_options options(const char* role, std::size_t number, bool gives_up = false) {
        client_options o = to_client_options(settings_.connection);
        if (!plan_.urls.empty()) o.urls = {plan_.urls[number % plan_.urls.size()]};
        const std::string prefix = settings_.connection.id_prefix.value_or("bench-");
        o.client_id = prefix + std::to_string(plan_.run) + '-' + role + std::to_string(number);
        o.reconnect.before_first_connect = false;
        o.reconnect.enabled = !gives_up;
        o.reconnect.delay_min = std::chrono::milliseconds(100);
        o.reconnect.delay_max = std::chrono::milliseconds(1'000);
        o.queue.count_max = queue_max;
        o.inflight_max = settings_.connection.inflight_max.value_or(receive_maximum);
        if (!settings_.connection.properties.receive_maximum) o.receive_maximum = receive_maximum;
        if (!plan_.source_addresses.empty()) {
            o.bind_address = plan_.source_addresses[number % plan_.source_addresses.size()];
        }
        return o;
    }

    const run_settings& settings_;
    run_plan& plan_;
    std::vector<std::unique_ptr<worker>>& workers_;
    const flow_settings* flow_ = nullptr;
    std::string base_;
    std::size_t publishers_ = 0;  // of the flows before
};

}  // namespace

void build_actors(const run_settings& settings, run_plan& plan, std::vector<std::unique_ptr<worker>>& workers) {
    std::string pattern(greatest_size(settings), '\0');
    fill_payload(pattern, plan.run);
    plan.pattern = std::make_shared<const std::string>(std::move(pattern));

    builder b(settings, plan, workers);
    for (std::size_t i = 0; i < settings.flows.size(); ++i)
        b.add(with_defaults(settings.flows[i]), i);
}

std::size_t count_clients(const run_settings& settings, const run_plan& plan) {
    const auto ours = [&](std::size_t all) {
        return all / plan.share.count + (plan.share.index < all % plan.share.count ? 1 : 0);
    };
    std::size_t sum = 0;
    for (const flow_settings& one : settings.flows) {
        const flow_settings f = with_defaults(one);
        sum += ours(f.publishers) + ours(f.subscribers);
        if (f.scenario == scenario::rr) sum += ours(f.publishers);
    }
    return sum;
}

std::size_t count_clients(const run_settings& settings) { return count_clients(settings, run_plan{}); }

double offered_messages(const run_settings& settings) {
    double sum = 0;
    for (const flow_settings& one : settings.flows) {
        const flow_settings flow = with_defaults(one);
        if (!flow.rate || flow.publishers == 0) continue;
        const nanoseconds until = settings.warm_up + settings.duration;
        sum += flow.rate->messages_within(until) - flow.rate->messages_within(settings.warm_up);
    }
    return sum;
}

bool crosses_agents(scenario s) noexcept {
    return s == scenario::fan_in || s == scenario::fan_out || s == scenario::mesh || s == scenario::shared;
}

}  // namespace martlet::cli::bench
