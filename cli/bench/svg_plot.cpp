#include "svg_plot.hpp"

#include "quantities.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace martlet::cli::bench {
namespace {

constexpr double width = 720;
constexpr double height = 300;
constexpr double left_edge = 76;
constexpr double right_edge = 16;
constexpr double top_edge = 34;
constexpr double bottom_edge = 44;
constexpr int ticks_wanted = 5;

struct axis {
    double low = 0;
    double high = 1;
    bool is_log = false;
    double from = 0;  // pixels
    double to = 1;

    [[nodiscard]] double at(double value) const {
        if (is_log)
            return from + (to - from) * (std::log10(value) - std::log10(low)) / (std::log10(high) - std::log10(low));
        return from + (to - from) * (value - low) / (high - low);
    }
};

std::string px(double value) { return decimal_text(value, 1); }

std::string tick_text(double value, axis_unit unit) {
    if (unit == axis_unit::time) return value == 0 ? "0" : duration_text(value);
    if (unit == axis_unit::percentile) {
        const double percent = 100 * (1 - 1 / value);
        const int digits = std::max(0, static_cast<int>(std::lround(std::log10(value))) - 2);
        return value <= 1 ? "0 %" : decimal_text(percent, value > 100 ? digits : 0) + " %";
    }
    if (value >= 1e6) return decimal_text(value / 1e6, value < 1e7 ? 1 : 0) + "M";
    if (value >= 1e4) return decimal_text(value / 1e3, 0) + "k";
    return decimal_text(value, std::floor(value) == value || value >= 10 ? 0 : value < 1 ? 2 : 1);
}

std::vector<double> ticks(const axis& a) {
    std::vector<double> out;
    if (a.is_log) {
        for (double t = std::pow(10, std::ceil(std::log10(a.low) - 1e-9)); t <= a.high * 1.0001; t *= 10)
            out.push_back(t);
        return out;
    }
    const double rough = (a.high - a.low) / ticks_wanted;
    const double scale = std::pow(10, std::floor(std::log10(rough)));
    const double step = scale * (rough / scale < 1.5 ? 1 : rough / scale < 3.5 ? 2 : rough / scale < 7.5 ? 5 : 10);
    for (double t = std::ceil(a.low / step) * step; t <= a.high + step / 1000; t += step)
        out.push_back(t);
    return out;
}

axis make_axis(const plot& p, bool is_x) {
    axis a;
    a.is_log = is_x ? p.is_x_log : p.is_y_log;
    double low = std::numeric_limits<double>::max();
    double high = 0;
    for (const plot_series& s : p.series) {
        for (const auto& point : s.points) {
            const double v = is_x ? point.first : point.second;
            if (a.is_log && v <= 0) continue;
            low = std::min(low, v);
            high = std::max(high, v);
        }
    }
    if (low > high) low = high = 1;
    if (a.is_log) {
        a.low = std::pow(10, std::floor(std::log10(low) + 1e-9));
        a.high = std::pow(10, std::ceil(std::log10(high) - 1e-9));
        if (a.high <= a.low) a.high = a.low * 10;
    } else {
        a.low = is_x ? low : 0;
        a.high = is_x ? high : high * 1.08;
        if (a.high <= a.low) a.high = a.low + 1;
    }
    a.from = is_x ? left_edge : height - bottom_edge;
    a.to = is_x ? width - right_edge : top_edge;
    return a;
}

void add_grid(std::string& out, const plot& p, const axis& x, const axis& y) {
    for (const double t : ticks(y)) {
        const std::string at = px(y.at(t));
        out += "<line class='grid' x1='" + px(left_edge) + "' x2='" + px(width - right_edge) + "' y1='" + at +
               "' y2='" + at + "'/><text class='tick' text-anchor='end' x='" + px(left_edge - 6) + "' y='" +
               px(y.at(t) + 4) + "'>" + escaped(tick_text(t, p.y_unit)) + "</text>";
    }
    for (const double t : ticks(x)) {
        const std::string anchor = x.at(t) > width - 2 * right_edge - 10 ? "end" : "middle";  // inside of the picture
        out += "<line class='grid' y1='" + px(top_edge) + "' y2='" + px(height - bottom_edge) + "' x1='" + px(x.at(t)) +
               "' x2='" + px(x.at(t)) + "'/><text class='tick' text-anchor='" + anchor + "' x='" + px(x.at(t)) +
               "' y='" + px(height - bottom_edge + 16) + "'>" + escaped(tick_text(t, p.x_unit)) + "</text>";
    }
    out += "<text class='axis' text-anchor='middle' x='" + px((left_edge + width - right_edge) / 2) + "' y='" +
           px(height - 8) + "'>" + escaped(p.x_name) + "</text>";
    out += "<text class='axis' text-anchor='middle' transform='translate(14 " +
           px((top_edge + height - bottom_edge) / 2) + ") rotate(-90)'>" + escaped(p.y_name) + "</text>";
}

void add_lines(std::string& out, const plot& p, const axis& x, const axis& y) {
    double legend = left_edge + 8;
    for (std::size_t i = 0; i < p.series.size(); ++i) {
        const plot_series& s = p.series[i];
        std::string points;
        for (const auto& [vx, vy] : s.points) {
            if ((x.is_log && vx <= 0) || (y.is_log && vy <= 0)) continue;
            points += (points.empty() ? "" : " ") + px(x.at(vx)) + ',' + px(y.at(vy));
        }
        const std::string colour = "c" + std::to_string(i % 6);
        const auto above = static_cast<double>(p.series.size() - 1 - i);
        const std::string width_style =
            p.has_like_lines ? "' style='stroke-width:" + px(1.4 + 2.2 * above) + "px" : std::string();
        out += "<polyline class='line " + colour + width_style + "' points='" + points + "'><title>" + escaped(s.name) +
               "</title></polyline>";
        out += "<rect class='key " + colour + "' x='" + px(legend) + "' y='" + px(top_edge + 3) +
               "' width='12' height='4'/>";
        out += "<text class='legend' x='" + px(legend + 17) + "' y='" + px(top_edge + 10) + "'>" + escaped(s.name) +
               "</text>";
        legend += 34 + 7.2 * static_cast<double>(s.name.size());
    }
}

void add_bars(std::string& out, const plot& p, const axis& x, const axis& y) {
    const auto& points = p.series.front().points;
    for (std::size_t i = 0; i + 1 < points.size(); ++i) {
        if (points[i].second <= 0 || (x.is_log && points[i].first <= 0)) continue;
        const double left = x.at(points[i].first);
        const double top = y.at(points[i].second);
        out += "<rect class='bar c0' x='" + px(left) + "' y='" + px(top) + "' width='" +
               px(std::max(0.5, x.at(points[i + 1].first) - left - 0.5)) + "' height='" +
               px(std::max(0.5, height - bottom_edge - top)) + "'><title>" +
               escaped(tick_text(points[i].first, p.x_unit)) + ": " + count_text(points[i].second) + "</title></rect>";
    }
}

}  // namespace

std::string svg_text(const plot& p) {
    std::string out = "<svg viewBox='0 0 " + px(width) + ' ' + px(height) + "' role='img' aria-label='" +
                      escaped(p.title) + "'><text class='title' x='" + px(left_edge) + "' y='18'>" + escaped(p.title) +
                      "</text>";
    const bool has_points =
        std::any_of(p.series.begin(), p.series.end(), [](const auto& s) { return s.points.size() > 1; });
    if (!has_points) return out + "<text class='axis' x='" + px(left_edge) + "' y='60'>too little data</text></svg>";
    const axis x = make_axis(p, true);
    const axis y = make_axis(p, false);
    add_grid(out, p, x, y);
    if (p.is_bars) {
        add_bars(out, p, x, y);
    } else {
        add_lines(out, p, x, y);
    }
    return out + "</svg>\n";
}

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            case '\'': out += "&#39;"; break;
            default: out += c;
        }
    }
    return out;
}

}  // namespace martlet::cli::bench
