// Bytes as an ACL file and as a password file: read or refused with a line that says why, and what was read answers.
#include "auth/acl_file.hpp"
#include "fuzz/input.hpp"
#include "fuzz/secret_file.hpp"

#include <martlet/password_file.hpp>
#include <martlet/topic.hpp>

#include <string>

using namespace martlet;
using fuzz::require;

namespace {

void read_rights(std::string_view text) {
    std::string why;
    const auto rights = auth_impl::acl::parse(text, "acl", why);
    require(rights.has_value() == why.empty(), "read, or a reason");
    if (!rights) return;
    client_info who;
    who.client_id = "c";
    for (const char* const name : {"", "joe"}) {
        who.user_name = name;
        for (const char* const topic : {"a", "a/b", "a/b/c", "$SYS/x"}) {
            const bool may_read = rights->allows(who, topic, auth_impl::access::read);
            const bool may_subscribe = rights->allows_subscription(who, topic, false);
            require(!may_subscribe || may_read, "a topic that may be subscribed to may be read");
            require(!may_subscribe || rights->allows_subscription(who, topic, true), "all of it is some of it");
        }
        static_cast<void>(rights->allows_subscription(who, "a/+/#", true));
    }
}

void read_users(std::string_view text) {
    static const fuzz::secret_file file;
    file.write(text);
    password_file users;
    std::string why;
    const bool is_read = users.read(file.path(), why);
    require(is_read == why.empty(), "read, or a reason");
    require(is_read || users.size() == 0, "a file that is refused changes nothing");
    for (const auto& [name, hash] : users.users())
        require(password_file::is_valid_user_name(name) && !hash.empty(), "users have names and hashes");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::input in(data, size);
    in.coin() ? read_rights(in.rest()) : read_users(in.rest());
    return 0;
}
