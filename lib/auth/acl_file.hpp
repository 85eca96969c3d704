// Mosquitto's ACL files as a value; see <martlet/accounts.hpp> for the syntax.
#pragma once

#include <martlet/authenticator.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace martlet::auth_impl {

enum class access : std::uint8_t { none = 0, read = 1, write = 2, read_write = 3 };

class acl {
public:
    /// Nothing, and one line in `why`, if a line is wrong or there is no rule at all.
    [[nodiscard]] static std::optional<acl> parse(std::string_view text, std::string_view file_name, std::string& why);

    /// `wanted`: read or write.
    [[nodiscard]] bool allows(const client_info& client, std::string_view topic, access wanted) const;
    /// True if one line lets the client read all topics of `filter` and no deny forbids all of them; with `partly`, if
    /// one line lets it read some of them.
    [[nodiscard]] bool allows_subscription(const client_info& client, std::string_view filter, bool partly) const;
    /// False if a client id or user name could be taken for a part of a pattern: CVE-2017-7650.
    [[nodiscard]] bool is_safe_name(std::string_view name) const noexcept;

    /// True if it matters who a user is.
    [[nodiscard]] bool depends_on_users() const noexcept;

private:
    struct rule {
        access rights;
        std::string filter;
        bool has_client_id = false;  // %c, %u of a pattern
        bool has_user_name = false;
    };
    using rules = std::vector<rule>;  // denials first
    struct hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
    };

    [[nodiscard]] const rules& of(const client_info& client) const noexcept;
    template <class F>
    [[nodiscard]] std::optional<bool> first(const rules& list, const client_info& client, F&& decides) const;
    [[nodiscard]] static bool expand(const rule& r, const client_info& client, std::string& out);

    rules anonymous_;
    rules patterns_;
    rules nothing_;
    std::unordered_map<std::string, rules, hash, std::equal_to<>> users_;
};

/// True if every topic that matches `inner` matches `outer`, too. Both are valid and not shared.
[[nodiscard]] bool covers(std::string_view outer, std::string_view inner) noexcept;
/// True if some topic matches both.
[[nodiscard]] bool overlaps(std::string_view a, std::string_view b) noexcept;

}  // namespace martlet::auth_impl
