#include "broker/topic_tree.hpp"

#include <cassert>

namespace martlet::broker_impl {

short_text::short_text(std::string_view text) : size_(static_cast<std::uint16_t>(text.size())) {
    assert(text.size() <= 0xFFFF);
    if (text.size() <= local_max) {
        if (!text.empty()) std::memcpy(local_, text.data(), text.size());
        return;
    }
    char* const pointer = new char[text.size()];
    std::memcpy(pointer, text.data(), text.size());
    std::memcpy(local_ + 6, &pointer, sizeof pointer);
}

topic_tree::topic_tree(string_hash hash) : hash_(hash) {
    const node_id first = nodes_.add();
    assert(first == root);
    static_cast<void>(first);
}

topic_tree::node_id topic_tree::add(node_id parent, std::string_view level) {
    const std::uint32_t level_hash = hash_(level);
    if (const node_id found = child(parent, level, level_hash); found != none) return found;

    short_text text(level);
    edges_.reserve(1);
    const node_id id = nodes_.add();  // from here on nothing can fail
    nodes_[id].level = std::move(text);
    nodes_[id].parent = parent;
    const node_id first = nodes_[parent].first_child;
    if (first == none) {
        nodes_[parent].first_child = id;
        nodes_[id].previous = id;
    } else {
        const node_id last = nodes_[first].previous;
        nodes_[last].next = id;
        nodes_[id].previous = last;
        nodes_[first].previous = id;
    }
    edges_.insert(hash_(parent, level_hash), id);
    return id;
}

void topic_tree::remove(node_id id) {
    assert(id != root && is_leaf(id));
    const node_id parent = nodes_[id].parent;
    edges_.erase(hash_(parent, hash_(nodes_[id].level.view())), id);

    const node_id next = nodes_[id].next;
    const node_id previous = nodes_[id].previous;
    const node_id first = nodes_[parent].first_child;
    if (id == first) {
        nodes_[parent].first_child = next;
        if (next != none) nodes_[next].previous = previous;
    } else {
        nodes_[previous].next = next;
        nodes_[next != none ? next : first].previous = previous;
    }
    nodes_.remove(id);
}

}  // namespace martlet::broker_impl
