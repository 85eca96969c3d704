#include "broker/topic_tree.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

using namespace martlet::broker_impl;

namespace {

std::vector<std::string> children(const topic_tree& tree, topic_tree::node_id of) {
    std::vector<std::string> levels;
    for (auto id = tree.first_child(of); id != topic_tree::none; id = tree.next_sibling(id)) {
        levels.emplace_back(tree.level(id));
    }
    return levels;
}

}  // namespace

TEST_CASE("short_text: keeps short and long strings through moves") {
    const std::string longest(65'535, 'x');
    for (const std::string& text :
         {std::string(), std::string("a"), std::string("fourteen bytes"), std::string("fifteen bytes!!"), longest}) {
        short_text first{text};
        CHECK(first.view() == text);

        short_text second(std::move(first));
        short_text third;
        third = std::move(second);

        CHECK(third.view() == text);
    }
}

TEST_CASE("level_reader: empty levels count") {
    const auto levels = [](std::string_view text) {
        std::vector<std::string> all;
        level_reader reader(text);
        for (std::string_view level; reader.next(level);)
            all.emplace_back(level);
        return all;
    };
    CHECK(levels("a") == std::vector<std::string>{"a"});
    CHECK(levels("/a") == std::vector<std::string>{"", "a"});
    CHECK(levels("a//b/") == std::vector<std::string>{"a", "", "b", ""});
}

TEST_CASE("topic_tree: children keep their order while others come and go") {
    topic_tree tree{string_hash(1)};
    const auto a = tree.add(topic_tree::root, "a");
    const auto b = tree.add(topic_tree::root, "b");
    const auto c = tree.add(topic_tree::root, "c");
    CHECK(tree.add(topic_tree::root, "b") == b);
    CHECK(children(tree, topic_tree::root) == std::vector<std::string>{"a", "b", "c"});

    tree.remove(b);
    CHECK(children(tree, topic_tree::root) == std::vector<std::string>{"a", "c"});
    CHECK(tree.child(topic_tree::root, "b") == topic_tree::none);

    tree.remove(a);
    static_cast<void>(tree.add(topic_tree::root, "d"));
    CHECK(children(tree, topic_tree::root) == std::vector<std::string>{"c", "d"});

    tree.remove(tree.child(topic_tree::root, "d"));
    static_cast<void>(tree.add(topic_tree::root, "e"));
    CHECK(children(tree, topic_tree::root) == std::vector<std::string>{"c", "e"});
    tree.remove(c);
    tree.remove(tree.child(topic_tree::root, "e"));
    CHECK(tree.is_leaf(topic_tree::root));
    CHECK(tree.size() == 1);
}

TEST_CASE("topic_tree: the same level under different parents is not the same node") {
    topic_tree tree{string_hash(2)};
    const auto a = tree.add(topic_tree::root, "a");
    const auto b = tree.add(topic_tree::root, "b");
    const auto ax = tree.add(a, "x");
    const auto bx = tree.add(b, "x");
    CHECK(ax != bx);
    CHECK(tree.child(a, "x") == ax);
    CHECK(tree.child(b, "x") == bx);
    CHECK(tree.parent(ax) == a);
}

TEST_CASE("hash_index: finds everything that was inserted and not erased") {
    hash_index index;
    const string_hash hash(3);
    const auto find = [&](std::uint32_t value) {
        return index.find(hash(value, 0), [&](std::uint32_t at) { return at == value; });
    };
    for (std::uint32_t i = 0; i < 5'000; ++i)
        index.insert(hash(i, 0), i);
    for (std::uint32_t i = 0; i < 5'000; i += 3)
        index.erase(hash(i, 0), i);
    for (std::uint32_t i = 0; i < 5'000; ++i)
        CHECK((find(i) == i) == (i % 3 != 0));
    for (std::uint32_t i = 0; i < 5'000; ++i) {
        if (i % 3 != 0) index.erase(hash(i, 0), i);
    }
    CHECK(index.size() == 0);
    CHECK(index.memory() <= 64 * 8);
}
