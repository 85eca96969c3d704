// Which streams a received message goes to: by subscription identifier where the server sends them, by topic match
// otherwise. Asked for the same topic again and again, which costs one comparison.
#pragma once

#include "client/stream_state.hpp"

#include <martlet/packets.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace martlet::detail {

class routes {
public:
    /// All live filters of the stream, from now on.
    void add(const stream_state_ptr& stream);
    void remove(const stream_state& stream);
    /// One filter of the stream is not live any more.
    void changed() noexcept { cache_is_valid_ = false; }

    /// The streams that claim the message, each once; valid until the next call.
    [[nodiscard]] std::span<const stream_state_ptr> match(const packets::publish& message);
    /// Another stream than `except` that has `filter` alive; null if none.
    [[nodiscard]] stream_state* find_filter(std::string_view filter,
                                            const stream_state* except = nullptr) const noexcept;
    [[nodiscard]] std::span<const stream_state_ptr> streams() const noexcept { return streams_; }

    /// True if one of the live filters of `stream` matches.
    [[nodiscard]] static bool claims(const stream_state& stream, std::string_view topic) noexcept;

private:
    [[nodiscard]] bool is_cached(const packets::publish& message) const noexcept;
    void find_by_identifiers(const packets::publish& message);
    void find_by_topic(std::string_view topic);

    std::vector<stream_state_ptr> streams_;
    std::unordered_map<std::uint32_t, stream_state_ptr> by_identifier_;
    bool has_rivals_ = false;  // two streams have the same filter: the server knows the later identifier only

    std::vector<stream_state_ptr> matches_;  // of the message asked for last
    std::string last_topic_;
    std::string last_section_;  // properties as they came: the same bytes hold the same identifiers
    std::vector<std::uint32_t> last_identifiers_;
    bool cache_is_valid_ = false;
};

}  // namespace martlet::detail
