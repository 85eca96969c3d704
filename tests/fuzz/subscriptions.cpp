// Subscriptions that come and go, and topics: the broker's tree finds what a list finds.
#include "fuzz/compared_subscriptions.hpp"
#include "fuzz/input.hpp"

#include <martlet/topic.hpp>

#include <array>
#include <string>

using namespace martlet;

// Of few levels, so that they meet: "a", "b", a long one, "$c", none, and for filters the wildcards.
static std::string name(fuzz::input& in, bool is_filter) {
    static constexpr std::array levels{"a", "b", "longer-than-a-short-text", "$c", "", "+", "#"};
    std::string text;
    for (std::size_t left = 1 + in.below(5); left != 0; --left) {
        text += levels[in.below(is_filter ? levels.size() : levels.size() - 2)];
        if (left != 1) text += '/';
    }
    return text;
}

static std::string filter(fuzz::input& in) {
    static constexpr std::array prefixes{"", "", "$share/g/", "$share/another-group-of-members/"};
    const std::string prefix = prefixes[in.below(prefixes.size())];
    return prefix + name(in, true);
}

static broker_impl::subscription_options options(std::uint8_t byte) {
    return {.qos = static_cast<qos>(byte % 3),
            .no_local = (byte & 0x10) != 0,
            .retain_as_published = (byte & 0x20) != 0,
            .retain_handling = static_cast<retain_handling>(byte / 4 % 3),
            .identifier = byte / 64U};
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::input in(data, size);
    fuzz::compared_subscriptions subscriptions(in.byte());
    while (!in.empty()) {
        const std::size_t choice = in.byte();
        const auto session = static_cast<broker_impl::session_index>(choice / 8 % 6);
        if (choice % 8 < 3) {
            if (const std::string topic = name(in, false); !topic.empty()) subscriptions.find(topic);
        } else if (choice % 8 < 6) {
            const std::string wanted = filter(in);
            if (!is_valid_topic_filter(wanted)) continue;
            if (choice % 8 == 5) {
                subscriptions.erase(session, wanted);
            } else {
                subscriptions.put(session, wanted, options(in.byte()));
            }
        } else if (choice % 8 == 6) {
            subscriptions.set_connected(session, choice >= 128);
        } else {
            subscriptions.erase_all(session);
        }
    }
    return 0;
}
