// Users and rights that differ from listener to listener: per_listener_settings of the configuration file.
#pragma once

#include "broker_settings.hpp"

#include <martlet/accounts.hpp>
#include <martlet/authenticator.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string>
#include <vector>

namespace martlet::cli {

/// Asks the accounts of the listener that a client came by. A session that was loaded from a store and has not been
/// resumed may receive what one of them allows; its rights are looked at again when it is resumed.
class listener_accounts final : public authenticator {
public:
    /// Null if a file is wrong: one line in `why`.
    [[nodiscard]] static std::shared_ptr<listener_accounts> open(const boost::asio::any_io_executor& executor,
                                                                 const broker_settings& settings, std::string& why);

    /// Reads the files of `settings`, whose listeners are the same. False with a line in `why`.
    [[nodiscard]] bool reload(const broker_settings& settings, std::string& why);

    void authenticate(const authentication_request& request, authentication_handler done) override;
    void forget(std::uint64_t connection) override;
    [[nodiscard]] bool may_publish(const client_info& client, std::string_view topic) override;
    [[nodiscard]] bool may_subscribe(const client_info& client, std::string_view filter) override;
    [[nodiscard]] bool may_receive(const client_info& client, std::string_view topic) override;
    [[nodiscard]] bool may_stay(const client_info& client) override;
    [[nodiscard]] std::uint64_t rights_generation() const noexcept override;

private:
    template <class F>
    [[nodiscard]] bool ask(const client_info& client, F&& question);

    std::vector<std::shared_ptr<accounts>> all_;  // in the order of the listeners
};

/// What a listener's own keys mean for its clients.
[[nodiscard]] accounts_options accounts_of(const listener_settings& listener, const broker_settings& settings);

}  // namespace martlet::cli
