// Topics or filters by level. Nodes are numbers; all edges stand in one hash table keyed by parent and level, so going
// down one level is one look-up however many siblings there are. Siblings are also chained, for those who need them all.
#pragma once

#include "broker/hash_index.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace martlet::broker_impl {

/// A string of at most 65,535 bytes in 16: up to 14 bytes stand inside.
class short_text {
public:
    short_text() noexcept = default;
    explicit short_text(std::string_view text);
    short_text(short_text&& other) noexcept : short_text() { swap(other); }
    short_text& operator=(short_text&& other) noexcept {
        short_text moved(std::move(other));
        swap(moved);
        return *this;
    }
    ~short_text() {
        if (size_ > local_max) delete[] far();
    }

    [[nodiscard]] std::string_view view() const noexcept { return {size_ > local_max ? far() : local_, size_}; }
    [[nodiscard]] std::size_t memory() const noexcept { return size_ > local_max ? size_ : 0; }
    void swap(short_text& other) noexcept {
        std::swap(size_, other.size_);
        std::swap(local_, other.local_);
    }

private:
    static constexpr std::size_t local_max = 14;
    [[nodiscard]] char* far() const noexcept {
        char* pointer = nullptr;
        std::memcpy(&pointer, local_ + 6, sizeof pointer);
        return pointer;
    }

    std::uint16_t size_ = 0;
    alignas(2) char local_[local_max] = {};
};
static_assert(sizeof(short_text) == 16);

/// Takes the levels of a topic or filter one after the other, without recursion.
class level_reader {
public:
    explicit level_reader(std::string_view text) noexcept : rest_(text) {}

    [[nodiscard]] bool next(std::string_view& level) noexcept {
        if (ended_) return false;
        const auto separator = rest_.find('/');
        level = rest_.substr(0, separator);
        ended_ = separator == std::string_view::npos;
        if (!ended_) rest_.remove_prefix(separator + 1);
        return true;
    }
    /// True if next() gave the last level.
    [[nodiscard]] bool ended() const noexcept { return ended_; }
    /// What follows the level that next() gave. Requires !ended().
    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

private:
    std::string_view rest_;
    bool ended_ = false;
};

class topic_tree {
public:
    using node_id = std::uint32_t;
    static constexpr node_id none = hash_index::none;
    static constexpr node_id root = 0;

    explicit topic_tree(string_hash hash);

    [[nodiscard]] const string_hash& hash() const noexcept { return hash_; }

    /// The child for a level whose hash has been computed with hash(); none if there is none.
    [[nodiscard]] node_id child(node_id parent, std::string_view level, std::uint32_t level_hash) const {
        return edges_.find(hash_(parent, level_hash), [&](node_id id) {
            const node& n = nodes_[id];
            return n.parent == parent && n.level.view() == level;
        });
    }
    [[nodiscard]] node_id child(node_id parent, std::string_view level) const {
        return child(parent, level, hash_(level));
    }

    /// Finds or makes the child.
    [[nodiscard]] node_id add(node_id parent, std::string_view level);
    /// Requires: no children, not the root.
    void remove(node_id id);

    [[nodiscard]] node_id parent(node_id id) const noexcept { return nodes_[id].parent; }
    [[nodiscard]] std::string_view level(node_id id) const noexcept { return nodes_[id].level.view(); }
    /// Children in the order in which they were made: first_child(), then next_sibling() until none.
    [[nodiscard]] node_id first_child(node_id id) const noexcept { return nodes_[id].first_child; }
    [[nodiscard]] node_id next_sibling(node_id id) const noexcept { return nodes_[id].next; }
    [[nodiscard]] bool is_leaf(node_id id) const noexcept { return nodes_[id].first_child == none; }

    /// All nodes, the root included; their numbers are below bound().
    [[nodiscard]] std::size_t size() const noexcept { return nodes_.size(); }
    [[nodiscard]] node_id bound() const noexcept { return nodes_.bound(); }
    [[nodiscard]] std::size_t memory() const noexcept { return nodes_.memory() + edges_.memory(); }

private:
    struct node {
        short_text level;
        node_id parent = none;
        node_id first_child = none;
        node_id next = none;
        node_id previous = none;  // of a first child: the last one, so that appending is one step
    };

    string_hash hash_;
    slab<node> nodes_;
    hash_index edges_;
};

}  // namespace martlet::broker_impl
