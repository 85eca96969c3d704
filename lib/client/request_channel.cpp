#include "client/request_channel.hpp"

#include <algorithm>

namespace martlet::detail {

bool request_channel::add_sent(operation& op, bool in_order) {
    if (in_order) {
        in_order_.push_back(&op);
        return true;
    }
    return sent_.emplace(op.request->correlation, &op).second;
}

operation* request_channel::take(const message& reply, bool in_order) noexcept {
    if (in_order) {
        if (in_order_.empty()) return nullptr;
        auto* const op = in_order_.front();
        in_order_.pop_front();
        return op;
    }
    const auto correlation = reply.properties().correlation_data;
    const auto at = correlation ? sent_.find(std::string(*correlation)) : sent_.end();
    if (at == sent_.end()) return nullptr;
    auto* const op = at->second;
    sent_.erase(at);
    return op;
}

operation* request_channel::take_any() noexcept {
    for (auto* const list : {&unsent_, &in_order_}) {
        if (list->empty()) continue;
        auto* const op = list->front();
        list->pop_front();
        return op;
    }
    if (sent_.empty()) return nullptr;
    auto* const op = sent_.begin()->second;
    sent_.erase(sent_.begin());
    return op;
}

void request_channel::remove(operation& op) noexcept {
    std::erase(unsent_, &op);
    std::erase(in_order_, &op);
    const auto at = sent_.find(op.request->correlation);
    if (at != sent_.end() && at->second == &op) sent_.erase(at);
}

}  // namespace martlet::detail
