#include "scenario_file.hpp"

#include "options.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>

namespace martlet::cli::bench {
namespace {

namespace json = boost::json;

std::optional<std::string> as_text(const json::value& v) {
    if (v.is_string()) return std::string(v.get_string());
    if (v.is_int64()) return std::to_string(v.get_int64());
    if (v.is_uint64()) return std::to_string(v.get_uint64());
    if (v.is_double()) return decimal_text(v.get_double(), 6);
    return std::nullopt;
}

std::string read_flow(const json::value& from, const std::string& where, run_settings& settings) {
    const json::object* const object = from.if_object();
    if (object == nullptr) return where + ": a flow is an object.";
    flow_settings flow;
    const json::value* const name = object->if_contains("scenario");
    const auto known = name != nullptr && name->is_string() ? parse_scenario(name->get_string()) : std::nullopt;
    if (!known) return where + ": \"scenario\" must be one of those that 'martlet bench list' has.";
    flow.scenario = *known;
    for (const auto& [key, value] : *object) {
        if (key == "scenario") continue;
        const auto text = as_text(value);
        if (!text) return where + ": \"" + std::string(key) + "\" must be a string or a number.";
        if (std::string failure = set_flow_field(flow, key, *text); !failure.empty()) return where + ": " + failure;
    }
    settings.flows.push_back(flow);
    return {};
}

}  // namespace

std::string read_scenario_text(const std::string& text, const std::string& name, run_settings& settings) {
    boost::system::error_code error;
    const json::value whole = json::parse(text, error);
    if (error) return "Scenario file '" + name + "' is not JSON: " + error.message() + '.';
    const json::object* const object = whole.if_object();
    if (object == nullptr) return "Scenario file '" + name + "' must be an object with \"flows\".";
    for (const auto& [key, value] : *object) {
        if (key == "flows") continue;
        nanoseconds* const field = key == "duration" ? &settings.duration
                                   : key == "warmup" ? &settings.warm_up
                                   : key == "drain"  ? &settings.drain
                                                     : nullptr;
        if (field == nullptr) return "Scenario file '" + name + "': unknown key \"" + std::string(key) + "\".";
        const auto written = as_text(value);
        const auto time = written ? parse_duration(*written) : std::nullopt;
        if (!time) return "Scenario file '" + name + "': \"" + std::string(key) + "\" must be a time, e.g. \"30s\".";
        *field = *time;
    }
    const json::value* const flows = object->if_contains("flows");
    if (flows == nullptr || !flows->is_array() || flows->get_array().empty()) {
        return "Scenario file '" + name + "': \"flows\" must be a list with at least one flow.";
    }
    std::size_t number = 0;
    for (const json::value& one : flows->get_array()) {
        const std::string where = "Scenario file '" + name + "', flow " + std::to_string(++number);
        if (std::string failure = read_flow(one, where, settings); !failure.empty()) return failure;
    }
    return {};
}

std::string read_scenario_file(const std::string& path, run_settings& settings) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return "There is no scenario and no file '" + path + "'; 'martlet bench list' has the scenarios.";
    const std::string text(std::istreambuf_iterator<char>(in), {});
    return read_scenario_text(text, path, settings);
}

}  // namespace martlet::cli::bench
