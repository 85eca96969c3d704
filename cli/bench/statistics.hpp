// What two sets of runs say about each other.
#pragma once

#include <span>
#include <vector>

namespace martlet::cli::bench {

/// 0 if there are no values.
[[nodiscard]] double median(std::span<const double> values);

struct interval {
    double low = 0;
    double high = 0;
    double confidence = 0;  ///< that the median lies in it; 0: too few values for any
};
/// The narrowest interval of order statistics that holds the median with at least `confidence`, without any assumption
/// about the distribution; with few values the widest there is, and what confidence it has.
[[nodiscard]] interval median_interval(std::span<const double> values, double confidence);

/// Two-sided p-value of the Mann-Whitney U test: exact for up to 20 values without ties, else the normal approximation
/// with the correction for ties. 1 if one set is empty.
[[nodiscard]] double mann_whitney(std::span<const double> a, std::span<const double> b);

}  // namespace martlet::cli::bench
