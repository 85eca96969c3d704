// A store, used step by step: each call waits for its handler. And rows to put into it, with a text form to compare.
#pragma once

#include <martlet/core/outgoing_message.hpp>
#include <martlet/store.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace martlet::test {

struct loaded {
    error_code error;
    stored_state state;
};
[[nodiscard]] loaded load(store& from);
[[nodiscard]] error_code commit(store& to, std::vector<core::change> rows, std::uint64_t number = 1);
[[nodiscard]] std::vector<enqueued_row> enqueued(store& from, std::uint64_t after = 0, std::size_t count_max = 1'000);

/// Every row in one line of text, by its key.
using rows_as_text = std::map<std::string, std::string>;
[[nodiscard]] rows_as_text text_of(const stored_state& state);

/// Changes without end, by a seed: sessions come and go, and messages take their way through all states.
class change_generator {
public:
    explicit change_generator(std::uint64_t seed) : state_(seed) {}
    /// One to a few changes that belong together.
    [[nodiscard]] std::vector<core::change> next();

private:
    struct tracked {
        std::uint64_t order;
        core::outgoing_state state;
        core::outgoing what;
        std::uint16_t id;
    };
    struct session {
        core::session_row row;
        std::vector<tracked> outgoing;
        std::uint64_t next_order = 1;
        std::uint64_t next_released = 1;
    };
    [[nodiscard]] std::uint64_t random(std::uint64_t below);
    [[nodiscard]] std::string text(std::size_t size_max);
    [[nodiscard]] core::message_ref make_message(bool may_be_large = true);
    [[nodiscard]] session& any_session(std::vector<core::change>& rows);

    std::uint64_t state_;
    std::uint64_t last_key_ = 0;
    std::map<std::uint64_t, session> sessions_;
};

}  // namespace martlet::test
