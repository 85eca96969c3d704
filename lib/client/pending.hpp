// What the engine calls an operation: a number that finds it in one access, and nothing once it is gone.
#pragma once

#include "client/completion.hpp"

#include <cstdint>
#include <vector>

namespace martlet::detail {

/// Numbers have a generation, so that one that the engine still has in its session (a cancelled publish stays under way)
/// never meets a later operation.
class pending {
public:
    /// Names an operation, until it is taken.
    [[nodiscard]] std::uint64_t add(operation& op);
    /// The operation, which loses its name; null if it has none any more.
    [[nodiscard]] operation* take(std::uint64_t token) noexcept;
    /// The operation, which keeps its name; null if it has none any more.
    [[nodiscard]] operation* find(std::uint64_t token) noexcept;
    /// How many there are.
    [[nodiscard]] std::size_t count() const noexcept { return count_; }

private:
    struct slot {
        operation* op = nullptr;
        std::uint32_t generation = 1;
        std::uint32_t next_free = none;
    };
    static constexpr std::uint32_t none = 0xFFFF'FFFF;

    std::vector<slot> slots_;
    std::uint32_t first_free_ = none;
    std::size_t count_ = 0;
};

}  // namespace martlet::detail
