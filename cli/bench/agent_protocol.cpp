#include "agent_protocol.hpp"

#include "hlog.hpp"
#include "options.hpp"

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

namespace martlet::cli::bench {
namespace {

namespace json = boost::json;

constexpr std::string_view root = "martlet/bench/";

// -- reading, without exceptions

const json::value* find(const json::object& from, std::string_view key) { return from.if_contains(key); }

std::uint64_t count_of(const json::object& from, std::string_view key, std::uint64_t otherwise = 0) {
    const json::value* const v = find(from, key);
    if (v == nullptr) return otherwise;
    if (v->is_uint64()) return v->get_uint64();
    return v->is_int64() && v->get_int64() >= 0 ? static_cast<std::uint64_t>(v->get_int64()) : otherwise;
}

double number_of(const json::value& v) {
    boost::system::error_code error;
    const double number = v.to_number<double>(error);
    return error ? 0 : number;
}

double number_of(const json::object& from, std::string_view key) {
    const json::value* const v = find(from, key);
    return v == nullptr ? 0 : number_of(*v);
}

std::vector<std::string> texts_of(const json::object& from, std::string_view key) {
    std::vector<std::string> out;
    const json::value* const v = find(from, key);
    if (v == nullptr || !v->is_array()) return out;
    for (const json::value& one : v->get_array()) {
        if (one.is_string()) out.emplace_back(one.get_string());
    }
    return out;
}

json::array texts(const std::vector<std::string>& from) {
    json::array out;
    for (const std::string& one : from)
        out.emplace_back(one);
    return out;
}

// -- flows

json::object encode_flow(const flow_settings& f) {
    json::object out;
    out["scenario"] = to_string(f.scenario);
    out["pubs"] = f.publishers;
    out["subs"] = f.subscribers;
    out["qos"] = to_number(f.qos);
    if (f.subscriber_qos) out["sub_qos"] = to_number(*f.subscriber_qos);
    out["size_min"] = f.size_min;
    out["size_max"] = f.size_max;
    if (f.rate) {
        json::array segments;
        for (const rate_segment& s : f.rate->segments())
            segments.push_back(json::array{s.from_per_second, s.to_per_second, s.length});
        out["rate"] = std::move(segments);
    }
    out["arrival"] = static_cast<int>(f.arrivals.kind);
    out["burst_size"] = f.arrivals.burst_size;
    out["burst_interval"] = f.arrivals.burst_interval;
    out["inflight"] = f.outstanding_max;
    out["topics"] = f.topics;
    out["count"] = f.count;
    out["mode"] = static_cast<int>(f.mode);
    return out;
}

std::optional<martlet::qos> decode_qos(const json::object& from, std::string_view key) {
    const std::int64_t n = integer_of(from, key, -1);
    if (n < 0 || n > 2) return std::nullopt;
    return static_cast<martlet::qos>(n);
}

std::optional<flow_settings> decode_flow(const json::value& from) {
    const json::object* const o = from.if_object();
    if (o == nullptr) return std::nullopt;
    flow_settings f;
    const auto which = parse_scenario(text_of(*o, "scenario"));
    const auto quality = decode_qos(*o, "qos");
    const std::int64_t kind = integer_of(*o, "arrival");
    const std::int64_t mode = integer_of(*o, "mode");
    if (!which || !quality || kind < 0 || kind > static_cast<int>(arrival_kind::burst) || mode < 0 ||
        mode > static_cast<int>(connection_mode::churn)) {
        return std::nullopt;
    }
    f.scenario = *which;
    f.publishers = count_of(*o, "pubs");
    f.subscribers = count_of(*o, "subs");
    f.qos = *quality;
    f.subscriber_qos = decode_qos(*o, "sub_qos");
    f.size_min = count_of(*o, "size_min", f.size_min);
    f.size_max = count_of(*o, "size_max", f.size_max);
    if (const json::value* const rate = find(*o, "rate"); rate != nullptr && rate->is_array()) {
        std::vector<rate_segment> segments;
        for (const json::value& one : rate->get_array()) {
            const json::array* const s = one.if_array();
            if (s == nullptr || s->size() != 3) return std::nullopt;
            segments.push_back({number_of((*s)[0]), number_of((*s)[1]), static_cast<nanoseconds>(number_of((*s)[2]))});
        }
        f.rate = rate_profile(std::move(segments));
    }
    f.arrivals.kind = static_cast<arrival_kind>(kind);
    f.arrivals.burst_size = count_of(*o, "burst_size", 1);
    f.arrivals.burst_interval = integer_of(*o, "burst_interval");
    f.outstanding_max = count_of(*o, "inflight");
    f.topics = count_of(*o, "topics");
    f.count = count_of(*o, "count");
    f.mode = static_cast<connection_mode>(mode);
    return f;
}

}  // namespace

// -- topics

std::string agent_topic(std::string_view group, std::string_view name) {
    return std::string(root).append(group).append("/agent/").append(name);
}
std::string command_topic(std::string_view group, std::string_view name) {
    return std::string(root).append(group).append("/to/").append(name);
}
std::string answer_topic(std::string_view group, std::string_view coordinator, std::string_view name) {
    return std::string(root).append(group).append("/from/").append(coordinator).append("/").append(name);
}
std::string gone_topic(std::string_view group, std::string_view coordinator) {
    return std::string(root).append(group).append("/gone/").append(coordinator);
}

std::string complaint_about_name(std::string_view name) {
    if (!name.empty() && name.find_first_of("/+#") == std::string_view::npos) return {};
    return "'" + std::string(name) + "' is no name: at least one character, and none of / + #.";
}

std::string_view name_of_topic(std::string_view topic) noexcept { return topic.substr(topic.rfind('/') + 1); }

// -- plans

json::object encode_plan(const run_settings& s, const run_plan& plan) {
    json::object out;
    out["version"] = agent_protocol_version;
    out["run"] = plan.run;
    out["prefix"] = plan.prefix;
    out["index"] = plan.share.index;
    out["agents"] = plan.share.count;
    out["urls"] = texts(plan.urls);
    out["connection"] = texts(s.connection_words);
    json::array flows;
    for (const flow_settings& f : s.flows)
        flows.push_back(encode_flow(f));
    out["flows"] = std::move(flows);
    out["duration"] = s.duration;
    out["warmup"] = s.warm_up;
    out["connect_rate"] = s.connect_rate;
    out["threads"] = s.threads;
    out["seed"] = s.seed;
    return out;
}

std::string decode_plan(const json::object& from, run_settings& s, run_plan& plan) {
    if (integer_of(from, "version") != agent_protocol_version) {
        return "The coordinator speaks another version of the agents' protocol: take the same martlet everywhere.";
    }
    s.connection_words = texts_of(from, "connection");
    if (std::string failure = read_connection(s.connection_words, s.connection); !failure.empty()) return failure;
    plan.run = static_cast<std::uint16_t>(count_of(from, "run"));
    plan.prefix = text_of(from, "prefix");
    plan.share.index = count_of(from, "index");
    plan.share.count = count_of(from, "agents");
    plan.urls = s.urls = texts_of(from, "urls");
    s.duration = integer_of(from, "duration");
    s.warm_up = integer_of(from, "warmup");
    s.connect_rate = number_of(from, "connect_rate");
    s.threads = count_of(from, "threads");
    s.seed = count_of(from, "seed");
    if (const json::value* const flows = find(from, "flows"); flows != nullptr && flows->is_array()) {
        for (const json::value& one : flows->get_array()) {
            auto flow = decode_flow(one);
            if (!flow) return "The plan has a flow that this version does not know.";
            s.flows.push_back(std::move(*flow));
        }
    }
    if (plan.share.index >= plan.share.count || s.threads == 0 || s.threads > threads_max) {
        return "The plan makes no sense.";
    }
    return complaint_about(s);
}

// -- tallies

json::object encode_tally(const tally& counts) {
    json::object out;
    json::object counters;
    for (const tally::counter& one : tally::counters()) {
        if (counts.*one.value != 0) counters[one.name] = counts.*one.value;
    }
    out["counters"] = std::move(counters);
    out["last_event"] = counts.last_event;
    json::object times;
    for (std::size_t i = 0; i < timing_count; ++i) {
        const histogram& h = counts.times[i];
        if (h.empty()) continue;
        times[timing_names[i]] = {
            {"counters", encode_histogram(h)}, {"min", h.minimum()}, {"max", h.maximum()}, {"clipped", h.clipped()}};
    }
    out["times"] = std::move(times);
    json::object errors;
    for (const auto& [cause, count] : counts.errors)
        errors[cause] = count;
    out["errors"] = std::move(errors);
    return out;
}

std::optional<tally> decode_tally(const json::object& from) {
    const json::value* const counters = find(from, "counters");
    const json::value* const times = find(from, "times");
    const json::value* const errors = find(from, "errors");
    if (counters == nullptr || !counters->is_object() || times == nullptr || !times->is_object() || errors == nullptr ||
        !errors->is_object()) {
        return std::nullopt;
    }
    tally out;
    for (const tally::counter& one : tally::counters())
        out.*one.value = count_of(counters->get_object(), one.name);
    out.last_event = integer_of(from, "last_event");
    for (const auto& [name, value] : times->get_object()) {
        const auto at = std::find(timing_names.begin(), timing_names.end(), std::string_view(name));
        const json::object* const one = value.if_object();
        if (at == timing_names.end() || one == nullptr) return std::nullopt;
        auto decoded = decode_histogram(text_of(*one, "counters"));
        if (!decoded) return std::nullopt;
        decoded->set_extremes(integer_of(*one, "min"), integer_of(*one, "max"), count_of(*one, "clipped"));
        out.times[static_cast<std::size_t>(at - timing_names.begin())] = std::move(*decoded);
    }
    for (const auto& [cause, value] : errors->get_object())
        out.count_error(std::string(cause), count_of(errors->get_object(), cause));
    return out;
}

// -- fields

std::optional<json::object> parse_object(std::string_view text) {
    boost::system::error_code error;
    json::value value = json::parse(text, error);
    if (error || !value.is_object()) return std::nullopt;
    return std::move(value.get_object());
}

std::int64_t integer_of(const json::object& from, std::string_view key, std::int64_t otherwise) {
    const json::value* const v = find(from, key);
    if (v == nullptr) return otherwise;
    if (v->is_int64()) return v->get_int64();
    const bool fits = v->is_uint64() && v->get_uint64() <= std::numeric_limits<std::int64_t>::max();
    return fits ? static_cast<std::int64_t>(v->get_uint64()) : otherwise;
}

std::string text_of(const json::object& from, std::string_view key) {
    const json::value* const v = find(from, key);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
}

}  // namespace martlet::cli::bench
