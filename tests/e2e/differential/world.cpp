#include "e2e/differential/world.hpp"

#include "e2e/differential/cases.hpp"

#include <martlet/authenticator.hpp>
#include <martlet/blocking_client.hpp>
#include <martlet/broker.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <condition_variable>
#include <cstdlib>
#include <future>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

namespace martlet::test::differential {
namespace {

bool is_denied(std::string_view topic) { return topic.find("deny") != std::string_view::npos; }

std::string first_level(std::string_view topic) { return std::string(topic.substr(0, topic.find('/'))); }

class gatekeeper : public authenticator {
public:
    void authenticate(const authentication_request& request, authentication_handler done) override {
        authentication_answer answer;
        if (request.client.user_name.starts_with("rc")) {
            answer.reason =
                static_cast<reason_code>(std::atoi(std::string(request.client.user_name.substr(2)).c_str()));
        }
        done(std::move(answer));
    }
    bool may_publish(const client_info&, std::string_view topic) override { return !is_denied(topic); }
    bool may_subscribe(const client_info&, std::string_view filter) override {
        const std::lock_guard lock(mutex_);
        subscribed_.insert(first_level(filter));
        changed_.notify_all();
        return !is_denied(filter);
    }

    void wait_subscribed(const std::string& level) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return subscribed_.count(level) != 0; });
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::set<std::string> subscribed_;
};

std::string line_of(const message& m) {
    const message_properties p = m.properties();
    std::string line = escaped(m.topic()) + " q" + std::to_string(to_number(m.qos())) + (m.retain() ? " r " : "   ");
    line += m.payload().size() > 200 ? std::to_string(m.payload().size()) + " bytes" : '"' + escaped(m.text()) + '"';
    if (p.payload_format_indicator) line += " pf" + std::to_string(static_cast<int>(*p.payload_format_indicator));
    if (p.message_expiry_interval) line += " exp" + std::to_string(*p.message_expiry_interval);
    if (p.content_type) line += " ct=" + escaped(*p.content_type);
    if (p.response_topic) line += " rt=" + escaped(*p.response_topic);
    if (p.correlation_data) line += " cd=" + escaped(*p.correlation_data);
    for (const user_property& pair : p.user_properties)
        line += " up=" + escaped(pair.name) + ':' + escaped(pair.value);
    return line + '\n';
}

constexpr std::string_view last_topic = "settled";

}  // namespace

class world::impl {
public:
    impl() : keeper_(std::make_shared<gatekeeper>()), broker_(io_.get_executor(), make_options()) {
        url_ = "mqtt://127.0.0.1:" + std::to_string(broker_.listen("mqtt://127.0.0.1:0").value().port);
        thread_ = std::thread([this] { io_.run(); });
        publisher_.emplace(client_options{.urls = {url_}});
        recorder_.emplace(client_options{.urls = {url_}});
        stream_ = recorder_->subscribe("#", {.retain_as_published = true,
                                             .retain_handling = retain_handling::do_not_send,
                                             .inbox = {1'000'000, std::size_t{1} << 28}});
    }

    ~impl() {
        stream_ = {};
        recorder_.reset();
        publisher_.reset();
        io_.stop();
        thread_.join();
    }

    std::string port() const { return url_.substr(url_.rfind(':') + 1); }
    gatekeeper& keeper() { return *keeper_; }
    blocking_client& publisher() { return *publisher_; }

    void settle() {
        while (connections() > 2)
            std::this_thread::yield();
        publisher_->publish(last_topic, "", {.qos = qos::at_least_once});
        while (const auto m = stream_.receive()) {
            if (m->topic() == last_topic) return;
            record_[first_level(m->topic())] += line_of(*m);
        }
    }

    std::string published(const std::string& level) { return record_[level]; }

private:
    broker_options make_options() {
        broker_options options;
        options.authenticator = keeper_;
        return options;
    }

    std::size_t connections() {
        std::promise<std::size_t> answer;
        boost::asio::post(io_, [&] { answer.set_value(broker_.statistics().connections); });
        return answer.get_future().get();
    }

    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_ = boost::asio::make_work_guard(io_);
    std::shared_ptr<gatekeeper> keeper_;
    broker broker_;
    std::string url_;
    std::thread thread_;
    std::optional<blocking_client> publisher_;
    std::optional<blocking_client> recorder_;
    blocking_subscription stream_;
    std::map<std::string, std::string> record_;
};

world::world() : impl_(std::make_unique<impl>()) {}
world::~world() = default;
std::string world::port() const { return impl_->port(); }
void world::wait_subscribed(const std::string& level) { impl_->keeper().wait_subscribed(level); }
void world::settle() { impl_->settle(); }
std::string world::published(const std::string& level) { return impl_->published(level); }

void world::publish(std::string_view topic, std::string_view text, const publish_options& options) {
    impl_->publisher().publish(topic, text, options);
}

}  // namespace martlet::test::differential
