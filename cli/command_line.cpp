#include "command_line.hpp"

#include "exit_code.hpp"
#include "failure.hpp"
#include "help.hpp"
#include "options_file.hpp"
#include "standard_output.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace martlet::cli {

void command_line::put_before(std::vector<std::vector<std::string>> lines) {
    if (lines.empty()) return;
    arguments_ = rest_;
    rest_ = {};
    in_arguments_ = false;
    for (std::vector<std::string>& words : lines) {
        kept_.push_back(std::move(words));
        std::vector<char*>& line = lines_.emplace_back();
        for (std::string& word : kept_.back())
            line.push_back(word.data());
    }
}

/// False: there is none.
bool command_line::next_line() {
    if (in_arguments_) return false;
    if (lines_.empty()) {
        in_arguments_ = true;
        rest_ = arguments_;
    } else {
        line_ = std::move(lines_.front());
        lines_.pop_front();
        rest_ = line_;
    }
    return true;
}

const option* command_line::next() {
    if (failed()) return nullptr;
    if (attached_) {  // the option before did not take it
        fail(std::string(present_->long_name) + " takes no value.");
        return nullptr;
    }
    while (rest_.empty()) {
        if (!next_line()) return nullptr;
    }

    std::string_view token = rest_.front();
    skip(1);
    if (profile_ == profile::native) {
        if (token == "--") {
            for (; takes_operands_ && !rest_.empty(); skip(1))
                operands_.emplace_back(rest_.front());
            if (!rest_.empty()) fail("Unexpected argument '" + std::string(rest_.front()) + "'.");
            return nullptr;
        }
        if (takes_operands_ && (!token.starts_with('-') || token == "-")) {
            operands_.push_back(token);
            return next();
        }
        const std::size_t equals = token.find('=');
        if (token.starts_with("--") && equals != std::string_view::npos) {
            attached_ = token.substr(equals + 1);
            token = token.substr(0, equals);
        }
    }

    present_ = find_option(token, command_, profile_);
    if (present_ == nullptr) {
        attached_.reset();
        fail_unknown(token);
        return nullptr;
    }
    if (present_->available == availability::refused) {
        if (!present_->missing.empty() && !attached_ && rest_.empty()) {
            fail(std::string(present_->missing) + '\n');
            return nullptr;
        }
        attached_.reset();
        fail(std::string(token) + " is not supported: " + std::string(present_->help));
        return nullptr;
    }
    return present_;
}

std::optional<std::string_view> command_line::value() {
    if (attached_) {
        const std::string_view taken = *attached_;
        attached_.reset();
        return taken;
    }
    if (rest_.empty()) {
        fail(std::string(present_->missing) + '\n');
        return std::nullopt;
    }
    const std::string_view taken = rest_.front();
    skip(1);
    return taken;
}

std::optional<std::string> command_line::secret() {
    const std::optional<std::string_view> text = value();
    if (!text) return std::nullopt;
    std::string kept(*text);
    std::memset(const_cast<char*>(text->data()), 'x',
                text->size());  // argv's strings may be written to [C11 5.1.2.2.1]
    return kept;
}

std::optional<std::int64_t> command_line::number(std::int64_t low, std::int64_t high, std::string_view complaint) {
    const std::optional<std::string_view> text = value();
    if (!text) return std::nullopt;
    const bool lenient = profile_ == profile::mosquitto;
    const std::optional<std::int64_t> parsed = lenient ? std::strtoll(text->data(), nullptr, 10) : parse_integer(*text);
    if (parsed && *parsed >= low && *parsed <= high) return parsed;

    std::string sentence(complaint);
    if (const std::size_t gap = sentence.find("{}"); gap != std::string::npos) {
        sentence.replace(gap, 2, lenient ? std::to_string(*parsed) : std::string(*text));
    }
    fail(std::move(sentence));
    return std::nullopt;
}

bool command_line::fail(std::string text) {
    if (error_.empty()) {
        if (profile_ == profile::native) text.erase(text.find_last_not_of('\n') + 1);
        error_ = std::move(text);
    }
    return false;
}

bool command_line::fail_without_usage(std::string text) {
    if (!failed()) has_usage_ = false;
    return fail(std::move(text));
}

void command_line::fail_unknown(std::string_view token) {
    std::string text = "Unknown option '" + std::string(token) + "'.";
    if (profile_ == profile::native) {
        const std::string_view nearest = nearest_option(token, command_, profile_);
        const bool glued = token.size() > 2 && token[0] == '-' && token[1] != '-' &&
                           find_option(token.substr(0, 2), command_, profile_) != nullptr;
        if (!nearest.empty()) {
            text.append(" Did you mean ").append(nearest).append("?");
        } else if (glued) {
            text.append(" A value is a word of its own: ").append(token.substr(0, 2)) += ' ';
            text.append(token.substr(2));
        }
    }
    fail(std::move(text));
}

std::optional<int> read_options(command_line& in, std::string_view program,
                                const std::function<bool(const option&)>& take) {
    std::string complaint;
    in.put_before(collect_option_lines(in.rest(), in.command(), in.profile(), complaint));
    if (!complaint.empty()) in.fail(std::move(complaint));
    while (const option* const row = in.next()) {
        if (row->id == option_id::help || row->id == option_id::version) {
            const std::string text = row->id == option_id::help ? help_text(in.command(), in.profile(), program)
                                                                : std::string(version_text()) + '\n';
            print(text);
            return in.profile() == profile::mosquitto ? exit_failure : exit_ok;  // theirs fail, and scripts know it
        }
        if (row->id == option_id::options_file || row->id == option_id::context) {  // has been seen to
            static_cast<void>(in.value());
            continue;
        }
        if (!take(*row)) in.fail(std::string(row->long_name) + " is of no use here.");
    }
    if (in.failed()) return report_usage_error(in, program);
    return std::nullopt;
}

int report_usage_error(const command_line& in, std::string_view program) {
    if (!in.has_usage()) {
        complain(in.error());
        return exit_failure;
    }
    std::string text = "Error: " + in.error() + '\n';
    if (in.profile() == profile::mosquitto) text += '\n';
    text.append("Use '").append(program).append(" --help' to see usage.");
    complain(text);
    return exit_failure;
}

}  // namespace martlet::cli
