#include "faults/plan.hpp"

#include <boost/system/system_error.hpp>

#include <algorithm>
#include <ostream>
#include <utility>

namespace martlet {

namespace faults_impl {

// Steele, Lea, Flood: splitmix64.
std::uint64_t dice::next() noexcept {
    state_ += 0x9E37'79B9'7F4A'7C15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58'476D'1CE4'E5B9;
    z = (z ^ (z >> 27)) * 0x94D0'49BB'1331'11EB;
    return z ^ (z >> 31);
}

bool dice::falls(double chance) noexcept {
    if (chance >= 1) return true;
    return static_cast<double>(next() >> 11) * 0x1p-53 < chance;
}

std::uint64_t dice::between(std::uint64_t low, std::uint64_t high) noexcept {
    const std::uint64_t span = high - low + 1;
    return span == 0 ? next() : low + next() % span;
}

std::size_t plan::add(rule made) {
    rules_.push_back({std::move(made)});
    tell_watchers();
    return rules_.size() - 1;
}

void plan::remove(std::size_t number) noexcept {
    if (number < rules_.size()) rules_[number].removed = true;
}

void plan::clear() noexcept {
    for (live_rule& one : rules_)
        one.removed = true;
}

dice plan::dice_of(std::uint64_t connection) const noexcept {
    dice mixed(seed_ ^ (connection * 0xD6E8'FEB8'6659'FD93));
    return dice(mixed.next());
}

bool plan::needs_packets() const noexcept {
    return std::any_of(rules_.begin(), rules_.end(),
                       [](const live_rule& one) { return !one.removed && one.rule.needs_packets(); });
}

void plan::hit(live_rule& which, const fault_event& what) {
    ++which.hits;
    ++total_;
    if (told) told(what);
}

void plan::tell_watchers() {
    for (rule_watcher* const one : std::vector(watchers_))
        one->on_rules_changed();
}

}  // namespace faults_impl

faults::faults(std::uint64_t seed) : plan_(std::make_shared<faults_impl::plan>(seed)) {}

faults::~faults() = default;

boost::system::result<std::size_t, fault_rule_error> faults::add(std::string_view rule) {
    faults_impl::rule made;
    std::string problem;
    if (faults_impl::parse_rule(rule, made, problem)) return plan_->add(std::move(made));
    return fault_rule_error{errc::option_invalid, "'" + std::string(rule) + "': " + problem};
}

std::ostream& operator<<(std::ostream& out, const fault_rule_error& error) { return out << error.text; }

void throw_exception_from_error(const fault_rule_error& error, const boost::source_location&) {
    throw boost::system::system_error(error.code, error.text);
}

error_code faults::add_lines(std::string_view text, std::string* why) {
    std::vector<faults_impl::rule> made;
    for (std::size_t number = 1; !text.empty(); ++number) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
        line = line.substr(0, line.find_last_not_of(" \t\r") + 1);
        if (line.empty() || line.front() == '#') continue;
        std::string problem;
        if (faults_impl::parse_rule(line, made.emplace_back(), problem)) continue;
        if (why != nullptr) *why = "line " + std::to_string(number) + ": " + problem;
        return errc::option_invalid;
    }
    for (auto& one : made)
        static_cast<void>(plan_->add(std::move(one)));
    return {};
}

void faults::remove(std::size_t number) noexcept { plan_->remove(number); }

void faults::clear() noexcept { plan_->clear(); }

std::uint64_t faults::seed() const noexcept { return plan_->seed(); }

std::vector<fault_count> faults::counts() const {
    std::vector<fault_count> all;
    for (const auto& one : plan_->rules())
        all.push_back({one.rule.text, one.hits});
    return all;
}

std::uint64_t faults::total() const noexcept { return plan_->total(); }

std::uint64_t faults::connections() const noexcept { return plan_->connections(); }

void faults::on_fault(std::function<void(const fault_event&)> told) { plan_->told = std::move(told); }

}  // namespace martlet
