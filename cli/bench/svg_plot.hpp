// A line or bar plot as inline SVG. Colours are classes of the page's style sheet, so that light and dark both work.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace martlet::cli::bench {

struct plot_series {
    std::string name;
    std::vector<std::pair<double, double>> points;
};

/// How numbers of an axis are written.
enum class axis_unit : unsigned char { number, time, percentile };

struct plot {
    std::string title;
    std::string x_name;
    std::string y_name;
    std::vector<plot_series> series;
    axis_unit x_unit = axis_unit::number;
    axis_unit y_unit = axis_unit::number;
    bool is_x_log = false;
    bool is_y_log = false;
    bool has_like_lines = false;  ///< that may lie on each other: the first ones are drawn broader, to be seen
    bool is_bars = false;         ///< of the first series; x is the left edge, the next point's x the right one
};

/// <svg …>; a note instead of lines when there are fewer than two points.
[[nodiscard]] std::string svg_text(const plot& p);

/// Text for HTML: & < > " escaped.
[[nodiscard]] std::string escaped(const std::string& text);

}  // namespace martlet::cli::bench
