// The report as one page that needs nothing else: no script, no font, no image from elsewhere.
#pragma once

#include "result.hpp"
#include "svg_plot.hpp"

#include <span>
#include <string>
#include <string_view>

namespace martlet::cli::bench {

/// One section per result; with several, a table and plots of all of them come first.
[[nodiscard]] std::string html_report(std::span<const run_result> results);

/// A page around `body`.
[[nodiscard]] std::string html_page(const std::string& title, const std::string& body);

/// Percentiles over 1/(1-p), for one histogram.
[[nodiscard]] plot_series percentile_curve(std::string name, const histogram& h);
[[nodiscard]] plot percentile_plot(std::string title);

}  // namespace martlet::cli::bench
