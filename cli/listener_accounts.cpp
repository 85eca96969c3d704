#include "listener_accounts.hpp"

#include <algorithm>
#include <utility>

namespace martlet::cli {

accounts_options accounts_of(const listener_settings& listener, const broker_settings& settings) {
    accounts_options options = listener.accounts;
    options.allow_anonymous = listener.allow_anonymous.value_or(false);
    options.allow_local_anonymous = listener.allow_anonymous.value_or(options.password_file.empty());
    options.trust_user_names =
        options.password_file.empty() && listener.options && listener.options->use_identity_as_user_name;
    options.partial_subscriptions = settings.accounts.partial_subscriptions;
    options.hash_threads = settings.accounts.hash_threads;
    options.hash_queue_max = settings.accounts.hash_queue_max;
    return options;
}

std::shared_ptr<listener_accounts> listener_accounts::open(const boost::asio::any_io_executor& executor,
                                                           const broker_settings& settings, std::string& why) {
    auto made = std::make_shared<listener_accounts>();
    for (const listener_settings& one : settings.listeners) {
        made->all_.push_back(accounts::open(executor, accounts_of(one, settings), &why));
        if (made->all_.back() == nullptr) return nullptr;
    }
    return made;
}

// Accounts change one by one: whoever calls this has looked at all files before, as check_settings() does.
bool listener_accounts::reload(const broker_settings& settings, std::string& why) {
    if (settings.listeners.size() != all_.size()) {
        why = "listeners cannot come or go while it runs";
        return false;
    }
    std::size_t i = 0;
    return std::all_of(all_.begin(), all_.end(), [&](const auto& one) {
        return one->reload(accounts_of(settings.listeners[i++], settings), &why);
    });
}

template <class F>
bool listener_accounts::ask(const client_info& client, F&& question) {
    if (client.listener == 0) {
        return std::any_of(all_.begin(), all_.end(), [&](const auto& one) { return question(*one); });
    }
    return client.listener <= all_.size() && question(*all_[client.listener - 1]);
}

void listener_accounts::authenticate(const authentication_request& request, authentication_handler done) {
    const std::size_t number = request.client.listener;
    if (number == 0 || number > all_.size()) {
        authentication_answer no;
        no.reason = reason_code::not_authorized;
        return done(std::move(no));
    }
    all_[number - 1]->authenticate(request, std::move(done));
}

void listener_accounts::forget(std::uint64_t connection) {
    for (const auto& one : all_)
        one->forget(connection);
}

bool listener_accounts::may_publish(const client_info& client, std::string_view topic) {
    return ask(client, [&](accounts& one) { return one.may_publish(client, topic); });
}

bool listener_accounts::may_subscribe(const client_info& client, std::string_view filter) {
    return ask(client, [&](accounts& one) { return one.may_subscribe(client, filter); });
}

bool listener_accounts::may_receive(const client_info& client, std::string_view topic) {
    return ask(client, [&](accounts& one) { return one.may_receive(client, topic); });
}

bool listener_accounts::may_stay(const client_info& client) {
    return ask(client, [&](accounts& one) { return one.may_stay(client); });
}

std::uint64_t listener_accounts::rights_generation() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& one : all_)
        sum += one->rights_generation();
    return sum;
}

}  // namespace martlet::cli
