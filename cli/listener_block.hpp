// One listener of a configuration file: `listener`, `port` or `bind_address`, and the keys behind it that are about it.
#pragma once

#include "broker_settings.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace martlet::cli {

class listener_block {
public:
    /// `where` is the line that began it, for complaints.
    explicit listener_block(std::string where = {}) : where_(std::move(where)) {}

    /// True for keys that belong to a listener; with `per_listener` (per_listener_settings true) also those of users,
    /// rights and pre-shared keys.
    [[nodiscard]] static bool knows(std::string_view key, bool per_listener) noexcept;

    /// A key that it knows. False with the rule in `why`.
    bool read(std::string_view key, std::string_view value, std::string& why);

    void set_port(std::uint16_t port) noexcept { port_ = port; }
    void set_address(std::string_view address) { address_ = address; }
    void set_unix_path(std::string_view path) { unix_path_ = path; }
    void set_where(std::string where) { where_ = std::move(where); }
    [[nodiscard]] const std::string& where() const noexcept { return where_; }
    [[nodiscard]] bool has_place() const noexcept {
        return port_.has_value() || !address_.empty() || !unix_path_.empty();
    }
    /// The key that was read first; empty: none.
    [[nodiscard]] const std::string& first_key() const noexcept { return first_key_; }

    /// What all of it means. `psk_file` is that of the whole broker, if it has one. False with a line in `why`.
    bool finish(const std::string& psk_file, listener_settings& out, std::string& why) const;

private:
    [[nodiscard]] std::string url() const;

    std::string where_;
    std::string first_key_;
    std::optional<std::uint16_t> port_;
    std::string address_;
    std::string unix_path_;
    std::string domain_;  // ipv4, ipv6
    bool is_websocket_ = false;
    bool has_psk_ = false;
    std::string psk_file_;
    listener_options options_;
    accounts_options accounts_;
    std::optional<bool> allow_anonymous_;
};

}  // namespace martlet::cli
