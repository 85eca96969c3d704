// Rights at each place where a message could slip through: publishing, subscribing, delivery, retained messages, wills,
// queues, and after the rights have changed.
#include "unit/broker/wire.hpp"

#include <martlet/authenticator.hpp>

#include <set>

using namespace martlet;
using namespace martlet::broker_test;

namespace {

using list = std::vector<std::string>;

/// Everything is allowed but what is in the lists: "user topic".
class rules final : public authenticator {
public:
    void authenticate(const authentication_request&, authentication_handler done) override { done({}); }
    bool may_publish(const client_info& c, std::string_view topic) override { return !has(no_publish, c, topic); }
    bool may_subscribe(const client_info& c, std::string_view filter) override { return !has(no_subscribe, c, filter); }
    bool may_receive(const client_info& c, std::string_view topic) override {
        ++receive_questions;
        return !has(no_receive, c, topic);
    }
    bool may_stay(const client_info& c) override { return !gone.contains(std::string(c.user_name)); }
    std::uint64_t rights_generation() const noexcept override { return generation; }

    std::set<std::string> no_publish, no_subscribe, no_receive, gone;
    std::uint64_t generation = 1;
    int receive_questions = 0;

private:
    static bool has(const std::set<std::string>& in, const client_info& c, std::string_view what) {
        return in.contains(std::string(c.user_name) + " " + std::string(what));
    }
};

struct guarded_world {
    guarded_world() : rights(std::make_shared<rules>()), w(options_with(rights)) {}
    static broker_options options_with(const std::shared_ptr<rules>& rights) {
        broker_options options;
        options.authenticator = rights;
        return options;
    }
    std::shared_ptr<rules> rights;
    world w;
};

packets::connect as(std::string_view user, bool clean = true) {
    packets::connect c;
    c.user_name = user;
    c.clean_start = clean;
    c.properties.session_expiry_interval = 1'000;
    return c;
}

}  // namespace

TEST_CASE("rights: what may not be received is left out, at every QoS, and costs one question per topic") {
    guarded_world g;
    g.rights->no_receive = {"joe secret"};
    wire_client joe(g.w, protocol_version::v5), ann(g.w, protocol_version::v5);
    joe.connect("1", as("joe"));
    ann.connect("2", as("ann"));
    joe.subscribe("#", qos::exactly_once);
    ann.subscribe("#", qos::exactly_once);

    wire_client from(g.w, protocol_version::v5);
    from.connect("3", as("pub"));
    for (int i = 0; i < 10; ++i)
        from.publish("secret", "s");
    from.publish("open", "o");
    from.publish("secret", "s1", qos::at_least_once);

    CHECK(joe.payloads() == list{"o"});
    CHECK(ann.payloads().size() == 12);
    CHECK(g.rights->receive_questions == 4);
}

TEST_CASE("rights: a shared subscription chooses only who may receive") {
    guarded_world g;
    g.rights->no_receive = {"joe secret"};
    wire_client joe(g.w, protocol_version::v5), ann(g.w, protocol_version::v5), from(g.w, protocol_version::v5);
    joe.connect("1", as("joe"));
    ann.connect("2", as("ann"));
    from.connect("3", as("pub"));
    joe.subscribe("$share/g/#");
    from.publish("secret", "x");  // nobody else
    ann.subscribe("$share/g/#");
    for (int i = 0; i < 4; ++i)
        from.publish("secret", std::to_string(i));

    CHECK(joe.payloads().empty());
    CHECK(ann.payloads() == list{"0", "1", "2", "3"});
}

TEST_CASE(
    "rights: retained messages that may not be received are not sent, and what may not be published is not kept") {
    guarded_world g;
    g.rights->no_receive = {"joe a"};
    g.rights->no_publish = {"pub c"};
    wire_client from(g.w, protocol_version::v5), joe(g.w, protocol_version::v5);
    from.connect("3", as("pub"));
    from.publish("a", "a", qos::at_most_once, true);
    from.publish("b", "b", qos::at_most_once, true);
    from.publish("c", "c", qos::at_least_once, true);
    CHECK(from.get<packets::puback>().reason == reason_code::not_authorized);
    joe.connect("1", as("joe"));
    joe.subscribe("#");

    CHECK(joe.payloads() == list{"b"});
    CHECK(g.w.engine.count().retained == 2);
}

TEST_CASE("rights: a change takes effect on open connections") {
    guarded_world g;
    wire_client joe(g.w, protocol_version::v5), from(g.w, protocol_version::v5);
    joe.connect("1", as("joe"));
    from.connect("3", as("pub"));
    joe.subscribe("a");
    joe.subscribe("b");
    joe.subscribe("c");
    for (const char* topic : {"a", "b", "c"})
        from.publish(topic, topic);
    CHECK(joe.payloads() == list{"a", "b", "c"});

    g.rights->no_receive = {"joe a"};
    g.rights->no_subscribe = {"joe b"};
    g.rights->no_publish = {"pub c"};
    ++g.rights->generation;
    for (const char* topic : {"a", "b", "c"})
        from.publish(topic, topic);
    CHECK(joe.payloads().empty());
    CHECK(g.w.engine.count().subscriptions == 2);
}

TEST_CASE("rights: who may not stay is told Not authorized, others are left alone") {
    guarded_world g;
    wire_client joe(g.w, protocol_version::v5), ann(g.w, protocol_version::v5);
    joe.connect("1", as("joe"));
    ann.connect("2", as("ann"));
    g.rights->gone = {"joe"};
    ++g.rights->generation;
    g.w.engine.on_deadline(g.w.now);
    g.w.flush();

    CHECK(joe.get<packets::disconnect>().reason == reason_code::not_authorized);
    CHECK(joe.closed);
    CHECK_FALSE(ann.closed);
}

TEST_CASE("rights: what waited in a session is checked when it is resumed, subscriptions included") {
    guarded_world g;
    wire_client from(g.w, protocol_version::v5);
    from.connect("3", as("pub"));
    {
        wire_client joe(g.w, protocol_version::v5);
        joe.connect("1", as("joe"));
        joe.subscribe("a", qos::at_least_once);
        joe.subscribe("b", qos::at_least_once);
    }
    from.publish("a", "a1", qos::at_least_once);
    from.publish("b", "b1", qos::at_least_once);
    g.rights->no_receive = {"joe a"};
    g.rights->no_subscribe = {"joe a"};
    ++g.rights->generation;
    from.publish("a", "a2", qos::at_least_once);

    wire_client joe(g.w, protocol_version::v5);
    CHECK(joe.connect("1", as("joe", false)).session_present);
    CHECK(joe.payloads() == list{"b1"});
    CHECK(g.w.engine.count().subscriptions == 1);
}

TEST_CASE("rights: a will is checked when it is published, not only when it is announced") {
    guarded_world g;
    wire_client listener(g.w, protocol_version::v5);
    listener.connect("l", as("l"));
    listener.subscribe("#");
    auto c = as("joe");
    c.will = will{};
    c.will->topic = "w";
    c.will->payload = "gone";
    {
        wire_client joe(g.w, protocol_version::v5);
        joe.connect("1", c);
    }
    CHECK(listener.payloads() == list{"gone"});

    wire_client joe(g.w, protocol_version::v5);
    joe.connect("1", c);
    g.rights->no_publish = {"joe w"};
    ++g.rights->generation;
    joe.drop();
    CHECK(listener.payloads().empty());
}

TEST_CASE("rights: a session is not another user's, unless told so") {
    for (const bool bound : {true, false}) {
        auto rights = std::make_shared<rules>();
        rights->no_receive = {"ann s"};
        auto options = guarded_world::options_with(rights);
        options.sessions_belong_to_users = bound;
        world w(options);
        wire_client joe(w, protocol_version::v5), ann(w, protocol_version::v5), from(w, protocol_version::v5);
        joe.connect("1", as("joe"));
        joe.subscribe("s");
        from.connect("3", as("pub"));
        from.publish("s", "1");

        const auto answer = ann.connect("1", as("ann", false));
        if (bound) {
            CHECK(answer.reason == reason_code::client_identifier_not_valid);
            CHECK_FALSE(joe.closed);
            continue;
        }
        CHECK(answer.session_present);
        CHECK(joe.closed);
        from.publish("s", "2");  // the route of joe's days is forgotten
        CHECK(ann.payloads().empty());
    }
}
