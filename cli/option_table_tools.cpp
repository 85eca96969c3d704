// The options of the smaller tools, beyond those that all clients share.
#include "option_table.hpp"

#include <array>

namespace martlet::cli {
namespace {

constexpr std::uint32_t serve = bit(command::serve);
constexpr std::uint32_t ping = bit(command::ping);
constexpr std::uint32_t retained = bit(command::retained);
constexpr std::uint32_t record = bit(command::record);
constexpr std::uint32_t replay = bit(command::replay);
constexpr std::uint32_t check = bit(command::check);
constexpr std::uint32_t top = bit(command::top);
constexpr std::uint32_t decode = bit(command::decode);
constexpr std::uint32_t doctor = bit(command::doctor);
constexpr std::uint32_t pages = bit(command::man) | bit(command::completion);

using enum option_group;
using enum availability;

// clang-format off
constexpr auto table = std::to_array<option>({
    // -- what
    {option_id::topic, serve | record, "-t", "--topic", "FILTER", what, native_only,
     "-t argument given but no topic specified.",
     "Topic filter to subscribe to. May be repeated."},
    {option_id::qos, serve, "-q", "--qos", "0|1|2", what, native_only,
     "-q argument given but no QoS specified.",
     "The highest quality of service to receive and to answer with. Default 1."},
    {option_id::qos, record, "-q", "--qos", "0|1|2", what, native_only,
     "-q argument given but no QoS specified.",
     "The highest quality of service to receive with. Default 2."},
    {option_id::reply, serve, "", "--reply", "TEXT", what, native_only,
     "--reply argument given but no text specified.",
     "Answer with this text; @FILE: with the contents of a file. Default: the request comes back as it is."},
    {option_id::execute, serve, "", "--exec", "COMMAND", what, native_only,
     "--exec argument given but no command specified.",
     "Answer with what a shell command prints; the request is its standard input, MQTT_TOPIC is in its environment."},
    {option_id::topic_map, replay, "", "--map", "FROM=TO", what, native_only,
     "--map argument given but no topics specified.",
     "Publish what was recorded at FROM to TO; 'a/#=b/#' moves a whole tree. May be repeated; the first that fits counts."},
    {option_id::only, check, "", "--only", "NAME,...", what, native_only,
     "--only argument given but no names specified.",
     "Run these probes only; their names stand in the table."},
    {option_id::assertion, check, "", "--assert", "NAME,...", what, native_only,
     "--assert argument given but no names specified.",
     "Exit with 3 unless these probes pass. May be repeated."},
    {option_id::protocol_version, decode, "-V", "--protocol-version", "VERSION", what, native_only,
     "--protocol-version argument given but no version specified.",
     "31, 311 or 5: the version, until a CONNECT tells. Default 5."},
    {option_id::directory, pages, "", "--dir", "DIR", what, native_only,
     "--dir argument given but no folder specified.",
     "Write all of them into files in this folder."},

    // -- how many, how long
    {option_id::count, serve | ping | record, "-C", "--count", "N", how_long, native_only,
     "-C argument given but no count specified.",
     "Stop after N of them."},
    {option_id::interval, ping | top, "", "--interval", "SECONDS", how_long, native_only,
     "--interval argument given but no time specified.",
     "Time from one to the next; fractions are allowed. Default 1."},
    {option_id::timeout, serve | ping | record | replay, "-W", "--timeout", "SECONDS", how_long, native_only,
     "-W argument given but no timeout specified.",
     "Stop after this time; fractions are allowed. Default: no limit."},
    {option_id::timeout, top, "-W", "--timeout", "SECONDS", how_long, native_only,
     "-W argument given but no timeout specified.",
     "Stop after this time; fractions are allowed. Default: no limit on a terminal, else 15."},
    {option_id::timeout, check, "-W", "--timeout", "SECONDS", how_long, native_only,
     "-W argument given but no timeout specified.",
     "Wait so long for one answer; fractions are allowed. Default 5."},
    {option_id::quiet_for, retained, "", "--quiet-for", "SECONDS", how_long, native_only,
     "--quiet-for argument given but no time specified.",
     "The list is complete when nothing has come for so long. Default 0.5."},
    {option_id::speed, replay, "", "--speed", "N|max", how_long, native_only,
     "--speed argument given but no factor specified.",
     "So many times as fast as recorded, or as fast as the broker takes it. Default 1."},

    // -- output
    {option_id::json, ping | retained | check | doctor | decode | top, "-j", "--json", "", output, native_only, "",
     "JSON instead of text; \"schema\" names its shape and version."},
    {option_id::verbose, retained, "-v", "--verbose", "", output, native_only, "",
     "ls: print the payload behind the topic, too."},
});
// clang-format on

}  // namespace

std::span<const option> tool_options_table() noexcept { return table; }

}  // namespace martlet::cli
