#include "conformance/client_script.hpp"

#include <algorithm>

namespace martlet::test {

client_script::client_script(client_options given, protocol_version version)
    : script(role::broker, version), options(std::move(given)), engine(options, 1) {
    now.steady = steady_time(std::chrono::seconds(1000));
    now.wall = unix_time(std::chrono::seconds(1'700'000'000));
    options.version = version;
}

error_code client_script::start() {
    engine.set_time(now);
    const error_code error = engine.start();
    run();
    return error;
}

void client_script::open(const packets::connack& answer) {
    if (!engine.is_running()) REQUIRE_FALSE(start());
    connect = take<packets::connect>();
    send(answer);
    REQUIRE(engine.is_open());
}

void client_script::reconnect() {
    engine.on_link_closed(errc::connection_closed);
    run();
    for (int i = 0; i != 100 && is_silent(); ++i)
        advance(std::chrono::minutes(1));
}

void client_script::advance(std::chrono::microseconds by) {
    const instant start = now;
    const steady_time end = now.steady + by;
    const auto set = [&](steady_time at) {
        now.steady = at;
        now.wall = start.wall + std::chrono::floor<std::chrono::milliseconds>(at - start.steady);
        engine.set_time(now);
    };
    while (engine.next_deadline() <= end) {
        set(std::max(now.steady, engine.next_deadline()));
        engine.on_deadline();
        run();
        if (!is_silent()) break;  // the script has something to say first
    }
    if (is_silent()) set(end);
}

void client_script::deliver(std::string_view bytes) {
    engine.set_time(now);
    (void)engine.on_bytes(bytes);
    run();
}

void client_script::run() {
    using kind = detail::link_action::kind_type;
    for (bool again = true; again;) {
        again = false;
        while (engine.has_output()) {
            std::string_view views[8];
            const std::size_t count = engine.out().gather(views);
            std::string bytes;
            for (std::size_t i = 0; i != count; ++i)
                bytes += views[i];
            engine.out().consume(bytes.size());
            hear(bytes);
        }
        for (detail::link_action action; engine.take_action(action);) {
            again = true;
            if (action.kind == kind::dial) {
                begin_link();
                engine.on_dialed();
            } else if (action.kind == kind::abandon || action.kind == kind::cut) {
                engine.release_link();
                closed();
            } else if (action.kind == kind::close) {
                closed();
                engine.on_link_closed({});
            } else if (action.kind == kind::finished) {
                closed();
            }
        }
    }
}

detail::stream_state_ptr client_script::make_stream(std::initializer_list<subscription_request> filters) {
    auto stream = std::make_shared<detail::stream_state>(inbox_limits{});
    stream->filters.reserve(filters.size());
    for (const auto& wanted : filters) {
        stream->filters.emplace_back(wanted.filter);
        stream->requests.push_back(wanted);
        stream->requests.back().filter = stream->filters.back();
    }
    return stream;
}

detail::stream_state_ptr client_script::subscribe(std::string_view filter, qos q) {
    auto stream = make_stream({{.filter = filter, .qos = q}});
    engine.set_time(now);
    REQUIRE_FALSE(engine.subscribe(stream, 1));
    run();
    const auto packet = take<packets::subscribe>();
    CHECK(packet.subscriptions.at(0).filter == filter);
    send(packets::suback{packet.id, {reason_code{to_number(q)}}, {}});
    return stream;
}

error_code client_script::refusal(std::initializer_list<subscription_request> filters) {
    const auto error = engine.subscribe(make_stream(filters), 1);
    run();
    return error;
}

}  // namespace martlet::test
