// Users and their rights from mosquitto's password and ACL files, as the authenticator of a broker.
//
//   auto users = martlet::accounts::open(io.get_executor(), {.password_file = "users", .acl_file = "rights"}, &why);
//   martlet::broker broker(io, {.authenticator = users});
//
// The ACL file, line by line:
//   topic [read|write|readwrite|deny] FILTER     of the user above it; before the first `user`: of anonymous clients
//   user NAME
//   pattern [read|write|readwrite|deny] FILTER   of everybody; %c is the client id, %u the user name
//   # comment
// Without an access word it is readwrite. What no line allows is forbidden; a deny goes before the allowing lines of the
// same kind (topic or pattern), and the topic lines of a user go before the patterns. A leading wildcard does not cover
// topics that begin with '$'.
#pragma once

#include <martlet/authenticator.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace martlet {

struct accounts_options {
    std::string password_file = {};      ///< empty: there are no users, and only anonymous clients can be let in
    std::string acl_file = {};           ///< empty: everybody who is let in may do everything
    bool allow_anonymous = false;        ///< clients without a user name
    bool allow_local_anonymous = false;  ///< the same for clients of this machine
    /// A SUBSCRIBE is granted if one line of the ACL covers all of its filter. True: already if a line covers a part of
    /// it, as mosquitto does; what may not be received is left out at each delivery either way.
    bool partial_subscriptions = false;
    /// Without a password file: user names are what the client says. Only where something else has checked them.
    bool trust_user_names = false;
    bool scram_sha_256 = true;  ///< offers enhanced authentication to users with a SCRAM-SHA-256 hash
    bool scram_sha_512 = true;  ///< the same with a SCRAM-SHA-512 hash

    // Passwords are hashed on threads of their own, started when the first one comes.
    unsigned hash_threads = 1;        ///< 1..64
    std::size_t hash_queue_max = 64;  ///< connections that wait for a thread; more are refused with 0x89, Server busy
};

/// Everything is called on the executor, except where said otherwise.
class accounts : public authenticator {
public:
    /// Null if a file is wrong: then \p detail, if given, gets one line with file, line and rule.
    [[nodiscard]] static std::shared_ptr<accounts> open(boost::asio::any_io_executor executor,
                                                        const accounts_options& options, std::string* detail = nullptr);
    ~accounts() override;

    /// Reads the files anew. False: something is wrong, and everything is as it was. Otherwise the broker looks at the
    /// rights of its clients again, and closes those whose users are gone. hash_threads and hash_queue_max stay.
    [[nodiscard]] bool reload(const accounts_options& options, std::string* detail = nullptr);
    [[nodiscard]] bool reload(std::string* detail = nullptr);

    void authenticate(const authentication_request& request, authentication_handler done) override;
    void forget(std::uint64_t connection) override;
    [[nodiscard]] bool may_publish(const client_info& client, std::string_view topic) override;
    [[nodiscard]] bool may_subscribe(const client_info& client, std::string_view filter) override;
    [[nodiscard]] bool may_receive(const client_info& client, std::string_view topic) override;
    [[nodiscard]] bool may_stay(const client_info& client) override;
    [[nodiscard]] std::uint64_t rights_generation() const noexcept override;

private:
    class impl;
    explicit accounts(std::unique_ptr<impl> made);
    std::unique_ptr<impl> impl_;
};

}  // namespace martlet
