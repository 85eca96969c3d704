// How sub, rr and replay show a received message: -v, -F, -N and their kin.
#pragma once

#include "command_line.hpp"
#include "message_format.hpp"
#include "text_output.hpp"

#include <martlet/message.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace martlet::cli {

struct output_settings {
    bool verbose = false;
    bool end_of_line = true;
    bool pretty = false;
    std::optional<std::string> format_text;
    std::optional<message_format> format;
    bool skip_retained = false;
    std::optional<double> random_filter;  ///< per cent
    /// Without -D subscribe subscription-identifier the client chooses one, which is not the user's business.
    bool shows_subscription_identifiers = false;
};

/// Takes `row`, which `in` just returned, if it is one of these options. True if so, also after a failure.
bool read_output_option(const option& row, command_line& in, output_settings& out);
/// Compiles the format when all is known. False after a failure.
bool finish_output_options(command_line& in, output_settings& settings);

class message_printer {
public:
    /// `tell` gets complaints about payloads, each a line. All must outlive this object.
    message_printer(const output_settings& settings, profile p, std::function<void(std::string_view)> tell)
        : settings_(settings), profile_(p), tell_(std::move(tell)) {}

    void print(const message& m, std::string& out) const;

private:
    void print_plain(const message& m, std::string& out) const;

    const output_settings& settings_;
    profile profile_;
    std::function<void(std::string_view)> tell_;
};

}  // namespace martlet::cli
