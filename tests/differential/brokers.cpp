// The same streams of packets, legal ones and spoilt ones, to our broker and to mosquitto: what each says to the client and
// hands to another one, and whether it closes the connection, is the same after each packet, or the difference stands in
// differences.tsv with its reason.
//
//   martlet_broker_differential --martlet PROGRAM --differences FILE [--mosquitto PROGRAM] [--seed S] [--seeds N] [--trace 1]
//
// A seed is a client of one version: it connects, says some things, leaves, and often comes back to its session. Where the
// brokers differ the seed ends, since their states may differ from then on. Ends with one line of figures; exit code 1 for a
// difference that is not in the list, 77 without mosquitto.
#include "crash/process.hpp"
#include "differential/peer.hpp"
#include "differential/reader.hpp"
#include "differential/streams.hpp"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fnmatch.h>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace martlet;
using namespace martlet::differential;
using crash::fail;

namespace {

constexpr int seeds_per_process = 500;  // then both brokers are started anew: sessions are left behind

// -- the list

struct difference {
    std::string version;  // "5.0", "3.1.1", "3.1"
    std::string what;     // the packet, and what our decoder says of it: "PUBLISH MQTT-3.3.1-4", "PUBLISH legal"
    std::string ours;     // what only our broker did
    std::string theirs;
    auto operator<=>(const difference&) const = default;
};

// Lines of patterns (*, ?) for the four fields, and why.
class reviewed_list {
public:
    explicit reviewed_list(const std::string& file) {
        std::ifstream in(file);
        if (!in) fail("cannot read " + file);
        for (std::string line; std::getline(in, line);) {
            if (line.empty() || line.starts_with('#')) continue;
            std::istringstream fields(line);
            entry e;
            std::string why;
            if (!std::getline(fields, e.pattern.version, '\t') || !std::getline(fields, e.pattern.what, '\t') ||
                !std::getline(fields, e.pattern.ours, '\t') || !std::getline(fields, e.pattern.theirs, '\t') ||
                !std::getline(fields, why) || why.empty()) {
                fail("not five fields: " + line);
            }
            e.line = line;
            entries_.push_back(e);
        }
    }
    bool has(const difference& d) {
        const auto fits = [](const std::string& pattern, const std::string& text) {
            return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
        };
        for (entry& e : entries_) {
            if (fits(e.pattern.version, d.version) && fits(e.pattern.what, d.what) && fits(e.pattern.ours, d.ours) &&
                fits(e.pattern.theirs, d.theirs)) {
                ++e.times;
                return true;
            }
        }
        return false;
    }
    void print() const {
        for (const entry& e : entries_)
            std::printf("%6d  %s\n", e.times, e.line.c_str());
    }

private:
    struct entry {
        difference pattern;
        std::string line;
        int times = 0;
    };
    std::vector<entry> entries_;
};

// -- comparing

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
}

// The lines that only `a` has, of this and of the other kind, and how it ended if that differs.
std::string only_in(const outcome& a, const outcome& b, const std::string& prefix) {
    std::string text;
    const auto add = [&](const std::vector<std::string>& mine, const std::vector<std::string>& yours, const char* who) {
        std::vector<std::string> rest;
        std::set_difference(mine.begin(), mine.end(), yours.begin(), yours.end(), std::back_inserter(rest));
        for (const std::string& line : rest)
            text += who + line + "; ";
    };
    add(a.said, b.said, "");
    add(a.listened, b.listened, "listener: ");
    text += a.is_open ? "open" : "closed";
    if (!prefix.empty()) replace_all(text, prefix, "");
    return text;
}

// Topics and payloads of what the client got, however often and at whatever QoS.
std::set<std::string> messages_of(const outcome& o) {
    std::set<std::string> messages;
    for (const std::string& line : o.said) {
        if (!line.starts_with("PUBLISH ")) continue;
        const auto payload = line.find(" payload=");
        const auto topic = line.rfind(' ', payload - 1);
        messages.insert(line.substr(topic, line.find(' ', payload + 1) - topic));
    }
    return messages;
}

struct figures {
    int seeds = 0;
    std::uint64_t steps = 0;
    std::uint64_t faulty = 0;
    int differences = 0;
    int unexplained = 0;
};

class comparison {
public:
    comparison(std::string martlet, std::string mosquitto, const std::string& list, bool traces)
        : martlet_(std::move(martlet)), mosquitto_(std::move(mosquitto)), list_(list), traces_(traces) {
        folder_ = (std::filesystem::temp_directory_path() / "martlet-differential-XXXXXX").string();
        if (::mkdtemp(folder_.data()) == nullptr) fail("mkdtemp");
    }
    comparison(const comparison&) = delete;
    comparison& operator=(const comparison&) = delete;
    ~comparison() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    void compare(std::uint64_t seed) {
        if (figures_.seeds++ % seeds_per_process == 0) start();
        stream_maker made(seed);
        if (traces_) std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
        for (auto* const each : {&*ours_, &*theirs_})
            each->begin(made.prefix());
        if (auto d = difference_of(made)) {
            ++figures_.differences;
            if (!list_.has(*d)) {
                ++figures_.unexplained;
                auto& [times, example] = unexplained_[*d];
                if (times++ == 0) example = seed;
            }
        }
        for (auto* const each : {&*ours_, &*theirs_})
            static_cast<void>(each->hang_up());
    }

    figures report(bool with_list) {
        if (with_list) list_.print();
        for (const auto& [d, seen] : unexplained_) {
            std::printf("not in the list (%d times, first at seed %llu):\n%s\t%s\t%s\t%s\n", seen.first,
                        static_cast<unsigned long long>(seen.second), d.version.c_str(), d.what.c_str(), d.ours.c_str(),
                        d.theirs.c_str());
        }
        return figures_;
    }

private:
    void start() {
        auto port = crash::free_port();
        ours_ = std::make_unique<peer>(crash::strings{martlet_, "broker", "-p", std::to_string(port)}, port);
        port = crash::free_port();
        std::ofstream(folder_ + "/mosquitto.conf")
            << "listener " << port << " 127.0.0.1\nallow_anonymous true\n"
            << "max_queued_messages 0\nset_tcp_nodelay true\nlog_dest none\nuser root\n";
        theirs_ = std::make_unique<peer>(crash::strings{mosquitto_, "-c", folder_ + "/mosquitto.conf"}, port);
    }

    // The first difference.
    std::optional<difference> difference_of(stream_maker& made) {
        has_refused_ = false;
        const bool answers = !made.dice().chance(5);
        const int lives = made.dice().chance(3) ? 1 : 2;
        for (int life = 0; life != lives; ++life) {
            reader broker;
            for (auto* const each : {&*ours_, &*theirs_})
                each->connect(made.version());
            bool is_open = true;
            auto left = 1 + made.dice().below(10);
            if (auto d = step(made.connect(life == 0 && made.dice().coin()), broker, answers, made, is_open)) return d;
            for (; is_open && left != 0; --left) {
                if (auto d = step(made.next(), broker, answers, made, is_open)) return d;
            }
            if (auto d = compared("hang up", made, ours_->hang_up(), theirs_->hang_up())) return d;
            const std::string topic = made.topic();
            for (auto* const each : {&*ours_, &*theirs_})
                each->publish(topic, "meanwhile", qos::at_least_once);
        }
        return std::nullopt;
    }
    std::optional<difference> step(const std::string& bytes, reader& broker, bool answers, const stream_maker& made,
                                   bool& is_open) {
        ++figures_.steps;
        const std::string what = broker.take(bytes);
        const bool is_legal = what.find(": ") == std::string::npos;
        if (!is_legal) ++figures_.faulty;
        for (auto* const each : {&*ours_, &*theirs_})
            each->set_version(broker.version());
        const auto packets_max = is_legal ? 1 : std::min<std::size_t>(bytes.size() / 2, 40);
        const outcome ours = ours_->say(bytes, packets_max, answers);
        const outcome theirs = theirs_->say(bytes, packets_max, answers);
        is_open = ours.is_open;
        if (traces_) trace(bytes, what);
        auto difference = compared(what, made, ours, theirs);
        has_refused_ = has_refused_ || (!is_open && !what.starts_with("DISCONNECT"));
        return difference;
    }
    std::optional<difference> compared(const std::string& what, const stream_maker& made, const outcome& ours,
                                       const outcome& theirs) {
        if (traces_) {
            trace("   ours: ", ours);
            trace("   theirs: ", theirs);
        }
        if (ours == theirs) return std::nullopt;
        const auto messages = messages_of(ours);
        const bool is_same =
            what.find(" legal") != std::string::npos && !messages.empty() && messages == messages_of(theirs);
        return difference{std::string(to_string(made.version())),
                          what + (is_same ? ", same messages" : "") + (has_refused_ ? ", after a refused packet" : ""),
                          only_in(ours, theirs, made.prefix()), only_in(theirs, ours, made.prefix())};
    }
    static void trace(const std::string& bytes, const std::string& what) {
        std::printf("%s:", what.c_str());
        for (const char c : bytes)
            std::printf(" %02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
        std::printf("\n");
    }
    static void trace(const char* who, const outcome& o) { std::printf("%s%s\n", who, only_in(o, {}, "").c_str()); }

    std::string martlet_;
    std::string mosquitto_;
    reviewed_list list_;
    bool traces_;
    std::string folder_;
    std::unique_ptr<peer> ours_;
    std::unique_ptr<peer> theirs_;
    bool has_refused_ = false;  // earlier in this seed a packet ended the connection: sessions may differ since
    figures figures_;
    std::map<difference, std::pair<int, std::uint64_t>> unexplained_;
};

}  // namespace

int main(int count, char** arguments) {
    auto options = crash::read_options(count, arguments);
    const auto number = [&](const char* name, std::uint64_t otherwise) {
        return options.contains(name) ? std::strtoull(options[name].c_str(), nullptr, 10) : otherwise;
    };
    if (options["--martlet"].empty() || options["--differences"].empty()) return 2;
    if (options["--mosquitto"].empty()) {
        std::printf("SKIPPED: mosquitto is not installed\n");
        return 77;
    }
    ::signal(SIGPIPE, SIG_IGN);

    const bool traces = number("--trace", 0) != 0;
    comparison both(options["--martlet"], options["--mosquitto"], options["--differences"], traces);
    const auto first = number("--seed", 1);
    const auto seeds = number("--seeds", traces ? 1 : 200);
    for (auto seed = first; seed != first + seeds; ++seed)
        both.compare(seed);
    const figures f = both.report(number("--list", 0) != 0);
    std::printf("seeds=%d packets=%llu faulty=%llu differences=%d not_in_the_list=%d\n", f.seeds,
                static_cast<unsigned long long>(f.steps), static_cast<unsigned long long>(f.faulty), f.differences,
                f.unexplained);
    return f.unexplained == 0 ? 0 : 1;
}
