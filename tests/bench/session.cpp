// What one connection's core costs per message, without a network: receiving at QoS 0, sending, and whole exchanges of
// QoS 1 and 2 between a client's and a broker's end.
#include "bench/allocations.hpp"

#include <martlet/core/connection.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <cstdlib>
#include <string>

namespace {

using namespace martlet;

constexpr std::size_t read_size = 60 * 1024;
constexpr std::string_view topic = "pump/7/t";  // with 64 bytes of payload: 76 bytes in 3.1.1
const std::string payload(64, 'x');

// Both ends of an open connection; bytes go from output to input as they lie there.
class link {
public:
    explicit link(protocol_version version) : version_(version) {
        packets::connect packet;
        packet.version = version;
        client.connect(packet, client_session_);
        exchange();
        if (!client.is_open()) std::abort();
    }

    void exchange() {
        while (move(client, broker) || move(broker, client)) {}
    }

    // Gives `bytes` to `to` and takes all events; returns how many messages.
    std::size_t receive(core::connection& to, std::string_view bytes) {
        std::size_t messages = 0;
        to.receive(bytes);
        while (to.next_event(event_)) {
            if (event_.kind == core::event_kind::message_received) {
                ++messages;
                benchmark::DoNotOptimize(event_);
                if (event_.number != 0) to.acknowledge(event_.number);
            } else if (event_.kind == core::event_kind::connect_received) {
                to.accept(broker_session_, {});
            }
        }
        to.keep_rest();
        return messages;
    }

    [[nodiscard]] protocol_version version() const noexcept { return version_; }

private:
    bool move(core::connection& from, core::connection& to) {
        std::array<std::string_view, 4> views;
        const std::size_t count = from.out().gather(views);
        std::size_t size = 0;
        for (std::size_t i = 0; i != count; ++i) {
            receive(to, views[i]);
            size += views[i].size();
        }
        from.out().consume(size);
        return size != 0;
    }

    protocol_version version_;
    instant now_;
    core::buffer_pool pool_;
    core::changes journal_;
    core::session client_session_{journal_, core::session_key{1}};
    core::session broker_session_{journal_, core::session_key{2}};
    core::event event_;

public:
    core::connection client{role::client, {}, pool_, now_};
    core::connection broker{role::broker, {}, pool_, now_};
};

protocol_version version_of(const benchmark::State& state) { return static_cast<protocol_version>(state.range(0)); }

std::string one_packet(protocol_version version) {
    packets::publish p;
    p.topic = topic;
    p.payload = payload;
    std::string bytes(core::encoded_size(p, version), '\0');
    core::encode(p, version, bytes.data());
    return bytes;
}

void receive_qos_0(benchmark::State& state) {
    link both(version_of(state));
    const std::string packet = one_packet(both.version());
    std::string bytes;
    while (bytes.size() + packet.size() <= read_size)
        bytes += packet;
    const std::size_t count = bytes.size() / packet.size();
    bench::measured measured(state);
    for (auto _ : state) {
        if (both.receive(both.broker, bytes) != count) std::abort();
    }
    measured.per_message(count);
}

// `send` per message; the output is emptied whenever a write would.
template <class Send>
void fill_output(benchmark::State& state, link& both, const Send& send) {
    constexpr std::size_t count = 800;
    core::output& out = both.broker.out();
    bench::measured measured(state);
    for (auto _ : state) {
        for (std::size_t i = 0; i != count; ++i)
            send();
        benchmark::DoNotOptimize(out.size());
        out.consume(out.size());
    }
    measured.per_message(count);
}

void forward(benchmark::State& state) {
    link both(version_of(state));
    const std::string packet = one_packet(both.version());
    fill_output(state, both, [&] { both.broker.forward(packet); });
}

void send_qos_0(benchmark::State& state) {
    link both(version_of(state));
    fill_output(state, both, [&] { both.broker.send_qos_0(topic, payload, false); });
}

// A message object shared by all receivers, as the broker sends what it cannot forward.
void send_shared(benchmark::State& state) {
    link both(version_of(state));
    const auto message = core::outgoing_message::create(topic, payload, qos::at_most_once, false);
    fill_output(state, both, [&] {
        if (both.broker.send({message, {}, 0, qos::at_most_once, false}) != core::send_result::sent) std::abort();
    });
}

// Windows of 100 messages from the client to the broker, acknowledged at once: both ends' work in all.
void exchange(benchmark::State& state, qos q) {
    constexpr std::size_t window = 100;
    link both(version_of(state));
    const auto message = core::outgoing_message::create(topic, payload, q, false);
    const auto round = [&] {
        for (std::size_t i = 0; i != window; ++i) {
            if (both.client.send({message, {}, 1, q, false}) != core::send_result::sent) std::abort();
        }
        both.exchange();
    };
    round();  // whatever grows has grown
    bench::measured measured(state);
    for (auto _ : state)
        round();
    measured.per_message(window);
}

void versions(benchmark::internal::Benchmark* all) { all->ArgName("version")->Arg(4)->Arg(5); }

BENCHMARK(receive_qos_0)->Apply(versions);
BENCHMARK(forward)->Apply(versions);
BENCHMARK(send_qos_0)->Apply(versions);
BENCHMARK(send_shared)->Apply(versions);
BENCHMARK_CAPTURE(exchange, qos_1, qos::at_least_once)->Apply(versions);
BENCHMARK_CAPTURE(exchange, qos_2, qos::exactly_once)->Apply(versions);

}  // namespace

BENCHMARK_MAIN();
