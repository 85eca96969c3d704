#include "auth/acl_file.hpp"
#include "auth/base64.hpp"
#include "auth/hash_worker.hpp"
#include "auth/password_hash.hpp"
#include "auth/scram.hpp"
#include "auth/text_file.hpp"

#include <martlet/accounts.hpp>
#include <martlet/password_file.hpp>

#include <optional>
#include <unordered_map>
#include <utility>

namespace martlet {

using namespace auth_impl;

class accounts::impl {
public:
    impl(boost::asio::any_io_executor executor, const accounts_options& options)
        : worker_(std::move(executor), options.hash_threads, options.hash_queue_max), secret_(random_bytes(32)) {}

    bool load(const accounts_options& options, std::string& why);
    void authenticate(const authentication_request& request, authentication_handler done);
    void forget(std::uint64_t connection) {
        worker_.cancel(connection);
        exchanges_.erase(connection);
    }

    [[nodiscard]] bool allows_anonymous(const client_info& client) const noexcept {
        return options_.allow_anonymous || (options_.allow_local_anonymous && client.local);
    }
    [[nodiscard]] const accounts_options& options() const noexcept { return options_; }
    [[nodiscard]] const acl* rights() const noexcept { return acl_ ? &*acl_ : nullptr; }
    [[nodiscard]] bool has_user(std::string_view name) const { return users_.contains(name); }
    [[nodiscard]] bool has_users() const noexcept { return !options_.password_file.empty(); }
    [[nodiscard]] std::uint64_t generation() const noexcept { return generation_; }

private:
    struct hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
    };
    using user_table = std::unordered_map<std::string, password_hash, hash, std::equal_to<>>;

    void check_password(const authentication_request& request, authentication_handler done);
    authentication_answer begin_scram(const authentication_request& request, hash_function f);
    authentication_answer finish_scram(const authentication_request& request);

    accounts_options options_;
    user_table users_;
    password_hash nobody_;  // takes as long as somebody
    std::optional<acl> acl_;
    std::uint64_t generation_ = 0;
    hash_worker worker_;
    std::string secret_;                                         // of verifiers that are made up
    std::unordered_map<std::uint64_t, scram_server> exchanges_;  // by connection; forget() bounds them
};

// ---- files

bool accounts::impl::load(const accounts_options& options, std::string& why) {
    user_table users;
    if (!options.password_file.empty()) {
        password_file file;
        if (!file.read(options.password_file, why)) return false;
        if (file.size() == 0) {
            why = options.password_file + ": there is no user in it";
            return false;
        }
        for (const auto& [name, text] : file.users())
            users.emplace(name, *parse_password_hash(text));
    }
    std::optional<acl> rights;
    if (!options.acl_file.empty()) {
        const auto text = read_text_file(options.acl_file, secrecy::rights, why);
        if (!text) return false;
        rights = acl::parse(*text, options.acl_file, why);
        if (!rights) return false;
        // Anybody could say that he is the user whose rights these are.
        if (rights->depends_on_users() && options.password_file.empty() && !options.trust_user_names) {
            why = options.acl_file + ": has rights of users, but no password file says who they are";
            return false;
        }
    }
    options_ = options;
    users_ = std::move(users);
    acl_ = std::move(rights);
    if (!users_.empty()) nobody_ = unmatchable(users_.begin()->second);
    ++generation_;
    return true;
}

// ---- who is it

void accounts::impl::authenticate(const authentication_request& request, authentication_handler done) {
    const auto refuse = [&](reason_code reason, std::string_view text = {}) {
        done({.reason = reason, .data = {}, .user_name = {}, .reason_string = std::string(text)});
    };
    if (acl_ && !acl_->is_safe_name(request.client.client_id)) {
        return refuse(reason_code::client_identifier_not_valid, "+ and # are not allowed in client identifiers here");
    }
    if (request.method) {
        const auto f = scram_function(*request.method);
        const bool is_offered =
            f && has_users() && (*f == hash_function::sha_256 ? options_.scram_sha_256 : options_.scram_sha_512);
        if (!is_offered) return refuse(reason_code::bad_authentication_method);
        return done(request.step == authentication_step::more ? finish_scram(request) : begin_scram(request, *f));
    }
    const std::string_view user = request.client.user_name;
    if (user.empty()) {
        return refuse(allows_anonymous(request.client) ? reason_code::success : reason_code::not_authorized);
    }
    if (acl_ && !acl_->is_safe_name(user)) return refuse(reason_code::bad_user_name_or_password);
    if (!has_users()) {
        const bool let_in = options_.trust_user_names || allows_anonymous(request.client);
        return refuse(let_in ? reason_code::success : reason_code::not_authorized);
    }
    check_password(request, std::move(done));
}

void accounts::impl::check_password(const authentication_request& request, authentication_handler done) {
    const auto found = users_.find(request.client.user_name);
    const bool known = found != users_.end() && request.password.has_value();
    const auto answered = [known, done](bool matches) {
        done({.reason = known && matches ? reason_code::success : reason_code::bad_user_name_or_password,
              .data = {},
              .user_name = {},
              .reason_string = {}});
    };
    const password_hash& against = found != users_.end() ? found->second : nobody_;
    if (!worker_.verify(request.connection, against, std::string(request.password.value_or("")), answered)) {
        done({.reason = reason_code::server_busy, .data = {}, .user_name = {}, .reason_string = {}});
    }
}

// ---- SCRAM

authentication_answer accounts::impl::begin_scram(const authentication_request& request, hash_function f) {
    authentication_answer answer;
    scram_server exchange;
    if (!exchange.start(request.data)) {
        answer.reason = reason_code::not_authorized;
        return answer;
    }
    // Another user would have another user's subscriptions and will.
    const bool other = request.step == authentication_step::reconnect && exchange.user() != request.client.user_name;
    if (other || (acl_ && !acl_->is_safe_name(exchange.user()))) {
        answer.reason = reason_code::not_authorized;
        return answer;
    }
    const auto found = users_.find(exchange.user());
    const bool has_verifier = found != users_.end() && scram_function(found->second.scheme) == f;
    answer.reason = reason_code::continue_authentication;
    answer.data = exchange.challenge(has_verifier ? found->second : made_up_verifier(f, exchange.user(), secret_),
                                     to_base64(random_bytes(18)));
    exchanges_.insert_or_assign(request.connection, std::move(exchange));
    return answer;
}

authentication_answer accounts::impl::finish_scram(const authentication_request& request) {
    authentication_answer answer;
    answer.reason = reason_code::not_authorized;
    const auto found = exchanges_.find(request.connection);
    if (found == exchanges_.end()) return answer;
    const scram_server exchange = std::move(found->second);
    exchanges_.erase(found);
    auto signature = exchange.finish(request.data);
    if (!signature || !has_user(exchange.user())) return answer;
    answer.reason = reason_code::success;
    answer.data = std::move(*signature);
    answer.user_name = exchange.user();
    return answer;
}

// ---- public

accounts::accounts(std::unique_ptr<impl> made) : impl_(std::move(made)) {}

accounts::~accounts() = default;

std::shared_ptr<accounts> accounts::open(boost::asio::any_io_executor executor, const accounts_options& options,
                                         std::string* detail) {
    auto made = std::make_unique<impl>(std::move(executor), options);
    std::string why;
    if (!made->load(options, why)) {
        if (detail != nullptr) *detail = std::move(why);
        return nullptr;
    }
    return std::shared_ptr<accounts>(new accounts(std::move(made)));
}

bool accounts::reload(const accounts_options& options, std::string* detail) {
    std::string why;
    const bool loaded = impl_->load(options, why);
    if (!loaded && detail != nullptr) *detail = std::move(why);
    return loaded;
}

bool accounts::reload(std::string* detail) { return reload(accounts_options(impl_->options()), detail); }

void accounts::authenticate(const authentication_request& request, authentication_handler done) {
    impl_->authenticate(request, std::move(done));
}

void accounts::forget(std::uint64_t connection) { impl_->forget(connection); }

bool accounts::may_publish(const client_info& client, std::string_view topic) {
    return impl_->rights() == nullptr || impl_->rights()->allows(client, topic, access::write);
}

bool accounts::may_subscribe(const client_info& client, std::string_view filter) {
    return impl_->rights() == nullptr ||
           impl_->rights()->allows_subscription(client, filter, impl_->options().partial_subscriptions);
}

bool accounts::may_receive(const client_info& client, std::string_view topic) {
    return impl_->rights() == nullptr || impl_->rights()->allows(client, topic, access::read);
}

bool accounts::may_stay(const client_info& client) {
    if (!client.identity.empty()) return true;  // TLS vouches for it, not the password file
    if (client.user_name.empty()) return impl_->allows_anonymous(client);
    return !impl_->has_users() || impl_->has_user(client.user_name);
}

std::uint64_t accounts::rights_generation() const noexcept { return impl_->generation(); }

}  // namespace martlet
