#include "live_view.hpp"

#include "interruption.hpp"
#include "summary.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

namespace martlet::cli::bench {
namespace {

constexpr std::size_t history_max = 60;
constexpr std::size_t gauge_width = 24;
constexpr std::size_t columns_min = 40;

std::size_t letters(std::string_view text) {
    std::size_t n = 0;
    for (const char c : text)
        n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    return n;
}

std::string left(std::string text, std::size_t width) {
    const std::size_t n = letters(text);
    return n < width ? std::string(width - n, ' ') + text : text;
}

std::string cut(const std::string& text, std::size_t columns) {
    std::size_t n = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80 && n++ == columns) return text.substr(0, i);
    }
    return text;
}

void remember(std::deque<double>& history, double value) {
    history.push_back(value);
    if (history.size() > history_max) history.pop_front();
}

std::string timing_line(const char* name, const histogram& h) {
    std::string out = "  " + std::string(name);
    out.resize(12, ' ');
    for (const double p : {50.0, 90.0, 99.0, 99.9, 100.0})
        out += left(h.empty() ? "-" : time_text(h.percentile(p)), 10);
    return out;
}

}  // namespace

std::string sparkline(const std::deque<double>& values) {
    static constexpr const char* bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const double greatest = values.empty() ? 0 : *std::max_element(values.begin(), values.end());
    std::string out;
    for (const double v : values) {
        const auto level = greatest > 0 ? static_cast<std::size_t>(v / greatest * 7.999) : 0;
        out += bars[std::min<std::size_t>(level, 7)];
    }
    return out;
}

std::string live_view::update(const progress& p) {
    if (style_ == style::off) return {};
    if (p.row != nullptr) {
        remember(rates_, p.row->received != 0 ? p.row->received : p.row->sent);
        remember(latencies_, static_cast<double>(p.row->e2e_p99));
    }
    return style_ == style::panel ? panel(p) : line(p);
}

std::string live_view::line(const progress& p) {
    std::string out;
    if (p.phase != phase_) {
        phase_ = p.phase;
        if (p.row == nullptr) out += phase_ + ' ' + std::to_string(p.clients) + " clients\n";
    }
    if (p.row == nullptr) return out;
    if (!std::exchange(has_header_, true)) {
        out += left("time", 8) + left("sent/s", 14) + left("acked/s", 14) + left("received/s", 14) +
               left("e2e p50", 11) + left("p99", 11) + left("max", 11) + left("lag p99", 11) + left("errors", 8) +
               "  phase\n";
    }
    const series_row& r = *p.row;
    const bool has_times = r.e2e_max != 0;
    out += left(decimal_text(r.at, 1), 8) + left(count_text(std::floor(r.sent)), 14) +
           left(count_text(std::floor(r.acked)), 14) + left(count_text(std::floor(r.received)), 14) +
           left(has_times ? time_text(r.e2e_p50) : "-", 11) + left(has_times ? time_text(r.e2e_p99) : "-", 11) +
           left(has_times ? time_text(r.e2e_max) : "-", 11) + left(r.lag_p99 != 0 ? time_text(r.lag_p99) : "-", 11) +
           left(std::to_string(r.errors), 8) + "  " + std::string(p.phase) + '\n';
    return out;
}

std::string live_view::panel(const progress& p) {
    const auto full = static_cast<std::size_t>(p.share * static_cast<double>(gauge_width));
    std::string gauge = "[" + std::string(full, '#') + std::string(gauge_width - full, '-') + "]";
    std::vector<std::string> lines;
    lines.push_back(describe(p.result->settings));
    if (p.row == nullptr) {
        lines.push_back(std::string(p.phase) + ' ' + std::to_string(p.clients_ready) + '/' + std::to_string(p.clients));
    } else {
        const series_row& r = *p.row;
        const tally& t = p.result->total;
        lines.push_back(gauge + ' ' + decimal_text(r.at, 1) + " s  " + std::string(p.phase) +
                        "   Ctrl-C: stop and report");
        lines.push_back("sent " + count_text(std::floor(r.sent)) + "   acked " + count_text(std::floor(r.acked)) +
                        "   received " + count_text(std::floor(r.received)) + " /s");
        std::string state = "duplicates " + std::to_string(t.duplicates) + "   reordered " +
                            std::to_string(t.reordered) + "   corrupt " + std::to_string(t.corrupt) + "   errors " +
                            std::to_string(r.errors) + "   generator " + decimal_text(100 * r.generator_cores, 0) +
                            " %";
        if (r.broker_cores > 0) state += "   broker " + decimal_text(100 * r.broker_cores, 0) + " %";
        if (r.broker_memory != 0) state += ' ' + bytes_text(static_cast<double>(r.broker_memory));
        lines.push_back(std::move(state));
        lines.push_back("rate     " + sparkline(rates_));
        lines.push_back("e2e p99  " + sparkline(latencies_));
        lines.push_back("  last      " + left("p50", 10) + left("p90", 10) + left("p99", 10) + left("p99.9", 10) +
                        left("max", 10));
        for (const timing which :
             {timing::e2e, timing::service, timing::lag, timing::ack, timing::connect, timing::suback}) {
            const auto index = static_cast<std::size_t>(which);
            const bool is_pause = which == timing::e2e && !p.result->total.times[index].empty();
            if (p.interval->times[index].empty() && !is_pause) continue;
            lines.push_back(timing_line(std::string(timing_names[index]).c_str(), p.interval->times[index]));
        }
    }
    std::string out;
    if (lines_up_ != 0) out += "\x1b[" + std::to_string(lines_up_) + 'A';
    out += '\r';
    for (const std::string& one : lines)
        out += cut(one, columns_ - 1) + "\x1b[K\n";
    out += "\x1b[J";
    lines_up_ = lines.size();
    return out;
}

std::optional<run_result> execute_watched(const run_settings& settings, run_failure& failure) {
    auto how = live_view::style::lines;
    std::size_t columns = 100;
    if (settings.is_quiet) {
        how = live_view::style::off;
    } else if (!settings.no_live && ::isatty(STDERR_FILENO) == 1) {
        winsize size{};
        if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0) columns = size.ws_col;
        if (columns >= columns_min) how = live_view::style::panel;
    }
    live_view view(how, columns);
    run_hooks hooks;
    hooks.is_interrupted = is_interrupted;
    hooks.watch = [&view](const progress& p) {
        const std::string text = view.update(p);
        if (!text.empty()) std::fwrite(text.data(), 1, text.size(), stderr);
    };
    return execute(settings, hooks, failure);
}

}  // namespace martlet::cli::bench
