// One heap of deadlines for all connections and sessions. An entry says when to look at somebody again, not that
// something is due: deadlines that move later all the time, as keep-alive does, cost nothing until the entry comes up.
#pragma once

#include <martlet/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace martlet::broker_impl {

class deadlines {
public:
    enum class kind : std::uint8_t { peer, session };
    struct entry {
        steady_time at;
        std::uint64_t order;  // of equal times the first one goes first
        std::uint64_t whom;
        kind what;
    };

    void push(steady_time at, kind what, std::uint64_t whom) {
        heap_.push_back({at, ++last_order_, whom, what});
        std::push_heap(heap_.begin(), heap_.end(), later);
    }
    [[nodiscard]] steady_time next() const noexcept { return heap_.empty() ? never : heap_.front().at; }
    /// Takes the first entry if its time has come.
    [[nodiscard]] bool pop(steady_time now, entry& out) {
        if (heap_.empty() || heap_.front().at > now) return false;
        out = heap_.front();
        std::pop_heap(heap_.begin(), heap_.end(), later);
        heap_.pop_back();
        return true;
    }
    /// An entry that pop() gave, for a later time. Cannot fail if nothing was pushed meanwhile.
    void put_back(steady_time at, const entry& e) { push(at, e.what, e.whom); }
    [[nodiscard]] std::size_t size() const noexcept { return heap_.size(); }
    /// Drops the entries for which `is_stale(kind, whom)`, and gives the memory back.
    template <class Stale>
    void compact(Stale&& is_stale) {
        std::erase_if(heap_, [&](const entry& e) { return is_stale(e.what, e.whom); });
        heap_.shrink_to_fit();
        std::make_heap(heap_.begin(), heap_.end(), later);
    }

private:
    static bool later(const entry& a, const entry& b) noexcept {
        return a.at != b.at ? a.at > b.at : a.order > b.order;
    }

    std::vector<entry> heap_;
    std::uint64_t last_order_ = 0;
};

}  // namespace martlet::broker_impl
