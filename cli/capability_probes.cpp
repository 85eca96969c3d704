#include "probes.hpp"

#include <martlet/blocking_client.hpp>

#include <boost/system/system_error.hpp>

#include <array>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace martlet::cli {
namespace {

using steady = std::chrono::steady_clock;

/// What came in the last CONNACK and DISCONNECT.
class witness : public packet_observer {
public:
    struct answer {
        bool session_present = false;
        std::string assigned_id;
        std::string text;
        bool has_retain = true, has_wildcards = true, has_shared = true, has_identifiers = true;
        int maximum_qos = 2;
        std::uint16_t topic_alias_maximum = 0;
    };

    void on_sent(const packet&, protocol_version, std::size_t) override {}
    void on_received(const packet& p, protocol_version, std::size_t) override {
        const std::lock_guard lock(mutex_);
        if (const auto* const c = std::get_if<packets::connack>(&p)) keep(*c);
        if (const auto* const d = std::get_if<packets::disconnect>(&p)) {
            disconnect_ = d->reason;
            changed_.notify_all();
        }
    }

    answer connack() const {
        const std::lock_guard lock(mutex_);
        return answer_;
    }
    std::optional<reason_code> wait_disconnect(std::chrono::milliseconds patience) {
        std::unique_lock lock(mutex_);
        changed_.wait_for(lock, patience, [&] { return disconnect_.has_value(); });
        return disconnect_;
    }

private:
    void keep(const packets::connack& c) {
        const auto& p = c.properties;
        answer_.session_present = c.session_present;
        answer_.assigned_id = p.assigned_client_identifier.value_or("");
        answer_.has_retain = p.retain_available.value_or(true);
        answer_.has_wildcards = p.wildcard_subscription_available.value_or(true);
        answer_.has_shared = p.shared_subscription_available.value_or(true);
        answer_.has_identifiers = p.subscription_identifier_available.value_or(true);
        answer_.maximum_qos = p.maximum_qos ? to_number(*p.maximum_qos) : 2;
        answer_.topic_alias_maximum = p.topic_alias_maximum.value_or(0);
        answer_.text = "receive maximum " + std::to_string(p.receive_maximum.value_or(65'535)) + ", packets of " +
                       (p.maximum_packet_size ? std::to_string(*p.maximum_packet_size) + " bytes" : "any size") + ", " +
                       std::to_string(answer_.topic_alias_maximum) + " topic aliases";
        if (p.server_keep_alive) answer_.text += ", keep-alive " + std::to_string(*p.server_keep_alive) + " s";
        if (p.session_expiry_interval)
            answer_.text += ", sessions " + std::to_string(*p.session_expiry_interval) + " s";
    }

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    answer answer_;
    std::optional<reason_code> disconnect_;
};

/// A client and what it was told.
struct peer {
    std::shared_ptr<witness> seen = std::make_shared<witness>();
    std::unique_ptr<blocking_client> client;

    [[nodiscard]] blocking_client* operator->() const noexcept { return client.get(); }
};

client_options options_for(const probe_context& c, protocol_version version = protocol_version::v5) {
    client_options options = to_client_options(c.connection);
    options.version = version;
    options.will.reset();
    options.reconnect.enabled = false;
    options.reconnect.before_first_connect = false;
    options.session = session_mode::fresh;
    options.session_expiry = std::chrono::seconds(0);
    options.connect_timeout = c.patience;
    options.client_id.clear();
    if (version == protocol_version::v3_1)
        options.client_id = "c" + c.topic.substr(c.topic.rfind('/') + 1).substr(0, 20);
    return options;
}

/// Throws why there is no connection.
peer open(client_options options, const probe_context& c) {
    if (options.version == protocol_version::v5 && !c.has_version_5) {
        throw boost::system::system_error(make_error_code(reason_code::unsupported_protocol_version));
    }
    peer p;
    options.observer = p.seen;
    p.client = std::make_unique<blocking_client>(std::move(options));
    if (!p->wait_connected(c.patience)) throw boost::system::system_error(make_error_code(errc::connect_timeout));
    return p;
}
peer open(const probe_context& c, protocol_version version = protocol_version::v5) {
    return open(options_for(c, version), c);
}

probe_result pass(std::string detail = {}) { return {probe_verdict::pass, std::move(detail)}; }
probe_result fail(std::string detail) { return {probe_verdict::fail, std::move(detail)}; }
probe_result unsupported(std::string detail) { return {probe_verdict::unsupported, std::move(detail)}; }

std::string milliseconds(steady::duration time) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.2f ms", std::chrono::duration<double, std::milli>(time).count());
    return text.data();
}

constexpr publish_options at_qos(qos level, bool retain = false) { return {.qos = level, .retain = retain}; }

// -- versions and limits

probe_result version(const probe_context& c, protocol_version v) {
    try {
        (void)open(c, v);
        return pass();
    } catch (const boost::system::system_error& e) {
        return unsupported(e.code().message());
    }
}
probe_result version_3_1(const probe_context& c) { return version(c, protocol_version::v3_1); }
probe_result version_3_1_1(const probe_context& c) { return version(c, protocol_version::v3_1_1); }
probe_result version_5(const probe_context& c) { return version(c, protocol_version::v5); }
probe_result limits(const probe_context& c) { return pass(open(c).seen->connack().text); }

probe_result assigned_id(const probe_context& c) {
    const std::string id = open(c).seen->connack().assigned_id;
    return id.empty() ? fail("no Assigned Client Identifier in CONNACK") : pass(id);
}

// -- messages

probe_result round_trip(const probe_context& c, qos level) {
    const peer p = open(c, protocol_version::v3_1_1);
    auto stream = p->subscribe(c.topic, {.qos = level});
    if (is_failure(stream.granted()[0])) return unsupported("SUBACK " + std::string(to_string(stream.granted()[0])));
    const auto granted = static_cast<int>(stream.granted()[0]);
    const auto begin = steady::now();
    p->publish(c.topic, "payload", at_qos(level));
    const auto m = stream.receive(c.patience);
    if (!m) return fail("the message did not come back");
    if (m->text() != "payload") return fail("the payload is another one");
    if (granted < to_number(level)) return unsupported("granted QoS " + std::to_string(granted) + " only");
    if (m->qos() != level) return fail("it came with QoS " + std::to_string(to_number(m->qos())));
    return pass(milliseconds(steady::now() - begin));
}
probe_result qos_0(const probe_context& c) { return round_trip(c, qos::at_most_once); }
probe_result qos_1(const probe_context& c) { return round_trip(c, qos::at_least_once); }
probe_result qos_2(const probe_context& c) { return round_trip(c, qos::exactly_once); }

probe_result order(const probe_context& c) {
    constexpr int count = 200;
    const peer p = open(c, protocol_version::v3_1_1);
    auto stream = p->subscribe(c.topic, {.qos = qos::at_least_once});
    for (int i = 0; i < count; ++i)
        p->publish(c.topic, std::to_string(i), at_qos(qos::at_least_once));
    for (int i = 0; i < count; ++i) {
        const auto m = stream.receive(c.patience);
        if (!m) return fail("message " + std::to_string(i) + " did not come");
        if (m->text() != std::to_string(i))
            return fail(std::string(m->text()) + " came where " + std::to_string(i) + " was due");
    }
    return pass(std::to_string(count) + " messages");
}

probe_result payload_of(const probe_context& c, std::size_t size) {
    const peer p = open(c, protocol_version::v3_1_1);
    auto stream = p->subscribe(c.topic, {.qos = qos::at_least_once, .inbox = {10, std::size_t{64} << 20}});
    const std::string bytes(size, 'x');
    try {
        p->publish(c.topic, bytes, {.qos = qos::at_least_once, .timeout = c.patience});
    } catch (const boost::system::system_error& e) {
        return unsupported(e.code().message());
    }
    const auto m = stream.receive(c.patience);
    if (!m) return fail("it was acknowledged, but did not come");
    return m->payload().size() == size ? pass()
                                       : fail("it came with " + std::to_string(m->payload().size()) + " bytes");
}
probe_result payload_1m(const probe_context& c) { return payload_of(c, 1'000'000); }
probe_result payload_10m(const probe_context& c) { return payload_of(c, 10'000'000); }

// -- retained messages

probe_result retain(const probe_context& c) {
    const peer p = open(c, protocol_version::v3_1_1);
    p->publish(c.topic, "kept", at_qos(qos::at_least_once, true));
    auto stream = p->subscribe(c.topic, {.qos = qos::at_least_once});
    auto m = stream.receive(c.patience);
    const bool has_live_copy = m && !m->retain();  // a broker may acknowledge first and pass on later
    if (has_live_copy) m = stream.receive(c.patience);
    p->publish(c.topic, {}, at_qos(qos::at_least_once, true));
    if (!m) return fail(has_live_copy ? "it came without the RETAIN flag" : "the retained message did not come");
    return m->retain() ? pass() : fail("it came without the RETAIN flag");
}

/// The first message of a new subscription to `filter` after a marker was published: what is not the marker was retained.
probe_result expect_marker_first(const peer& p, const probe_context& c, const subscribe_options& options,
                                 const char* complaint) {
    auto stream = p->subscribe(c.topic, options);
    p->publish(c.topic, "marker", at_qos(qos::at_least_once));
    const auto m = stream.receive(c.patience);
    if (!m) return fail("no message came at all");
    return m->text() == "marker" ? pass() : fail(complaint);
}

probe_result retain_clear(const probe_context& c) {
    const peer p = open(c, protocol_version::v3_1_1);
    p->publish(c.topic, "kept", at_qos(qos::at_least_once, true));
    p->publish(c.topic, {}, at_qos(qos::at_least_once, true));
    return expect_marker_first(p, c, {.qos = qos::at_least_once}, "the deleted message came");
}

probe_result retain_handling_never(const probe_context& c) {
    const peer p = open(c);
    if (!p.seen->connack().has_retain) return unsupported("Retain Available is 0");
    p->publish(c.topic, "kept", at_qos(qos::at_least_once, true));
    const auto r =
        expect_marker_first(p, c, {.qos = qos::at_least_once, .retain_handling = retain_handling::do_not_send},
                            "the retained message came");
    p->publish(c.topic, {}, at_qos(qos::at_least_once, true));
    return r;
}

probe_result retain_as_published(const probe_context& c) {
    const peer p = open(c);
    if (!p.seen->connack().has_retain) return unsupported("Retain Available is 0");
    auto stream = p->subscribe(c.topic, {.qos = qos::at_least_once, .retain_as_published = true});
    p->publish(c.topic, "kept", at_qos(qos::at_least_once, true));
    const auto m = stream.receive(c.patience);
    p->publish(c.topic, {}, at_qos(qos::at_least_once, true));
    if (!m) return fail("the message did not come");
    return m->retain() ? pass() : fail("it came without the RETAIN flag");
}

// -- subscriptions

/// Whether a message on `topic` comes by `filter`; a marker by the same filter ends the waiting.
probe_result matches(const probe_context& c, const std::string& filter, const std::string& topic, bool expected) {
    const peer p = open(c, protocol_version::v3_1_1);
    auto stream = p->subscribe(filter, {.qos = qos::at_least_once});
    auto marker = p->subscribe(c.topic + "-marker", {.qos = qos::at_least_once});
    p->publish(topic, "x", at_qos(qos::at_least_once));
    p->publish(c.topic + "-marker", "x", at_qos(qos::at_least_once));
    if (!marker.receive(c.patience)) return fail("a message did not come");
    const bool came =
        stream.receive(std::chrono::milliseconds(expected ? c.patience : std::chrono::milliseconds(1))).has_value();
    if (came == expected) return pass();
    return fail("'" + topic + "' " + (came ? "came" : "did not come") + " by '" + filter + "'");
}
probe_result wildcard_plus(const probe_context& c) { return matches(c, c.topic + "/+/c", c.topic + "/b/c", true); }
probe_result wildcard_plus_level(const probe_context& c) { return matches(c, c.topic + "/+", c.topic + "/b/c", false); }
probe_result wildcard_hash(const probe_context& c) { return matches(c, c.topic + "/#", c.topic + "/b/c/d", true); }
probe_result wildcard_parent(const probe_context& c) { return matches(c, c.topic + "/#", c.topic, true); }
probe_result empty_level(const probe_context& c) { return matches(c, c.topic + "/+/x", c.topic + "//x", true); }

probe_result shared(const probe_context& c) {
    constexpr int count = 20;
    const peer a = open(c);
    const peer b = open(c);
    if (!a.seen->connack().has_shared) return unsupported("Shared Subscription Available is 0");
    const std::string filter = "$share/check/" + c.topic;
    auto first = a->subscribe(filter, {.qos = qos::at_least_once});
    auto second = b->subscribe(filter, {.qos = qos::at_least_once});
    for (int i = 0; i < count; ++i)
        a->publish(c.topic, "x", at_qos(qos::at_least_once));
    int left = 0;
    int right = 0;
    const auto deadline = steady::now() + c.patience;
    while (left + right < count && steady::now() < deadline) {
        if (first.receive(std::chrono::milliseconds(5))) ++left;
        if (second.receive(std::chrono::milliseconds(5))) ++right;
    }
    const std::string split = std::to_string(left) + " and " + std::to_string(right) + " of " + std::to_string(count);
    return left + right == count ? pass(split) : fail(split);
}

probe_result subscription_identifier(const probe_context& c) {
    const peer p = open(c);
    if (!p.seen->connack().has_identifiers) return unsupported("Subscription Identifiers Available is 0");
    auto stream = p->subscribe(c.topic, {.qos = qos::at_least_once, .subscription_identifier = 4'711});
    p->publish(c.topic, "x", at_qos(qos::at_least_once));
    const auto m = stream.receive(c.patience);
    if (!m) return fail("the message did not come");
    for (const std::uint32_t id : m->subscription_identifiers()) {
        if (id == 4'711) return pass();
    }
    return fail("it came without the identifier");
}

probe_result no_local(const probe_context& c) {
    const peer p = open(c);
    const peer other = open(c);
    auto stream = p->subscribe(c.topic, {.qos = qos::at_least_once, .no_local = true});
    p->publish(c.topic, "own", at_qos(qos::at_least_once));
    other->publish(c.topic, "other", at_qos(qos::at_least_once));
    const auto m = stream.receive(c.patience);
    if (!m) return fail("the other client's message did not come");
    return m->text() == "other" ? pass() : fail("its own message came");
}

// -- properties

probe_result properties(const probe_context& c) {
    const peer p = open(c);
    auto stream = p->subscribe(c.topic, {.qos = qos::at_least_once});
    const std::array<user_property, 3> pairs = {{{"b", "1"}, {"a", "2"}, {"b", "3"}}};
    publish_options options{.qos = qos::at_least_once};
    options.properties.content_type = "text/plain";
    options.properties.response_topic = "an/answer";
    options.properties.correlation_data = std::string_view("\x00\xff", 2);
    options.properties.payload_format_indicator = payload_format::utf8;
    options.properties.user_properties = pairs;
    p->publish(c.topic, "x", options);
    const auto m = stream.receive(c.patience);
    if (!m) return fail("the message did not come");
    const message_properties got = m->properties();
    if (got.content_type != options.properties.content_type) return fail("Content Type is not as it was sent");
    if (got.response_topic != options.properties.response_topic) return fail("Response Topic is not as it was sent");
    if (got.correlation_data != options.properties.correlation_data)
        return fail("Correlation Data is not as it was sent");
    if (got.payload_format_indicator != payload_format::utf8)
        return fail("Payload Format Indicator is not as it was sent");
    if (!(got.user_properties == options.properties.user_properties))
        return fail("User Properties are not in their order");
    return pass();
}

probe_result topic_alias(const probe_context& c) {
    const peer p = open(c);
    const std::uint16_t maximum = p.seen->connack().topic_alias_maximum;
    if (maximum == 0) return unsupported("Topic Alias Maximum is 0");
    auto stream = p->subscribe(c.topic, {.qos = qos::at_least_once});
    for (int i = 0; i < 3; ++i)
        p->publish(c.topic, std::to_string(i), at_qos(qos::at_least_once));
    for (int i = 0; i < 3; ++i) {
        const auto m = stream.receive(c.patience);
        if (!m) return fail("a message did not come");
        if (m->topic() != c.topic) return fail("a message came on '" + std::string(m->topic()) + "'");
    }
    return pass("up to " + std::to_string(maximum));
}

probe_result message_expiry(const probe_context& c) {
    const peer p = open(c);
    if (!p.seen->connack().has_retain) return unsupported("Retain Available is 0");
    publish_options options = at_qos(qos::at_least_once, true);
    options.properties.message_expiry_interval = 1;
    p->publish(c.topic, "old", options);
    std::this_thread::sleep_for(std::chrono::milliseconds(2'100));  // what is probed is the broker's clock
    const auto r = expect_marker_first(p, c, {.qos = qos::at_least_once}, "a message came after its time");
    p->publish(c.topic, {}, at_qos(qos::at_least_once, true));
    return r;
}

// -- sessions and wills

client_options with_will(const probe_context& c, protocol_version v,
                         std::chrono::seconds delay = std::chrono::seconds(0)) {
    client_options options = options_for(c, v);
    options.will = will_options{.topic = c.topic, .payload = "gone", .qos = qos::at_least_once, .delay = delay};
    if (delay.count() > 0) {
        options.client_id = c.topic.substr(c.topic.rfind('/') + 1);
        options.session_expiry = std::chrono::seconds(60);
    }
    return options;
}

probe_result will(const probe_context& c) {
    const peer watcher = open(c, protocol_version::v3_1_1);
    auto stream = watcher->subscribe(c.topic, {.qos = qos::at_least_once});
    (void)open(with_will(c, protocol_version::v3_1_1), c);  // and cut without DISCONNECT
    const auto m = stream.receive(c.patience);
    if (!m) return fail("the will did not come");
    return m->text() == "gone" ? pass() : fail("something else came");
}

probe_result will_deleted(const probe_context& c) {
    const peer watcher = open(c, protocol_version::v3_1_1);
    auto stream = watcher->subscribe(c.topic, {.qos = qos::at_least_once});
    open(with_will(c, protocol_version::v3_1_1), c)->disconnect();
    watcher->publish(c.topic, "marker", at_qos(qos::at_least_once));
    const auto m = stream.receive(c.patience);
    if (!m) return fail("no message came at all");
    return m->text() == "marker" ? pass() : fail("the will came after a DISCONNECT");
}

probe_result will_asked_for(const probe_context& c) {
    const peer watcher = open(c);
    auto stream = watcher->subscribe(c.topic, {.qos = qos::at_least_once});
    open(with_will(c, protocol_version::v5), c)->disconnect({.reason = reason_code::disconnect_with_will});
    return stream.receive(c.patience) ? pass() : fail("the will did not come after DISCONNECT 0x04");
}

probe_result will_delay(const probe_context& c) {
    const peer watcher = open(c);
    auto stream = watcher->subscribe(c.topic, {.qos = qos::at_least_once});
    (void)open(with_will(c, protocol_version::v5, std::chrono::seconds(1)), c);
    const auto cut = steady::now();
    if (!stream.receive(c.patience + std::chrono::seconds(2))) return fail("the will did not come");
    const auto late = steady::now() - cut;
    return late >= std::chrono::milliseconds(800) ? pass(milliseconds(late))
                                                  : fail("it came after " + milliseconds(late));
}

probe_result session(const probe_context& c) {
    client_options options = options_for(c, protocol_version::v3_1_1);
    options.client_id = c.topic.substr(c.topic.rfind('/') + 1);
    options.session = session_mode::resume;
    const peer other = open(c, protocol_version::v3_1_1);
    {
        const peer first = open(options, c);
        auto stream = first->subscribe(c.topic, {.qos = qos::at_least_once});
        if (is_failure(stream.granted()[0])) return unsupported("the subscription was refused");
        first->disconnect();
    }
    other->publish(c.topic, "waiting", at_qos(qos::at_least_once));
    const peer again = open(options, c);
    if (!again.seen->connack().session_present) return fail("Session Present is 0");
    auto stream = again->subscribe(c.topic, {.qos = qos::at_least_once});
    const auto m = stream.receive(c.patience);
    again->disconnect();
    options.session = session_mode::fresh;
    (void)open(options, c);  // nothing is left behind
    return m ? pass() : fail("the message that waited did not come");
}

probe_result session_expiry(const probe_context& c) {
    client_options options = options_for(c);
    options.client_id = c.topic.substr(c.topic.rfind('/') + 1);
    options.session = session_mode::resume;
    options.session_expiry = std::chrono::seconds(1);
    open(options, c)->disconnect();
    std::this_thread::sleep_for(std::chrono::milliseconds(2'500));  // what is probed is the broker's clock
    const peer again = open(options, c);
    return again.seen->connack().session_present ? fail("the session is there after its time") : pass();
}

probe_result takeover(const probe_context& c) {
    client_options options = options_for(c);
    options.client_id = c.topic.substr(c.topic.rfind('/') + 1);
    const peer first = open(options, c);
    const peer second = open(options, c);
    const auto reason = first.seen->wait_disconnect(c.patience);
    if (!reason) return fail("the first client got no DISCONNECT");
    return *reason == reason_code::session_taken_over ? pass() : fail("DISCONNECT " + std::string(to_string(*reason)));
}

constexpr auto capability_table = std::to_array<probe>({
    {"version-3.1", "", "takes MQTT 3.1", version_3_1},
    {"version-3.1.1", "", "takes MQTT 3.1.1", version_3_1_1},
    {"version-5", "", "takes MQTT 5.0", version_5},
    {"limits", "", "what CONNACK says", limits},
    {"assigned-id", "MQTT-3.2.2-16", "tells the identifier that it chose", assigned_id},
    {"qos-0", "", "a message and back at QoS 0", qos_0},
    {"qos-1", "MQTT-4.3.2-4", "a message and back at QoS 1", qos_1},
    {"qos-2", "MQTT-4.3.3-8", "a message and back at QoS 2", qos_2},
    {"order", "MQTT-4.6.0-6", "messages of a topic keep their order", order},
    {"payload-1m", "", "a payload of 1,000,000 bytes", payload_1m},
    {"payload-10m", "", "a payload of 10,000,000 bytes", payload_10m},
    {"retain", "MQTT-3.3.1-8", "a retained message comes with its flag", retain},
    {"retain-clear", "MQTT-3.3.1-6", "an empty payload deletes a retained message", retain_clear},
    {"retain-handling", "MQTT-3.3.1-11", "Retain Handling 2 holds retained messages back", retain_handling_never},
    {"retain-as-published", "MQTT-3.3.1-13", "Retain As Published keeps the flag", retain_as_published},
    {"wildcard-plus", "MQTT-4.7.1-2", "+ stands for one level", wildcard_plus},
    {"wildcard-plus-one", "MQTT-4.7.1-2", "+ stands for one level only", wildcard_plus_level},
    {"wildcard-hash", "MQTT-4.7.1-1", "# stands for all levels that follow", wildcard_hash},
    {"wildcard-parent", "MQTT-4.7.1-1", "a/# matches a, too", wildcard_parent},
    {"empty-level", "MQTT-4.7.3-1", "+ matches a level without characters", empty_level},
    {"shared", "MQTT-4.8.2-1", "shared subscriptions: each message to one of them", shared},
    {"subscription-id", "MQTT-3.3.4-3", "messages carry the Subscription Identifier", subscription_identifier},
    {"no-local", "MQTT-3.8.3-3", "No Local holds own messages back", no_local},
    {"properties", "MQTT-3.3.2-18", "properties of a message go on as they came", properties},
    {"topic-alias", "MQTT-3.3.2-12", "topic aliases from a client", topic_alias},
    {"message-expiry", "MQTT-3.3.2-5", "a message is gone after its expiry", message_expiry},
    {"will", "MQTT-3.1.2-8", "the will is published when the link is cut", will},
    {"will-deleted", "MQTT-3.14.4-3", "no will after DISCONNECT", will_deleted},
    {"will-asked-for", "", "the will after DISCONNECT 0x04", will_asked_for},
    {"will-delay", "MQTT-3.1.3-9", "the will waits for its delay", will_delay},
    {"session", "MQTT-3.1.2-5", "a session keeps messages that wait", session},
    {"session-expiry", "MQTT-3.1.2-23", "a session is gone after its expiry", session_expiry},
    {"takeover", "MQTT-3.1.4-3", "a second client takes over, the first is told", takeover},
});

}  // namespace

std::span<const probe> capability_probes() noexcept { return capability_table; }

}  // namespace martlet::cli
