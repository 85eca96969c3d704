// Bytes as what users give the tools: an options file, the words of a command line (one a line), an output format. Each is
// taken, or refused with one sentence that says why.
#include "fuzz/input.hpp"
#include "message_format.hpp"
#include "options_file.hpp"
#include "sub_options.hpp"

#include <martlet/topic.hpp>

#include <algorithm>
#include <string>
#include <variant>

using namespace martlet;
using namespace martlet::cli;
using fuzz::require;

namespace {

// The lines of a file, then words, one a line, as sub reads them.
void read_options(std::vector<option_line> file, std::string text, profile p) {
    std::replace(text.begin(), text.end(), '\n', '\0');
    std::vector<char*> words;
    for (std::size_t at = 0; at < text.size(); at += std::string_view(text.data() + at).size() + 1)
        words.push_back(text.data() + at);
    command_line in(words, command::sub, p);
    in.put_before(std::move(file));
    sub_settings settings;
    settings.connection = default_settings(p);
    while (const option* const row = in.next()) {
        if (row->id == option_id::help || row->id == option_id::version) return;
        const bool is_seen_to = row->id == option_id::options_file || row->id == option_id::context;
        if (is_seen_to ? !in.value() : !read_sub_option(*row, in, settings)) in.fail("It is not supported.");
    }
    const bool is_taken = !in.failed() && finish_sub_options(in, settings);
    require(is_taken == !in.failed() && in.failed() == !in.error().empty(), "taken, or a reason");
    if (!is_taken) return;
    for (const std::string& filter : settings.filters)
        require(is_valid_topic_filter(filter), "filters are filters");
    static_cast<void>(to_client_options(settings.connection));
    require(!destination(settings.connection).empty(), "it leads somewhere");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::input in(data, size);
    const profile p = in.coin() ? profile::mosquitto : profile::native;
    const std::size_t what = in.below(3);
    std::string text(in.rest());
    if (text.find("password-file") != std::string::npos) return 0;  // files are not part of the input
    const std::string sections[] = {"", "sub"};
    if (what == 0) read_options(parse_options_file(text, sections, p), "-t\na", p);
    if (what == 1) read_options({}, std::move(text), p);
    if (what != 2) return 0;
    const auto format = message_format::compile(text);
    require(std::holds_alternative<message_format>(format) || !std::get<std::string>(format).empty(), "or a reason");
    return 0;
}
