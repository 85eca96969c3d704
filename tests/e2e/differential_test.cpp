// Hundreds of command lines, each given to Debian's mosquitto_pub, _sub and _rr and to our tool called by these names,
// against the same broker: standard output, standard error, exit status and what was published are the same, or the
// difference stands in differential/differences.tsv with its reason.
#include "e2e/cli_peers.hpp"
#include "e2e/differential/cases.hpp"
#include "e2e/differential/world.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace martlet::test;
using namespace martlet::test::differential;

namespace {

constexpr unsigned at_once = 8;

struct outcome {
    std::string out;
    std::string err;
    std::string status;
    std::string sent;
};

void replace_all(std::string& text, std::string_view from, std::string_view to) {
    for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
        text.replace(at, from.size(), to);
}

void mask_digits(std::string& text) {
    std::string out;
    for (const char c : text) {
        const bool digit = std::isdigit(static_cast<unsigned char>(c)) != 0;
        if (digit && out.ends_with('#')) continue;
        out += digit ? '#' : c;
    }
    text = std::move(out);
}

void sort_lines(std::string& text) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        lines.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    std::sort(lines.begin(), lines.end());
    text.clear();
    for (const std::string& line : lines)
        text += line + '\n';
}

/// The identifier that our broker chooses: "auto-" and what follows.
void mask_chosen_ids(std::string& text) {
    static constexpr std::string_view prefix = "auto-";
    for (std::size_t at = 0; (at = text.find(prefix, at)) != std::string::npos; ++at) {
        std::size_t end = at + prefix.size();
        while (end < text.size() && (std::isalnum(static_cast<unsigned char>(text[end])) != 0 || text[end] == '-'))
            ++end;
        text.replace(at, end - at, "auto-*");
    }
}

/// Of one tool in one case: names, folder, messages.
class run_of_case {
public:
    run_of_case(const test_case& c, const std::string& program, world& w, const scratch_folder& folder,
                std::string level)
        : case_(c), program_(program), world_(w), level_(std::move(level)), folder_(folder.path(level_)) {
        std::filesystem::create_directory(folder_);
    }

    outcome run() {
        for (const words& directive : case_.setup)
            prepare(directive);
        words command = {program_};
        if (!has("bare")) command.insert(command.end(), {"-h", "127.0.0.1", "-p", world_.port()});
        for (auto word = case_.command.begin() + 1; word != case_.command.end(); ++word)
            command.push_back(expanded(*word));

        process p(command, {.environment = {"XDG_CONFIG_HOME=" + folder_}});
        std::thread helper([&] { attend(p); });
        std::thread errors([&] { outcome_.err = p.err().rest(); });
        if (const words* const directive = find("signal")) {
            outcome_.out = p.out().line_with("hi") + '\n';
            p.signal(directive->at(1) == "INT" ? SIGINT : SIGTERM);
        }
        outcome_.out += p.out().rest();
        errors.join();
        helper.join();
        outcome_.status = std::to_string(p.wait());
        const std::string id = std::to_string(p.id());
        for (std::string* const text : {&outcome_.out, &outcome_.err})
            normalise(*text, id);
        return outcome_;
    }

    /// After world::settle().
    std::string sent() {
        std::string text = world_.published(level_);
        normalise(text, "no process");
        return text;
    }

private:
    const words* find(std::string_view name) const {
        const auto found =
            std::find_if(case_.setup.begin(), case_.setup.end(), [&](const words& d) { return d[0] == name; });
        return found == case_.setup.end() ? nullptr : &*found;
    }
    bool has(std::string_view name) const { return find(name) != nullptr; }

    std::string expanded(std::string text) const {
        replace_all(text, "{T}", level_);
        replace_all(text, "{F}", folder_);
        replace_all(text, "{P}", world_.port());
        return text;
    }

    void prepare(const words& directive) {
        const std::string& verb = directive[0];
        if (verb == "config") write("mosquitto_" + case_.command[0], directive.at(1));
        if (verb == "file") write(directive.at(1), directive.at(2));
        if (verb == "keep") publish(directive, true);
    }

    void write(const std::string& name, const std::string& contents) const {
        std::FILE* const file = std::fopen((folder_ + '/' + name).c_str(), "wb");
        REQUIRE(file != nullptr);
        const std::string text = expanded(contents);
        std::fwrite(text.data(), 1, text.size(), file);
        std::fclose(file);
    }

    void publish(const words& directive, bool retain) {
        martlet::publish_options options{.qos = martlet::qos::at_least_once, .retain = retain};
        std::vector<martlet::user_property> pairs;
        std::string response_topic;
        for (std::size_t i = 3; i < directive.size(); ++i) {
            const std::size_t equals = directive[i].find('=');
            const std::string key = directive[i].substr(0, equals);
            const std::string_view value = std::string_view(directive[i]).substr(equals + 1);
            auto& p = options.properties;
            if (key == "qos") options.qos = static_cast<martlet::qos>(value[0] - '0');
            if (key == "ct") p.content_type = value;
            if (key == "rt") p.response_topic = response_topic = expanded(std::string(value));
            if (key == "cd") p.correlation_data = value;
            if (key == "exp") p.message_expiry_interval = static_cast<std::uint32_t>(std::atoi(value.data()));
            if (key == "pf") p.payload_format_indicator = static_cast<martlet::payload_format>(value[0] - '0');
            if (key == "up") pairs.push_back({value.substr(0, value.find(':')), value.substr(value.find(':') + 1)});
            if (key == "retain") options.retain = value == "1";
        }
        options.properties.user_properties = pairs;
        world_.publish(expanded(directive.at(1)), expanded(directive.at(2)), options);
    }

    void attend(process& p) {
        p.write(case_.input);
        p.close_input();
        bool is_subscribed = false;
        for (const words& directive : case_.setup) {
            if (directive[0] != "send") continue;
            if (!is_subscribed) world_.wait_subscribed(level_);
            is_subscribed = true;
            publish(directive, false);
        }
    }

    void normalise(std::string& text, const std::string& process_id) const {
        replace_all(text, folder_, "{F}");
        replace_all(text, level_, "{T}");
        replace_all(text, process_id, "{PID}");
        mask_chosen_ids(text);
        if (has("digits")) {
            mask_digits(text);
            replace_all(text, "#Z+#", "#+#");  // the time stamp's zone stands twice in 2.0.11 (mended in 2.0.12)
        }
        if (has("units")) {
            for (const std::string_view unit : {"#.# \xc2\xb5s\n", "#.# ms\n", "# ns\n"})
                replace_all(text, unit, "# unit\n");
        }
        if (has("lines")) sort_lines(text);
    }

    const test_case& case_;
    std::string program_;
    world& world_;
    std::string level_;
    std::string folder_;
    outcome outcome_;
};

std::string level_of(std::size_t index, char whose) {
    std::string number = std::to_string(index);
    number.insert(0, 4 - number.size(), '0');
    return "t" + number + whose;
}

std::string shown(const outcome& o) {
    return "status " + o.status + "\nout  " + escaped(o.out) + "\nerr  " + escaped(o.err) + "\nsent " + escaped(o.sent);
}

std::string part_of(const outcome& o, const std::string& what) {
    if (what == "out") return o.out;
    if (what == "err") return o.err;
    return what == "status" ? o.status : o.sent;
}

using reviewed = std::map<std::pair<std::string, std::string>, difference>;

void compare(const test_case& c, const outcome& theirs, const outcome& ours, const reviewed& known) {
    for (const std::string what : {"out", "err", "status", "sent"}) {
        const std::string a = part_of(theirs, what);
        const std::string b = part_of(ours, what);
        const auto entry = known.find({c.name, what});
        std::string complaint;
        if (entry == known.end()) {
            if (a != b) complaint = "differs";
        } else if (a == b && !entry->second.is_by_chance()) {
            complaint = "no longer differs: take it out of differences.tsv";
        } else if (entry->second.is_part ? b.find(entry->second.ours) == std::string::npos : b != entry->second.ours) {
            complaint = "is not what differences.tsv says";
        }
        const std::string report = c.name + ": " + what + " " + complaint + "\n--- mosquitto: " + shown(theirs) +
                                   "\n--- martlet: " + shown(ours);
        CHECK_MESSAGE(complaint.empty(), report);
    }
}

}  // namespace

TEST_CASE("differential: split_words and escapes") {
    CHECK(split_words("pub  -m 'a b' \"c\\n\"d ''") == words{"pub", "-m", "a b", "c\nd", ""});
    CHECK(unescaped("a\\x00\\\\") == std::string("a\0\\", 3));
    CHECK(escaped(std::string("a\0\n\xff", 4)) == "a\\x00\\n\\xff");
}

TEST_CASE("differential: our tool called mosquitto_pub, _sub and _rr does what Mosquitto's does") {
    if (find_program("mosquitto_pub").empty() || find_program("mosquitto_rr").empty()) {
        MESSAGE("SKIPPED: mosquitto-clients is not installed");
        return;
    }
    ::signal(SIGPIPE, SIG_IGN);
    std::vector<test_case> cases = read_cases(MARTLET_DIFFERENTIAL "/cases.tsv");
    if (const char* const only = std::getenv("DIFFERENTIAL_CASE")) {
        std::erase_if(cases, [&](const test_case& c) { return c.name.find(only) == std::string::npos; });
    } else {
        CHECK(cases.size() >= 300);
    }
    reviewed known;
    for (const difference& d : read_differences(MARTLET_DIFFERENTIAL "/differences.tsv")) {
        CHECK_MESSAGE(!d.reason.empty(), d.name);
        CHECK_MESSAGE(known.emplace(std::pair(d.name, d.what), d).second, d.name);
    }

    const scratch_folder folder;
    for (const char* const name : {"mosquitto_pub", "mosquitto_sub", "mosquitto_rr"})
        REQUIRE(::symlink(martlet_tool().c_str(), folder.path(name).c_str()) == 0);
    world w;
    std::vector<std::optional<run_of_case>> theirs(cases.size());
    std::vector<std::optional<run_of_case>> ours(cases.size());
    std::vector<outcome> their_outcomes(cases.size());
    std::vector<outcome> our_outcomes(cases.size());
    for (std::size_t i = 0; i < cases.size(); ++i) {
        const std::string name = "mosquitto_" + cases[i].command.at(0);
        theirs[i].emplace(cases[i], find_program(name), w, folder, level_of(i, 'm'));
        ours[i].emplace(cases[i], folder.path(name), w, folder, level_of(i, 'o'));
    }

    std::atomic<std::size_t> next = 0;
    std::vector<std::thread> workers;
    for (unsigned n = 0; n < at_once; ++n) {
        workers.emplace_back([&] {
            for (std::size_t i = 0; (i = next++) < cases.size();) {
                their_outcomes[i] = theirs[i]->run();
                our_outcomes[i] = ours[i]->run();
            }
        });
    }
    for (std::thread& worker : workers)
        worker.join();
    w.settle();

    std::size_t differing = 0;
    for (std::size_t i = 0; i < cases.size(); ++i) {
        their_outcomes[i].sent = theirs[i]->sent();
        our_outcomes[i].sent = ours[i]->sent();
        compare(cases[i], their_outcomes[i], our_outcomes[i], known);
        differing += known.lower_bound({cases[i].name, ""}) != known.lower_bound({cases[i].name, "~"}) ? 1u : 0u;
    }
    MESSAGE(cases.size() << " command lines, " << differing << " of them with reviewed differences");
}
