// Topic aliases of one connection, one class per direction. Mappings die with the connection. MQTT 5 §3.3.2.3.4.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace martlet::core {

/// Receiver's side: what the peer's aliases stand for.
class topic_alias_receiver {
public:
    /// `maximum` is what we announced: aliases 1..maximum are accepted.
    void reset(std::uint16_t maximum) noexcept;
    [[nodiscard]] std::uint16_t maximum() const noexcept { return maximum_; }
    /// Sets or changes a mapping. Requires 1 ≤ alias ≤ maximum().
    void set(std::uint16_t alias, std::string_view topic);
    /// Empty if unmapped.
    [[nodiscard]] std::string_view find(std::uint16_t alias) const noexcept;

private:
    std::uint16_t maximum_ = 0;
    std::vector<std::string> topics_;  // grows to the highest alias used
};

/// Sender's side: gives aliases to the topics used last (least recently used goes first).
class topic_alias_sender {
public:
    /// `maximum` is what the peer announced, or less.
    void reset(std::uint16_t maximum) noexcept;
    [[nodiscard]] std::uint16_t maximum() const noexcept { return maximum_; }

    struct alias {
        std::uint16_t number = 0;  ///< 0: no alias for this topic
        bool known = false;        ///< the peer knows it: the topic name may be left out
    };
    /// The alias to send `topic` with; the caller does send it, so that the peer knows the mapping from then on.
    /// Requires maximum() > 0.
    [[nodiscard]] alias use(std::string_view topic);

private:
    struct mapping {
        std::string topic;
        std::uint16_t number;
    };
    struct mappings {
        std::list<mapping> by_use;  // most recently used first
        std::unordered_map<std::string_view, std::list<mapping>::iterator> by_topic;
    };
    std::uint16_t maximum_ = 0;
    std::unique_ptr<mappings> mappings_;  // null until the first use: most connections have none
};

}  // namespace martlet::core
