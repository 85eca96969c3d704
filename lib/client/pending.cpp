#include "client/pending.hpp"

namespace martlet::detail {

std::uint64_t pending::add(operation& op) {
    if (first_free_ == none) {
        slots_.push_back({});
        first_free_ = static_cast<std::uint32_t>(slots_.size() - 1);
    }
    const auto index = first_free_;
    auto& s = slots_[index];
    first_free_ = s.next_free;
    s.op = &op;
    ++count_;
    op.token = std::uint64_t{s.generation} << 32 | index;
    return op.token;
}

operation* pending::find(std::uint64_t token) noexcept {
    const auto index = static_cast<std::uint32_t>(token);
    if (token == 0 || index >= slots_.size()) return nullptr;
    const auto& s = slots_[index];
    return s.generation == static_cast<std::uint32_t>(token >> 32) ? s.op : nullptr;
}

operation* pending::take(std::uint64_t token) noexcept {
    auto* const op = find(token);
    if (op == nullptr) return nullptr;
    const auto index = static_cast<std::uint32_t>(token);
    auto& s = slots_[index];
    op->token = 0;
    s.op = nullptr;
    if (++s.generation == 0) s.generation = 1;
    s.next_free = first_free_;
    first_free_ = index;
    --count_;
    return op;
}

}  // namespace martlet::detail
