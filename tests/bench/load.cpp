// The neutral load generator: bare sockets, epoll, encoded packets, one thread. In a closed loop at most `credit` messages
// are published and not yet received by the slowest subscriber, so that nothing is lost for want of room, and each
// receiver checks the numbers of each publisher. In an open loop (--rate) messages have their times, and latency is
// measured from those.
//
//   martlet_bench_load --port N [--broker-pid N] [option]...
//     --pubs N --subs N | --mesh N   publishers and subscribers (1 and 1); or connections that are both
//     --size N  --qos N  --v5        payload bytes (64, at least 16), 0, MQTT 3.1.1
//     --topics N                     drawn at random among so many (1); the subscription is then bench/+
//     --seconds S  --warmup S        1.5 and 0.3
//     --credit N  --window N         20,000, and unacknowledged messages of a publisher at QoS 1 and 2: 1,000
//     --rate N                       open loop: messages a second in all
//     --tls  --websocket             TLS 1.3; each PUBLISH in a masked frame of its own
//     --ring BYTES                   of a publisher's packets, which it sends over and over (256 KiB)
//     --retain                       the messages are retained
//     --idle N  --subscriptions N    beside: connections that get nothing, subscriptions that match nothing
//
// Prints one line of JSON. CPU is that of the process --broker-pid, in microseconds per delivered message.
#include "bench/load_beside.hpp"
#include "bench/load_link.hpp"

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <sys/timerfd.h>
#include <vector>

namespace {

using namespace martlet::test;

struct settings {
    std::uint16_t port = 0;
    int broker_pid = 0;
    std::size_t pubs = 1;
    std::size_t subs = 1;
    bool is_mesh = false;
    packet_shape shape;
    double seconds = 1.5;
    double warmup = 0.3;
    std::uint64_t credit = 20'000;
    std::uint32_t window = 1'000;
    double rate = 0;
    bool is_tls = false;
    std::size_t ring_bytes = 256 * 1024;
    std::size_t idle = 0;
    std::size_t subscriptions = 0;
};

constexpr std::size_t slab_size_min = 512 * 1024;
constexpr std::int64_t drain_ns_max = 10'000'000'000;  // without anything received

struct endpoint {
    explicit endpoint(const settings& s, const tls_maker* tls) : link(s.port, tls, s.shape.in_frames) {}

    load_link link;
    // as a publisher
    std::unique_ptr<packet_ring> ring;
    std::size_t next_packet = 0;
    std::uint32_t published = 0;
    std::uint32_t acknowledged = 0;
    // as a subscriber
    bool is_subscriber = false;
    std::uint64_t received = 0;
    std::vector<std::uint32_t> next_numbers;  // by publisher
};

class generator {
public:
    explicit generator(const settings& s) : settings_(s), slab_(std::max(slab_size_min, 2 * s.shape.payload_size)) {
        beside_.connect(s.port, s.idle);
        beside_.subscribe(s.port, s.subscriptions);
        if (s.is_tls) tls_ = std::make_unique<tls_maker>();
        epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
        const std::size_t count = s.is_mesh ? s.pubs : s.pubs + s.subs;
        for (std::size_t i = 0; i < count; ++i) {
            add(i < s.pubs, s.is_mesh || i >= s.pubs, i);
        }
    }

    int run() {
        if (settings_.rate != 0) start_timer();
        const std::int64_t begin = now_ns();
        const auto after = [&](double seconds) { return begin + static_cast<std::int64_t>(seconds * 1e9); };
        const std::int64_t measured_from = after(settings_.warmup);
        const std::int64_t measured_to = after(settings_.warmup + settings_.seconds);
        std::int64_t present = begin;
        for (; present < measured_from; present = now_ns())
            turn(true);
        const mark first = take_mark(present);
        latencies_.clear();
        for (; present < measured_to; present = now_ns())
            turn(true);
        const mark last = take_mark(present);
        drain();
        return report(first, last);
    }

private:
    struct mark {
        std::int64_t at = 0;
        std::int64_t broker_cpu = 0;
        std::int64_t own_cpu = 0;
        std::uint64_t received = 0;
    };

    void add(bool publishes, bool subscribes, std::size_t number) {
        endpoints_.push_back(std::make_unique<endpoint>(settings_, tls_.get()));
        endpoint& e = *endpoints_.back();
        const bool v5 = settings_.shape.is_v5;
        e.link.exchange(connect_bytes("load" + std::to_string(number), v5));
        if (publishes) {
            publishers_.push_back(&e);
            e.ring = std::make_unique<packet_ring>(settings_.shape, static_cast<std::uint32_t>(number),
                                                   settings_.ring_bytes);
        }
        if (subscribes) {
            const char qos = static_cast<char>(settings_.shape.qos);
            std::string body = std::string("\0\1", 2) + (v5 ? std::string(1, '\0') : std::string()) +
                               with_length(settings_.shape.topics == 1 ? "bench/t" : "bench/+") + qos;
            e.link.exchange('\x82' + remaining_length(body.size()) + body);
            e.is_subscriber = true;
            e.next_numbers.resize(settings_.pubs);
            subscribers_.push_back(&e);
        }
        e.link.set_non_blocking();
        watch(epoll_, e.link.fd(), EPOLLIN, static_cast<std::uint32_t>(number), EPOLL_CTL_ADD);
    }

    void start_timer() {
        timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        watch(epoll_, timer_, EPOLLIN, timer_number, EPOLL_CTL_ADD);
        next_send_ = now_ns();
        arm();
    }

    void arm() const {
        itimerspec when{};
        when.it_value.tv_sec = next_send_ / 1'000'000'000;
        when.it_value.tv_nsec = next_send_ % 1'000'000'000;
        ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
    }

    void turn(bool publishes) {
        if (publishes) settings_.rate == 0 ? publish_by_credit() : void();
        epoll_event events[64];
        const int n = ::epoll_wait(epoll_, events, 64, 100);
        for (int i = 0; i < n; ++i) {
            if (events[i].data.u32 == timer_number) {
                if (publishes) publish_by_time();
                continue;
            }
            endpoint& e = *endpoints_[events[i].data.u32];
            if ((events[i].events & ~EPOLLOUT) != 0) {
                arrival_ = settings_.rate != 0 ? now_ns() : 0;
                if (!e.link.read(slab_, [&](std::string_view bytes) { return take_packets(e, bytes); })) lost_link();
            }
            write(e);
        }
    }

    [[noreturn]] static void lost_link() {
        std::fputs("the broker has closed a connection\n", stderr);
        std::exit(2);
    }

    void write(endpoint& e) const {
        if (!e.link.write()) lost_link();
        if (e.link.wants_write() == e.link.is_watched_for_writing) return;
        e.link.is_watched_for_writing = e.link.wants_write();
        const auto found = std::find_if(endpoints_.begin(), endpoints_.end(), [&](auto& p) { return p.get() == &e; });
        watch(epoll_, e.link.fd(), EPOLLIN | (e.link.wants_write() ? std::uint32_t{EPOLLOUT} : 0),
              static_cast<std::uint32_t>(found - endpoints_.begin()), EPOLL_CTL_MOD);
    }

    // -- publishing

    [[nodiscard]] std::uint64_t slowest() const {
        std::uint64_t least = ~std::uint64_t{0};
        for (const endpoint* const s : subscribers_)
            least = std::min(least, s->received);
        return least;
    }

    // Each publisher in turn gets as much as it can take: large writes instead of many small ones.
    void publish_by_credit() {
        std::uint64_t available = settings_.credit - std::min(settings_.credit, published_ - slowest());
        for (std::size_t i = 0; i < publishers_.size() && available != 0; ++i) {
            endpoint& e = *publishers_[next_publisher_];
            next_publisher_ = (next_publisher_ + 1) % publishers_.size();
            if (!e.link.is_free()) continue;
            std::uint64_t count = std::min<std::uint64_t>(available, e.ring->count() - e.next_packet);
            if (settings_.shape.qos != 0) {
                count = std::min<std::uint64_t>(count, settings_.window - (e.published - e.acknowledged));
            }
            if (count == 0) continue;
            for (std::size_t k = 0; k < count; ++k)
                e.ring->number(e.next_packet + k, e.published++);
            send(e, count);
            available -= count;
        }
    }

    void publish_by_time() {
        std::uint64_t ticks = 0;
        (void)!::read(timer_, &ticks, sizeof ticks);
        const std::int64_t present = now_ns();
        while (next_send_ <= present) {
            endpoint& e = *publishers_[next_publisher_];
            if (!e.link.is_free()) break;  // it is late, and its latency will tell
            next_publisher_ = (next_publisher_ + 1) % publishers_.size();
            e.ring->number(e.next_packet, e.published++);
            e.ring->time(e.next_packet, next_send_);
            send(e, 1);
            next_send_ += static_cast<std::int64_t>(1e9 / settings_.rate);
        }
        arm();
    }

    void send(endpoint& e, std::uint64_t count) {
        e.link.begin(e.ring->packets(e.next_packet, count));
        e.next_packet = (e.next_packet + count) % e.ring->count();
        published_ += count;
        write(e);
    }

    // -- receiving

    std::size_t take_packets(endpoint& e, std::string_view bytes) {
        const std::size_t all = bytes.size();
        for (std::size_t size = 0; (size = packet_size(bytes)) != 0 && size <= bytes.size(); bytes.remove_prefix(size))
            take(e, bytes.substr(0, size));
        return all - bytes.size();
    }

    void take(endpoint& e, std::string_view packet) {
        const auto byte = static_cast<unsigned char>(packet[0]);
        const auto id = [&](std::size_t at) { return packet.substr(at, 2); };
        switch (byte >> 4) {
            case 3: return take_publish(e, packet);
            case 4:
            case 7: ++e.acknowledged; return;
            case 5: e.link.control.append("\x62\x02", 2).append(id(2)); return;
            case 6: e.link.control.append("\x70\x02", 2).append(id(2)); return;
            default: ++strange_; return;
        }
    }

    void take_publish(endpoint& e, std::string_view packet) {
        const int qos = packet[0] >> 1 & 3;
        std::size_t at = packet.size() < 130 ? 2 : packet.size() < 16'387 ? 3 : packet.size() < 2'097'156 ? 4 : 5;
        at += 2U + static_cast<unsigned char>(packet[at]) * 256U + static_cast<unsigned char>(packet[at + 1]);
        if (qos != 0) {
            e.link.control.append(qos == 1 ? "\x40\x02" : "\x50\x02", 2).append(packet.substr(at, 2));
            at += 2;
        }
        if (settings_.shape.is_v5) at += 1U + static_cast<unsigned char>(packet[at]);
        payload_head head;
        if (packet.size() - at != settings_.shape.payload_size) {
            ++strange_;
            return;
        }
        std::memcpy(&head, packet.data() + at, sizeof head);
        if (head.publisher >= e.next_numbers.size()) {
            ++strange_;
            return;
        }
        std::uint32_t& next = e.next_numbers[head.publisher];
        if (head.number > next) {
            missing_ += head.number - next;
        } else if (head.number < next) {
            ++repeated_;  // or late
            return;
        }
        next = head.number + 1;
        ++e.received;
        ++received_;
        if (arrival_ != 0 && latencies_.size() < latencies_.capacity()) {
            latencies_.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(arrival_ - head.time, UINT32_MAX)));
        } else if (arrival_ != 0) {
            latencies_.reserve(std::max<std::size_t>(1 << 20, latencies_.capacity() * 2));
        }
    }

    // -- the end

    [[nodiscard]] mark take_mark(std::int64_t at) const {
        return {at, cpu_ns_of(settings_.broker_pid), cpu_ns_of(::getpid()), received_};
    }

    void drain() {
        std::uint64_t before = received_;
        for (std::int64_t since = now_ns(); slowest() < published_ && now_ns() - since < drain_ns_max;) {
            turn(false);
            if (received_ != before) since = now_ns();
            before = received_;
        }
    }

    int report(const mark& first, const mark& last) {
        const auto messages = static_cast<double>(last.received - first.received);
        const double seconds = static_cast<double>(last.at - first.at) / 1e9;
        const std::uint64_t lost = published_ * subscribers_.size() - received_;
        std::printf(
            "{\"rate\": %.0f, \"cpu\": %.5f, \"generator_cpu\": %.5f, \"seconds\": %.3f, \"received\": %llu, "
            "\"lost\": %llu, \"missing\": %llu, \"repeated\": %llu, \"strange\": %llu",
            messages / seconds, static_cast<double>(last.broker_cpu - first.broker_cpu) / messages / 1e3,
            static_cast<double>(last.own_cpu - first.own_cpu) / messages / 1e3, seconds,
            static_cast<unsigned long long>(received_), static_cast<unsigned long long>(lost),
            static_cast<unsigned long long>(missing_), static_cast<unsigned long long>(repeated_),
            static_cast<unsigned long long>(strange_));
        if (!latencies_.empty()) {
            std::sort(latencies_.begin(), latencies_.end());
            const auto at = [&](double share) {
                const auto last_index = static_cast<double>(latencies_.size() - 1);
                return latencies_[static_cast<std::size_t>(last_index * share)] / 1e3;
            };
            std::printf(", \"p50\": %.1f, \"p90\": %.1f, \"p99\": %.1f, \"p999\": %.1f, \"max\": %.1f", at(0.5),
                        at(0.9), at(0.99), at(0.999), at(1));
        }
        std::puts("}");
        return lost != 0 || missing_ != 0 || repeated_ != 0 || strange_ != 0 ? 3 : 0;
    }

    static constexpr std::uint32_t timer_number = 0xFFFF'FFFF;

    const settings& settings_;
    std::unique_ptr<tls_maker> tls_;
    load_beside beside_;
    std::vector<char> slab_;
    std::vector<std::unique_ptr<endpoint>> endpoints_;
    std::vector<endpoint*> publishers_;
    std::vector<endpoint*> subscribers_;
    std::vector<std::uint32_t> latencies_;  // nanoseconds
    int epoll_ = -1;
    int timer_ = -1;
    std::size_t next_publisher_ = 0;
    std::int64_t next_send_ = 0;
    std::int64_t arrival_ = 0;
    std::uint64_t published_ = 0;
    std::uint64_t received_ = 0;
    std::uint64_t missing_ = 0;
    std::uint64_t repeated_ = 0;
    std::uint64_t strange_ = 0;
};

settings parse(int argc, char* argv[]) {
    settings s;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--v5") {
            s.shape.is_v5 = true;
        } else if (name == "--retain") {
            s.shape.is_retained = true;
        } else if (name == "--tls") {
            s.is_tls = true;
        } else if (name == "--websocket") {
            s.shape.in_frames = true;
        } else if (i + 1 == argc) {
            std::fprintf(stderr, "%s: unknown, or without its value\n", argv[i]);
            std::exit(1);
        } else {
            const char* const text = argv[++i];
            const auto number = static_cast<std::size_t>(std::strtoull(text, nullptr, 10));
            if (name == "--port")
                s.port = static_cast<std::uint16_t>(number);
            else if (name == "--broker-pid")
                s.broker_pid = static_cast<int>(number);
            else if (name == "--pubs")
                s.pubs = number;
            else if (name == "--subs")
                s.subs = number;
            else if (name == "--mesh")
                s.pubs = s.subs = number, s.is_mesh = true;
            else if (name == "--size")
                s.shape.payload_size = std::max(number, payload_size_min);
            else if (name == "--qos")
                s.shape.qos = static_cast<int>(number);
            else if (name == "--topics")
                s.shape.topics = static_cast<unsigned>(number);
            else if (name == "--seconds")
                s.seconds = std::atof(text);
            else if (name == "--warmup")
                s.warmup = std::atof(text);
            else if (name == "--ring")
                s.ring_bytes = number;
            else if (name == "--idle")
                s.idle = number;
            else if (name == "--subscriptions")
                s.subscriptions = number;
            else if (name == "--credit")
                s.credit = number;
            else if (name == "--window")
                s.window = static_cast<std::uint32_t>(number);
            else if (name == "--rate")
                s.rate = std::atof(text);
            else {
                std::fprintf(stderr, "%s: unknown\n", argv[i - 1]);
                std::exit(1);
            }
        }
    }
    return s;
}

}  // namespace

int main(int argc, char* argv[]) {
    const settings s = parse(argc, argv);
    std::signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    return generator(s).run();
}
