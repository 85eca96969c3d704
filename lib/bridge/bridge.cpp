#include <martlet/bridge.hpp>
#include <martlet/client.hpp>
#include <martlet/topic.hpp>

#include <algorithm>
#include <list>
#include <optional>
#include <utility>

namespace martlet {

namespace {

constexpr std::string_view mark_name = "martlet-bridge";

bool is_valid(const bridge_rule& rule) {
    return !has_wildcard(rule.local_prefix) && !has_wildcard(rule.remote_prefix) &&
           !rule.filter.starts_with("$share/") && is_valid_topic_filter(rule.local_prefix + rule.filter) &&
           is_valid_topic_filter(rule.remote_prefix + rule.filter);
}

client_options end_options(client_options given, const std::string& name) {
    given.version = protocol_version::v5;  // for No Local and for the mark
    given.session = session_mode::resume;
    if (given.client_id.empty()) given.client_id = name;
    return given;
}

}  // namespace

class bridge::impl : public std::enable_shared_from_this<impl> {
public:
    impl(const boost::asio::any_io_executor& executor, bridge_options options)
        : options_(std::move(options)),
          local_(executor, end_options(options_.local, options_.name)),
          remote_(executor, end_options(options_.remote, options_.name)) {}

    error_code start(std::function<void(error_code)> failed) {
        if (is_running_) return errc::already_running;
        if (options_.rules.empty()) return errc::option_invalid;
        if (!std::all_of(options_.rules.begin(), options_.rules.end(), is_valid)) return errc::topic_filter_invalid;
        is_running_ = true;
        failed_ = std::move(failed);
        for (const bridge_rule& rule : options_.rules) {
            if (rule.direction != bridge_direction::in) begin(rule, end::local);
            if (rule.direction != bridge_direction::out) begin(rule, end::remote);
        }
        run(end::local);
        run(end::remote);
        return {};
    }

    void stop() {
        is_running_ = false;
        local_.stop();
        remote_.stop();
        lanes_.clear();
    }

    [[nodiscard]] bridge_statistics statistics() const noexcept { return counted_; }

private:
    enum class end : bool { local, remote };

    /// One filter in one direction.
    struct lane {
        end from;
        std::string from_prefix;
        std::string to_prefix;
        subscription messages;
    };
    using lane_ref = std::shared_ptr<lane>;

    client& at(end which) noexcept { return which == end::local ? local_ : remote_; }
    static end other(end which) noexcept { return which == end::local ? end::remote : end::local; }

    void run(end which) {
        at(which).async_run([self = shared_from_this(), which](error_code error) {
            self->connected(which) = false;
            if (!self->is_running_) return;
            self->tell(which, "gives up: " + error.message());
            self->stop();
            if (self->failed_) std::exchange(self->failed_, {})(error);
        });
        watch(which);
    }

    void watch(end which) {
        at(which).async_next_event([weak = weak_from_this(), which](error_code error, const client_event& event) {
            const auto self = weak.lock();
            if (error || self == nullptr || !self->is_running_) return;
            self->on_event(which, event);
            self->watch(which);
        });
    }

    void on_event(end which, const client_event& event) {
        using kind = client_event::kind_type;
        if (event.kind == kind::connected) {
            connected(which) = true;
            tell(which, "connected to " + event.url);
        } else if (event.kind == kind::lost || event.kind == kind::connect_failed) {
            connected(which) = false;
            tell(which, "not connected: " + event.cause.message());
        }
    }

    bool& connected(end which) noexcept {
        return which == end::local ? counted_.local_connected : counted_.remote_connected;
    }

    void begin(const bridge_rule& rule, end from) {
        auto made = std::make_shared<lane>();
        made->from = from;
        made->from_prefix = from == end::local ? rule.local_prefix : rule.remote_prefix;
        made->to_prefix = from == end::local ? rule.remote_prefix : rule.local_prefix;
        lanes_.push_back(made);
        subscribe_options how;
        how.qos = rule.qos;
        how.no_local = true;
        how.retain_as_published = true;
        how.manual_acknowledgement = true;
        at(from).async_subscribe(made->from_prefix + rule.filter, how,
                                 [weak = weak_from_this(), made](error_code error, subscription messages) {
                                     const auto self = weak.lock();
                                     if (self == nullptr || !self->is_running_) return;
                                     if (error) return self->tell(made->from, "subscribing: " + error.message());
                                     made->messages = std::move(messages);
                                     self->receive(made);
                                 });
    }

    // What is not acknowledged is bounded by the Receive Maximum of the receiving end.
    void receive(const lane_ref& on) {
        on->messages.async_receive([weak = weak_from_this(), on](error_code error, message m) {
            const auto self = weak.lock();
            if (error || self == nullptr || !self->is_running_) return;
            self->forward(on, std::move(m));
            self->receive(on);
        });
    }

    void forward(const lane_ref& on, message m) {
        if (!m.topic().starts_with(on->from_prefix)) return on->messages.acknowledge(m);
        const std::string topic = on->to_prefix + std::string(m.topic().substr(on->from_prefix.size()));

        std::vector<user_property> marks;
        for (const user_property& one : m.properties().user_properties) {
            if (one.name == mark_name && one.value == options_.name) {
                ++counted_.dropped_loops;
                return on->messages.acknowledge(m);
            }
            marks.push_back(one);
        }
        marks.push_back({mark_name, options_.name});

        publish_options how;
        how.qos = m.qos();
        how.retain = m.retain();
        how.properties = m.properties();
        how.properties.user_properties = marks;
        client& to = at(other(on->from));
        if (m.qos() == qos::at_most_once) {
            count(on->from, to.publish(topic, m.text(), how));
            return;
        }
        to.async_publish(
            topic, m.text(), how, [weak = weak_from_this(), on, m](error_code error, const publish_result& result) {
                const auto self = weak.lock();
                if (self == nullptr || !self->is_running_) return;  // not acknowledged: it comes again
                self->count(on->from, error);
                on->messages.acknowledge(m, is_failure(result.reason) ? result.reason : reason_code::success);
            });
    }

    void count(end from, error_code error) noexcept {
        if (error) {
            ++counted_.dropped_refused;
        } else {
            ++(from == end::local ? counted_.forwarded_out : counted_.forwarded_in);
        }
    }

    void tell(end which, const std::string& what) const {
        if (options_.log) options_.log((which == end::local ? "bridge, local: " : "bridge, remote: ") + what);
    }

    bridge_options options_;
    client local_;
    client remote_;
    std::list<lane_ref> lanes_;
    std::function<void(error_code)> failed_;
    bridge_statistics counted_;
    bool is_running_ = false;
};

bridge::bridge(boost::asio::any_io_executor executor, bridge_options options)
    : impl_(std::make_shared<impl>(executor, std::move(options))) {}

bridge::bridge(bridge&&) noexcept = default;

bridge& bridge::operator=(bridge&& other) noexcept {
    if (impl_ != nullptr && impl_ != other.impl_) impl_->stop();
    impl_ = std::move(other.impl_);
    return *this;
}

bridge::~bridge() {
    if (impl_ != nullptr) impl_->stop();
}

error_code bridge::start(std::function<void(error_code)> failed) { return impl_->start(std::move(failed)); }

void bridge::stop() { impl_->stop(); }

bridge_statistics bridge::statistics() const noexcept { return impl_->statistics(); }

}  // namespace martlet
