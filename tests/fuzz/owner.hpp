// An owner of one connection that does something about every event, and writes down all that happens.
#pragma once

#include <martlet/core/connection.hpp>

#include <string>
#include <string_view>

namespace martlet::fuzz {

/// What a run begins with.
struct owner_options {
    role own_role{};
    protocol_version version{};
    bool after_handshake = false;  ///< the peer's first packet, a good one, has come
    bool with_journal = false;
};

class owner {
public:
    explicit owner(const owner_options& options);

    /// One piece of input: takes its events.
    void receive(std::string_view bytes);
    /// The transport is gone.
    void close();

    [[nodiscard]] const std::string& events() const noexcept { return events_; }
    /// All that was written. With a journal its order depends on when commits come.
    [[nodiscard]] const std::string& written() const noexcept { return written_; }
    [[nodiscard]] bool is_closing() const noexcept { return connection_.is_closing(); }

private:
    void handle(const core::event& e);
    void speak();
    void settle();
    void note(const core::event& e);

    instant now_;
    core::buffer_pool pool_;
    core::changes journal_;
    core::session session_;
    core::connection connection_;
    protocol_version version_;
    std::string events_;
    std::string written_;
};

}  // namespace martlet::fuzz
