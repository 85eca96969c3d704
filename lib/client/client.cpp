// The public client: what its templates call. Everything else is client_core.
#include "client/client_core.hpp"
#include "net/network_of.hpp"

#include <martlet/client.hpp>
#include <martlet/topic.hpp>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/system_executor.hpp>

#include <utility>

namespace martlet {

namespace detail {

// -- arguments, checked and copied in the initiating call

namespace {

constexpr std::size_t payload_size_max = 268'435'455;

}  // namespace

error_code check(const message_properties& p) noexcept {
    if (p.content_type && !is_valid_utf8_string(*p.content_type)) return errc::string_invalid;
    if (p.response_topic && !is_valid_topic_name(*p.response_topic)) return errc::property_invalid;
    if (p.correlation_data && p.correlation_data->size() > core::binary_size_max) return errc::property_invalid;
    for (const auto& one : p.user_properties) {
        if (!is_valid_utf8_string(one.name) || !is_valid_utf8_string(one.value)) return errc::string_invalid;
    }
    return {};
}

template <class T>
void request_deleter<T>::operator()(T* request) const noexcept {
    delete request;
}
template struct request_deleter<publish_request>;
template struct request_deleter<batch_request>;
template struct request_deleter<request_arguments>;
template struct request_deleter<subscribe_request>;
template struct request_deleter<unsubscribe_request>;

std::vector<owned_user_property> own(const user_property_list& views) {
    std::vector<owned_user_property> owned;
    for (const auto& one : views)
        owned.emplace_back(one.name, one.value);
    return owned;
}

namespace {

void fill(publish_request& request, client_core& core, std::string_view topic, payload&& bytes,
          const publish_options& options) {
    request.timeout = options.timeout;
    if (!is_valid_topic_name(topic))
        request.error = errc::topic_invalid;
    else if (bytes.size() > payload_size_max - topic.size())
        request.error = errc::packet_too_large;
    else
        request.error = check(options.properties);
    if (request.error) return;

    std::optional<unix_time> expires_at;
    if (const auto interval = options.properties.message_expiry_interval) {
        expires_at = core.wall_time() + std::chrono::seconds(*interval);
    }
    auto& what = request.what;
    what.qos = options.qos;
    what.retain = options.retain;
    std::shared_ptr<const void> owner;
    if (bytes.size() >= core::output::share_size_min) owner = std::move(bytes).share();
    // NOLINTNEXTLINE(bugprone-use-after-move): share() has moved the bytes to `owner`; bytes() views them there.
    what.message = owner ? core::outgoing_message::create_shared(topic, bytes.bytes(), std::move(owner), options.qos,
                                                                 options.retain, options.properties, expires_at)
                         : core::outgoing_message::create(topic, bytes.bytes(), options.qos, options.retain,
                                                          options.properties, expires_at);
}

}  // namespace

request_ptr<publish_request> make_request(client_core& core, std::string_view topic, payload&& bytes,
                                          const publish_options& options) {
    request_ptr<publish_request> request(new publish_request);
    fill(*request, core, topic, std::move(bytes), options);
    return request;
}

request_ptr<batch_request> make_request(client_core& core, std::span<const publication> messages,
                                        std::chrono::milliseconds timeout) {
    request_ptr<batch_request> request(new batch_request);
    request->timeout = timeout;
    request->items.resize(messages.size());
    for (std::size_t i = 0; i < messages.size(); ++i)
        fill(request->items[i], core, messages[i].topic, messages[i].payload, messages[i].options);
    return request;
}

request_ptr<request_arguments> make_request(client_core& core, std::string_view topic, payload&& bytes,
                                            const request_options& options) {
    request_ptr<request_arguments> arguments(new request_arguments);
    publish_request message;
    fill(message, core, topic, std::move(bytes), {.qos = options.qos, .properties = options.properties});
    arguments->timeout = options.timeout;
    arguments->error = message.error;
    if (!arguments->error && !options.reply_topic.empty() && !is_valid_topic_name(options.reply_topic)) {
        arguments->error = errc::topic_invalid;
    }
    arguments->state.what = std::move(message.what);
    arguments->state.reply_topic = options.reply_topic;
    return arguments;
}

request_ptr<subscribe_request> make_request(std::span<const subscription_request> filters,
                                            const subscribe_options& options) {
    request_ptr<subscribe_request> request(new subscribe_request);
    request->timeout = options.timeout;
    request->stream = std::make_shared<stream>(options.inbox);
    auto& s = *request->stream;
    s.manual_acknowledgement = options.manual_acknowledgement;
    s.user_properties = own(options.user_properties);
    s.identifier = options.subscription_identifier;
    s.filters.reserve(filters.size());
    for (const auto& one : filters) {
        s.filters.emplace_back(one.filter);
        s.requests.push_back(one);
        s.requests.back().filter = s.filters.back();  // `filters` does not grow any more
    }
    return request;
}

request_ptr<unsubscribe_request> make_request(std::span<const std::string_view> filters,
                                              const unsubscribe_options& options) {
    request_ptr<unsubscribe_request> request(new unsubscribe_request);
    request->timeout = options.timeout;
    request->filters.assign(filters.begin(), filters.end());
    request->properties = own(options.user_properties);
    return request;
}

// -- starting operations

namespace {

// Misuse: a subscription that was moved from has no client either, and so no executor but the handler's; only a loop
// that is always there can see to it that the handler is not called from here.
template <class Result>
void refuse(completion<void(error_code, Result)> handler, error_code why) {
    const asio::any_completion_executor fallback = asio::system_executor();
    const auto executor =
        asio::prefer(asio::get_associated_executor(handler, fallback), asio::execution::outstanding_work.tracked);
    asio::post(asio::system_executor(), [handler = std::move(handler), executor, why]() mutable {
        asio::dispatch(executor, [handler = std::move(handler), why]() mutable { std::move(handler)(why, Result()); });
    });
}

}  // namespace

void start_run(core_ptr core, completion<run_signature> handler) { core->run(std::move(handler)); }

const asio::any_io_executor& home_of(const client_core& core) noexcept { return core.executor(); }

void start_publish(core_ptr core, request_ptr<publish_request> request, bound_completion<publish_signature> handler) {
    core->publish(std::move(request), std::move(handler));
}

void start_publish_batch(core_ptr core, request_ptr<batch_request> request, completion<batch_signature> handler) {
    core->publish_batch(std::move(request), std::move(handler));
}

void start_request(core_ptr core, request_ptr<request_arguments> arguments, completion<receive_signature> handler) {
    core->request(std::move(arguments), std::move(handler));
}

void start_ping(core_ptr core, std::chrono::milliseconds timeout, completion<ping_signature> handler) {
    core->ping(timeout, std::move(handler));
}

void start_reauthenticate(core_ptr core, std::chrono::milliseconds timeout, completion<run_signature> handler) {
    core->reauthenticate(timeout, std::move(handler));
}

void start_subscribe(core_ptr core, request_ptr<subscribe_request> request, completion<subscribe_signature> handler) {
    core->subscribe(std::move(request), std::move(handler));
}

void start_unsubscribe(core_ptr core, request_ptr<unsubscribe_request> request,
                       completion<unsubscribe_signature> handler) {
    core->unsubscribe(std::move(request), std::move(handler));
}

void start_receive(core_ptr core, stream_ptr from, std::chrono::milliseconds timeout,
                   bound_completion<receive_signature> handler) {
    if (!core) return refuse<message>(std::move(handler.handler), errc::subscription_ended);
    core->receive(std::move(from), timeout, std::move(handler));
}

void start_receive_some(core_ptr core, stream_ptr from, std::span<message> into, std::chrono::milliseconds timeout,
                        bound_completion<receive_some_signature> handler) {
    if (!core) return refuse<std::size_t>(std::move(handler.handler), errc::subscription_ended);
    if (into.empty()) return refuse<std::size_t>(std::move(handler.handler), errc::option_invalid);
    core->receive_some(std::move(from), into, timeout, std::move(handler));
}

void start_next_event(core_ptr core, completion<event_signature> handler) { core->next_event(std::move(handler)); }

void start_disconnect(core_ptr core, const disconnect_options& options, std::string reason_string,
                      std::vector<owned_user_property> properties, completion<run_signature> handler) {
    core->disconnect(options, std::move(reason_string), std::move(properties), std::move(handler));
}

}  // namespace detail

// -- subscription

subscription::subscription() noexcept = default;

subscription::subscription(detail::core_ptr core, detail::stream_ptr stream) noexcept
    : core_(std::move(core)), stream_(std::move(stream)) {}

subscription::subscription(subscription&& other) noexcept = default;

subscription& subscription::operator=(subscription&& other) noexcept {
    if (this == &other) return *this;
    if (stream_) core_->close(stream_);
    core_ = std::move(other.core_);
    stream_ = std::move(other.stream_);
    return *this;
}

subscription::~subscription() {
    if (stream_) core_->close(stream_);
}

bool subscription::is_open() const noexcept {
    return stream_ && stream_->phase == detail::stream_state::phase_type::open;
}

const std::vector<reason_code>& subscription::granted() const noexcept {
    static const std::vector<reason_code> none;
    return stream_ ? stream_->granted : none;
}

const std::vector<std::string>& subscription::filters() const noexcept {
    static const std::vector<std::string> none;
    return stream_ ? stream_->filters : none;
}

std::size_t subscription::available() const noexcept { return stream_ ? stream_->box.size() : 0; }

bool subscription::try_receive(message& into) { return try_receive_some(std::span(&into, 1)) != 0; }

std::size_t subscription::try_receive_some(std::span<message> into) {
    return stream_ ? core_->try_receive(*stream_, into) : 0;
}

void subscription::acknowledge(const message& m, reason_code reason) {
    if (stream_) core_->acknowledge(*stream_, m, reason);
}

// -- client

client::client(executor_type executor, client_options options)
    : client([&] {
          auto network = net::network_of(std::move(executor));
          const auto seed = network->random_seed();
          return detail::make_client_core(std::move(network), std::move(options), seed);
      }()) {}

client::client(detail::core_ptr core) noexcept : core_(std::move(core)) {}

client& client::operator=(client&& other) noexcept {
    if (this == &other) return *this;
    if (core_) core_->shut_down();
    core_ = std::move(other.core_);
    return *this;
}

client::~client() {
    if (core_) core_->shut_down();
}

client::executor_type client::get_executor() const noexcept { return core_->executor(); }

error_code client::publish(std::string_view topic, payload bytes, const publish_options& options) {
    return core_->publish_now(topic, std::move(bytes), options);
}

error_code client::publish(std::string_view topic, payload bytes) {
    static const publish_options usual;
    return core_->publish_now(topic, std::move(bytes), usual);
}

void client::stop() { core_->stop(); }

void client::publish_enqueued() { core_->publish_enqueued(); }

client_statistics client::statistics() const { return core_->statistics(); }

std::optional<connection_info> client::connection() const { return core_->info(); }

}  // namespace martlet
