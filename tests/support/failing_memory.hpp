// Allocations that fail on demand. Linking failing_memory.cpp replaces the program's operator new.
#pragma once

#include <cstdint>
#include <utility>

namespace martlet::test {

/// Allocations by operator new that have not been freed.
[[nodiscard]] std::int64_t living_allocations() noexcept;

/// Counts the allocations made inside of watch(), and lets some of them fail. One at a time, and one thread at a time.
class failing_memory {
public:
    /// From the `first` one on (beginning with 1) `count` allocations throw std::bad_alloc; 0: none does.
    failing_memory(std::uint64_t first, std::uint64_t count) noexcept;
    ~failing_memory();
    failing_memory(const failing_memory&) = delete;
    failing_memory& operator=(const failing_memory&) = delete;

    /// Runs what is being tested; pause() is for a test's own code that is called from there.
    template <class F>
    decltype(auto) watch(F&& f) {
        const scope on(true);
        return std::forward<F>(f)();
    }
    template <class F>
    decltype(auto) pause(F&& f) {
        const scope off(false);
        return std::forward<F>(f)();
    }

    /// From now on no allocation fails.
    void stop() noexcept;
    [[nodiscard]] std::uint64_t count() const noexcept;
    [[nodiscard]] bool has_failed() const noexcept;

private:
    class scope {
    public:
        explicit scope(bool on) noexcept;
        ~scope();
        scope(const scope&) = delete;
        scope& operator=(const scope&) = delete;

    private:
        bool before_;
    };
};

}  // namespace martlet::test
