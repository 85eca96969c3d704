// Encoding and decoding PUBLISH, beside what cannot be avoided: walking the fixed headers of the same bytes, and copying
// 76 bytes a message. The last lines say how many times as long ours takes.
#include "bench/allocations.hpp"

#include <martlet/core/codec.hpp>

#include <benchmark/benchmark.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>

namespace {

using namespace martlet;

constexpr std::size_t buffer_size = 60 * 1024;  // what one read brings at most

constexpr std::array<user_property, 1> pairs{{{"unit", "kelvin"}}};

packets::publish message(std::string_view payload, bool with_properties) {
    packets::publish p;
    p.topic = "pump/7/t";  // with 64 bytes of payload: 76 bytes in 3.1.1
    p.payload = payload;
    if (with_properties) {
        p.properties.message_expiry_interval = 3600;
        p.properties.content_type = "text/plain";
        p.properties.user_properties = pairs;
    }
    return p;
}

// As many whole packets as fit into one buffer.
struct stream {
    std::string bytes;
    std::size_t count = 0;

    stream(const packets::publish& p, protocol_version version) {
        std::string one(core::encoded_size(p, version), '\0');
        core::encode(p, version, one.data());
        for (; bytes.size() + one.size() <= buffer_size; ++count)
            bytes += one;
    }
};

struct arguments {
    std::string payload;
    protocol_version version;
    packets::publish publish;

    explicit arguments(const benchmark::State& state)
        : payload(static_cast<std::size_t>(state.range(0)), 'x'),
          version(static_cast<protocol_version>(state.range(1))),
          publish(message(payload, state.range(2) != 0)) {}
};

// The floor of decoding: type and length of each packet, nothing else.
void walk(benchmark::State& state) {
    const arguments given(state);
    const stream in(given.publish, given.version);
    bench::measured measured(state);
    for (auto _ : state) {
        const char* at = in.bytes.data();
        const char* const end = at + in.bytes.size();
        unsigned types = 0;
        while (at < end) {
            types += static_cast<unsigned>(static_cast<unsigned char>(*at++)) >> 4U;
            std::size_t length = 0;
            for (unsigned shift = 0;; shift += 7) {
                const auto byte = static_cast<unsigned char>(*at++);
                length |= static_cast<std::size_t>(byte & 0x7FU) << shift;
                if (byte < 0x80) break;
            }
            at += length;
        }
        benchmark::DoNotOptimize(types);
    }
    measured.per_message(in.count);
}

void decode(benchmark::State& state) {
    const arguments given(state);
    const stream in(given.publish, given.version);
    packets::publish out;
    bench::measured measured(state);
    for (auto _ : state) {
        std::string_view rest = in.bytes;
        std::string_view known_topic;  // as a connection does: the previous packet's
        core::frame frame;
        fault why;
        std::size_t size = 0;
        while (core::cut_frame(rest, given.version, 1 << 20, frame, why, size) == core::frame_status::complete) {
            if (core::decode_publish(frame, given.version, role::broker, known_topic, out)) std::abort();
            benchmark::DoNotOptimize(out);
            known_topic = out.topic;
            rest.remove_prefix(frame.packet.size());
        }
    }
    measured.per_message(in.count);
}

// The floor of encoding: one copy of a 76-byte packet per message.
void copy(benchmark::State& state) {
    const std::string packet(76, 'x');
    std::string out(buffer_size, '\0');
    const std::size_t count = buffer_size / packet.size();
    bench::measured measured(state);
    for (auto _ : state) {
        char* at = out.data();
        for (std::size_t i = 0; i != count; ++i, at += packet.size())
            std::memcpy(at, packet.data(), packet.size());
        benchmark::ClobberMemory();
    }
    measured.per_message(count);
}

void encode(benchmark::State& state) {
    arguments given(state);
    std::string out(buffer_size, '\0');
    const std::size_t count = buffer_size / core::encoded_size(given.publish, given.version);
    bench::measured measured(state);
    for (auto _ : state) {
        char* at = out.data();
        char* const end = at + out.size();
        for (std::size_t i = 0; i != count; ++i) {
            benchmark::DoNotOptimize(given.publish);
            if (core::encoded_size(given.publish, given.version) > static_cast<std::size_t>(end - at)) std::abort();
            at = core::encode(given.publish, given.version, at);
        }
        benchmark::ClobberMemory();
    }
    measured.per_message(count);
}

void every_kind(benchmark::internal::Benchmark* all) {
    all->ArgNames({"payload", "version", "properties"});
    for (const int payload : {16, 64, 256, 1024}) {
        all->Args({payload, 4, 0});
        all->Args({payload, 5, 0});
        all->Args({payload, 5, 3});
    }
}

BENCHMARK(walk)->Apply(every_kind);
BENCHMARK(decode)->Apply(every_kind);
BENCHMARK(copy);
BENCHMARK(encode)->Apply(every_kind);

// Remembers the fastest run of each.
class comparing_reporter : public benchmark::ConsoleReporter {
public:
    void ReportRuns(const std::vector<Run>& runs) override {
        for (const Run& run : runs) {
            const auto found = run.counters.find("time/message");
            if (found == run.counters.end() || run.run_type == Run::RT_Aggregate) continue;
            const double ns = found->second.value * 1e9;
            const auto [at, is_new] = fastest_.emplace(run.run_name.str(), ns);
            if (!is_new) at->second = std::min(at->second, ns);
        }
        ConsoleReporter::ReportRuns(runs);
    }

    void compare(const std::string& ours, const std::string& floor, double limit) const {
        const auto a = fastest_.find(ours);
        const auto b = fastest_.find(floor);
        if (a == fastest_.end() || b == fastest_.end()) return;
        const double times = a->second / b->second;
        std::printf("%-40s %6.2f ns = %.1f times %s (%.2f ns); limit %.0f: %s\n", ours.c_str(), a->second, times,
                    floor.substr(0, floor.find('/')).c_str(), b->second, limit, times <= limit ? "held" : "MISSED");
    }

private:
    std::map<std::string, double> fastest_;
};

}  // namespace

int main(int argc, char** argv) {
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    comparing_reporter reporter;
    benchmark::RunSpecifiedBenchmarks(&reporter);
    for (const std::string kind : {"/payload:64/version:4/properties:0", "/payload:64/version:5/properties:0"}) {
        reporter.compare("decode" + kind, "walk" + kind, 8);
        reporter.compare("encode" + kind, "copy", 4);
    }
    return 0;
}
