#include "statistics.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace martlet::cli::bench {
namespace {

constexpr std::size_t exact_max = 20;  // values in both sets together

std::vector<double> sorted(std::span<const double> values) {
    std::vector<double> out(values.begin(), values.end());
    std::sort(out.begin(), out.end());
    return out;
}

// How many of the orders of n and m values have each U: the recurrence over the greatest value's owner.
double exact_p(double u, std::size_t n, std::size_t m) {
    std::vector<std::vector<std::vector<double>>> ways(n + 1, std::vector<std::vector<double>>(m + 1));
    for (std::size_t i = 0; i <= n; ++i) {
        for (std::size_t j = 0; j <= m; ++j) {
            auto& here = ways[i][j];
            here.assign(i * j + 1, 0);
            if (i == 0 || j == 0) {
                here[0] = 1;
                continue;
            }
            for (std::size_t k = 0; k < here.size(); ++k) {
                if (k >= j && k - j < ways[i - 1][j].size()) here[k] += ways[i - 1][j][k - j];
                if (k < ways[i][j - 1].size()) here[k] += ways[i][j - 1][k];
            }
        }
    }
    const auto& all = ways[n][m];
    double total = 0;
    double extreme = 0;
    const double smaller = std::min(u, static_cast<double>(n * m) - u);
    for (std::size_t k = 0; k < all.size(); ++k) {
        total += all[k];
        if (static_cast<double>(k) <= smaller) extreme += all[k];
    }
    return std::min(1.0, 2 * extreme / total);
}

}  // namespace

double median(std::span<const double> values) {
    if (values.empty()) return 0;
    const auto v = sorted(values);
    const std::size_t middle = v.size() / 2;
    return v.size() % 2 == 1 ? v[middle] : (v[middle - 1] + v[middle]) / 2;
}

interval median_interval(std::span<const double> values, double confidence) {
    if (values.size() < 2) return {};
    const auto v = sorted(values);
    const std::size_t n = v.size();
    // The k least values lie below the median with the binomial distribution of n fair coins.
    const auto confidence_of = [n](std::size_t k) {
        double term = std::pow(0.5, static_cast<double>(n));
        double below = 0;
        for (std::size_t i = 0; i <= k; ++i) {
            below += term;
            term *= static_cast<double>(n - i) / static_cast<double>(i + 1);
        }
        return 1 - 2 * below;
    };
    std::size_t k = 0;
    while (2 * (k + 1) < n - 1 && confidence_of(k + 1) >= confidence)
        ++k;
    return {v[k], v[n - 1 - k], confidence_of(k)};
}

double mann_whitney(std::span<const double> a, std::span<const double> b) {
    if (a.empty() || b.empty()) return 1;
    double u = 0;
    bool has_ties = false;
    for (const double x : a) {
        for (const double y : b) {
            if (x == y) {
                u += 0.5;
                has_ties = true;
            } else if (x > y) {
                u += 1;
            }
        }
    }
    if (!has_ties && a.size() + b.size() <= exact_max) return exact_p(u, a.size(), b.size());

    const auto n = static_cast<double>(a.size());
    const auto m = static_cast<double>(b.size());
    std::vector<double> all(a.begin(), a.end());
    all.insert(all.end(), b.begin(), b.end());
    std::sort(all.begin(), all.end());
    double ties = 0;
    for (std::size_t i = 0; i < all.size();) {
        std::size_t end = i;
        while (end < all.size() && all[end] == all[i])
            ++end;
        const auto t = static_cast<double>(end - i);
        ties += t * t * t - t;
        i = end;
    }
    const double variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)));
    if (variance <= 0) return 1;
    const double z = std::max(0.0, std::fabs(u - n * m / 2) - 0.5) / std::sqrt(variance);
    return std::erfc(z / std::sqrt(2.0));
}

}  // namespace martlet::cli::bench
