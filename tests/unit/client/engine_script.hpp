// A client engine under test, and the script that plays its server: links are made of memory, time is a variable.
#pragma once

#include "client/client_engine.hpp"
#include "support/script.hpp"

#include <martlet/client_options.hpp>
#include <martlet/packets.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet::test {

class engine_script : public script {
public:
    explicit engine_script(client_options o = {}, protocol_version version = protocol_version::v5)
        : script(role::broker, version), options(prepared(std::move(o), version)), engine(options, 1) {
        now.steady += std::chrono::hours(1);
        now.wall = unix_time(std::chrono::hours(400'000));
        engine.set_time(now);
    }

    client_options options;
    detail::client_engine engine;
    instant now;

    std::vector<client_event> events;
    std::vector<detail::operation_outcome> outcomes;
    std::vector<detail::stream_state_ptr> woken;
    std::vector<endpoint> dialled;
    std::vector<detail::link_action> questions;  // for credentials and to the authenticator
    std::optional<error_code> finished;
    bool is_reading = true;
    bool is_linked = false;
    std::size_t closed_by_engine = 0;

    /// Everything that the last call has led to.
    void run() {
        detail::link_action action;
        while (engine.take_action(action))
            obey(action);
        if (is_linked) hear_output();
        client_event e;
        while (engine.take_event(e))
            events.push_back(e);
        std::vector<detail::operation_outcome> more;
        engine.take_outcomes(more);
        for (auto& one : more)
            outcomes.push_back(std::move(one));
        std::vector<detail::stream_state_ptr> news;
        engine.take_woken(news);
        woken.insert(woken.end(), news.begin(), news.end());
    }

    /// The link that was asked for is there.
    void dial_succeeds() {
        begin_link();
        is_linked = engine.is_running();  // one that was stopped meanwhile wants no link any more
        is_reading = true;
        engine.on_dialed();
        run();
    }
    void dial_fails(error_code error = boost::system::errc::make_error_code(boost::system::errc::connection_refused)) {
        engine.on_dial_failed(error, "connecting to nowhere");
        run();
    }

    /// Starts, connects, and answers with `answer`.
    void open(const packets::connack& answer = {}) {
        if (!engine.is_running()) start();
        dial_succeeds();
        (void)take<packets::connect>();
        send(answer);
    }
    void start() {
        const auto error = engine.start();
        if (error) finished = error;
        run();
    }

    /// The link breaks.
    void lose(error_code error = {}) {
        is_linked = false;
        engine.on_link_closed(error);
        engine.release_link();
        run();
    }
    /// Time passes, straight to the next deadline if that is earlier.
    void advance(std::chrono::microseconds by) {
        const auto until = now.steady + by;
        while (engine.next_deadline() <= until) {
            now.wall += std::chrono::duration_cast<std::chrono::milliseconds>(engine.next_deadline() - now.steady);
            now.steady = std::max(now.steady, engine.next_deadline());
            engine.set_time(now);
            engine.on_deadline();
            run();
        }
        now.wall += std::chrono::duration_cast<std::chrono::milliseconds>(until - now.steady);
        now.steady = until;
        engine.set_time(now);
    }

    [[nodiscard]] detail::stream_state_ptr make_stream(std::vector<subscription_request> filters,
                                                       inbox_limits limits = {}) {
        auto stream = std::make_shared<detail::stream_state>(limits);
        stream->filters.reserve(filters.size());
        for (auto& one : filters) {
            stream->filters.emplace_back(one.filter);
            one.filter = stream->filters.back();
            stream->requests.push_back(one);
        }
        return stream;
    }
    /// Asks for a subscription and, if connected, grants what was asked for.
    detail::stream_state_ptr subscribe(std::string_view filter, core::token who = 1, inbox_limits limits = {}) {
        auto stream = make_stream({{filter, qos::exactly_once}}, limits);
        const auto error = engine.subscribe(stream, who);
        if (error) outcomes.push_back({who, error, {}, {}});
        run();
        if (engine.is_open()) grant();
        return stream;
    }
    /// Answers the SUBSCRIBE that was heard.
    void grant(reason_code reason = reason_code::granted_qos_2) {
        const auto packet = take<packets::subscribe>();
        send(packets::suback{packet.id, std::vector<reason_code>(packet.subscriptions.size(), reason), {}});
    }
    error_code publish(std::string_view topic, std::string_view payload, qos q, core::token who) {
        bool is_done = false;
        core::outgoing what;
        what.message = core::outgoing_message::create(topic, payload, q, false);
        what.qos = q;
        what.who = who;
        const auto error = engine.publish(std::move(what), is_done);
        if (is_done) outcomes.push_back({who, {}, {}, {}});
        run();
        return error;
    }
    void send_message(std::string_view topic, std::string_view payload, qos q = qos::at_most_once, int id = 0,
                      std::vector<std::uint32_t> identifiers = {}) {
        packets::publish p;
        p.topic = topic;
        p.payload = payload;
        p.qos = q;
        p.id = static_cast<packet_id>(id);
        p.subscription_identifiers = std::span<const std::uint32_t>(identifiers);
        send(p);
    }
    /// Takes the next message as the application would: what it had before is acknowledged. "" if there is none.
    std::string receive(detail::stream_state& stream) {
        engine.acknowledge_taken(&stream);
        std::string text;
        if (!stream.box.empty()) text = stream.box.take().text();
        engine.after_take(&stream);
        run();
        return text;
    }

    using script::count;
    [[nodiscard]] std::size_t count(client_event::kind_type kind) const {
        return static_cast<std::size_t>(
            std::count_if(events.begin(), events.end(), [&](const auto& e) { return e.kind == kind; }));
    }
    [[nodiscard]] const client_event* last(client_event::kind_type kind) const {
        for (auto at = events.rbegin(); at != events.rend(); ++at) {
            if (at->kind == kind) return &*at;
        }
        return nullptr;
    }
    [[nodiscard]] const detail::operation_outcome* outcome_of(core::token who) const {
        for (const auto& one : outcomes) {
            if (one.who == who) return &one;
        }
        return nullptr;
    }

private:
    static client_options prepared(client_options o, protocol_version version) {
        if (!o.version && version != protocol_version::v5) o.version = version;
        if (o.client_id.empty()) o.client_id = std::string("c");  // a literal makes g++ 12 warn of memcpy
        return o;
    }

    void hear_output() {
        auto& out = engine.out();
        while (!out.empty()) {
            std::string_view views[16];
            const auto n = out.gather(views);
            std::size_t size = 0;
            for (std::size_t i = 0; i < n; ++i) {
                hear(views[i]);
                size += views[i].size();
            }
            out.consume(size);
        }
    }

    void obey(const detail::link_action& action) {
        using kind = detail::link_action::kind_type;
        switch (action.kind) {
            case kind::ask_credentials:
            case kind::begin_authentication:
            case kind::go_on_authenticating: questions.push_back(action); break;
            case kind::dial: dialled.push_back(action.to); break;
            case kind::abandon:
                if (is_linked) hear_output();
                [[fallthrough]];
            case kind::cut:
                if (std::exchange(is_linked, false)) ++closed_by_engine;
                engine.release_link();
                break;
            case kind::close:
                hear_output();
                ++closed_by_engine;
                is_linked = false;
                engine.on_link_closed({});
                engine.release_link();
                break;
            case kind::resume: is_reading = true; break;
            case kind::finished: finished = action.error; break;
        }
    }

    void deliver(std::string_view bytes) override {
        if (!is_linked) return;
        engine.set_time(now);
        is_reading = engine.on_bytes(bytes);
        run();
    }
};

}  // namespace martlet::test
