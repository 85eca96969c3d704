// What a subscription is to the engine: filters, what the server granted, where its messages wait.
#pragma once

#include "client/inbox.hpp"

#include <martlet/client_options.hpp>
#include <martlet/error.hpp>
#include <martlet/packets.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace martlet::detail {

struct stream_state {
    enum class phase_type : std::uint8_t {
        open,     ///< asked for or granted; messages are welcome
        leaving,  ///< an UNSUBSCRIBE is under way: messages are acknowledged and thrown away
        ended,
    };

    explicit stream_state(inbox_limits limits) noexcept : box(limits) {}
    stream_state(const stream_state&) = delete;
    stream_state& operator=(const stream_state&) = delete;

    std::vector<std::string> filters;            ///< as asked for
    std::vector<subscription_request> requests;  ///< views into `filters`; their options
    std::vector<reason_code> granted;            ///< by filter; empty until the first SUBACK
    std::vector<bool> live;                      ///< by filter: not refused, not unsubscribed
    std::vector<owned_user_property> user_properties;
    std::uint32_t identifier = 0;  ///< unique among this client's streams
    inbox box;
    bool has_given_identifier = false;  ///< the user's choice
    bool manual_acknowledgement = false;
    phase_type phase = phase_type::open;
    error_code end_reason;  ///< why it ended

    // the engine's bookkeeping
    bool is_full = false;      ///< counted among the streams that hold up reading
    bool is_woken = false;     ///< stands on the list of streams with news
    bool is_dropping = false;  ///< the event about it was told

    [[nodiscard]] bool has_live_filter() const noexcept {
        for (const bool one : live) {
            if (one) return true;
        }
        return false;
    }
};

using stream_state_ptr = std::shared_ptr<stream_state>;

}  // namespace martlet::detail
