// Bytes as texts that users write: mosquitto.conf, URLs, rules of faults. Each is read, or refused with one line that says
// why; a URL that is read means the same when it is written and read again.
#include "broker_config.hpp"
#include "faults/rule.hpp"
#include "fuzz/input.hpp"

#include <martlet/endpoint.hpp>

#include <string>

using namespace martlet;
using fuzz::require;

namespace {

void read_config(std::string_view text) {
    // Other files are not part of the input.
    for (const char* const key : {"include_dir", "psk_file"}) {
        if (text.find(key) != std::string_view::npos) return;
    }
    cli::broker_settings settings;
    std::string why;
    const bool is_read = cli::parse_broker_config(text, "conf", settings, why);
    require(is_read == why.empty(), "read, or a reason");
    if (!is_read) require(why.starts_with("conf:"), "a reason has its place");
}

void read_url(std::string_view text) {
    std::string_view why;
    const auto where = parse_endpoint(text, &why);
    require(where.has_value() || !why.empty(), "read, or a reason");
    if (!where) return;
    const auto again = parse_endpoint(to_string(*where));
    require(again.has_value() && to_string(*again) == to_string(*where), "the same when it is written and read again");
    require(again->host == where->host && again->port == where->port && again->scheme == where->scheme,
            "and the same place");
}

void read_rule(std::string_view text) {
    faults_impl::rule rule;
    std::string why;
    require(faults_impl::parse_rule(text, rule, why) == why.empty(), "read, or a reason");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::input in(data, size);
    switch (in.below(3)) {
        case 0: read_config(in.rest()); break;
        case 1: read_url(in.rest()); break;
        default: read_rule(in.rest()); break;
    }
    return 0;
}
