#include "bridges.hpp"

#include "failure.hpp"

#include <algorithm>
#include <utility>

namespace martlet::cli {
namespace {

/// The client id of a bridge at the local broker.
std::string local_id(const bridge_settings& settings) { return "local." + settings.name; }

class trusting_authenticator final : public authenticator {
public:
    trusting_authenticator(std::shared_ptr<authenticator> inner, std::uint16_t listener,
                           const std::vector<bridge_settings>& bridges)
        : inner_(std::move(inner)), listener_(listener) {
        for (const bridge_settings& one : bridges)
            ids_.push_back(local_id(one));
    }

    void authenticate(const authentication_request& request, authentication_handler done) override {
        if (!is_trusted(request.client)) return inner_->authenticate(request, std::move(done));
        done({});
    }
    void forget(std::uint64_t connection) override { inner_->forget(connection); }
    [[nodiscard]] bool may_publish(const client_info& client, std::string_view topic) override {
        return is_trusted(client) || inner_->may_publish(client, topic);
    }
    [[nodiscard]] bool may_subscribe(const client_info& client, std::string_view filter) override {
        return is_trusted(client) || inner_->may_subscribe(client, filter);
    }
    // A bridge's session that was loaded gets its messages while the bridge has not come back. If somebody else has made
    // it, its rights are looked at when he resumes it.
    [[nodiscard]] bool may_receive(const client_info& client, std::string_view topic) override {
        const bool is_loaded = client.listener == 0 && std::ranges::find(ids_, client.client_id) != ids_.end();
        return is_loaded || is_trusted(client) || inner_->may_receive(client, topic);
    }
    [[nodiscard]] bool may_stay(const client_info& client) override {
        return is_trusted(client) || inner_->may_stay(client);
    }
    [[nodiscard]] std::uint64_t rights_generation() const noexcept override { return inner_->rights_generation(); }

private:
    [[nodiscard]] bool is_trusted(const client_info& client) const noexcept { return client.listener == listener_; }

    std::shared_ptr<authenticator> inner_;
    std::uint16_t listener_;
    std::vector<std::string> ids_;
};

}  // namespace

std::shared_ptr<authenticator> trusting(std::shared_ptr<authenticator> inner, std::uint16_t listener,
                                        const std::vector<bridge_settings>& bridges) {
    return std::make_shared<trusting_authenticator>(std::move(inner), listener, bridges);
}

bool bridges::start(broker& local, const std::vector<bridge_settings>& all, std::shared_ptr<broker_log> log,
                    std::string& why) {
    if (all.empty()) return true;
    const std::string url = local.in_process();
    for (const bridge_settings& one : all) {
        bridge_options options;
        options.local.urls = {url};
        options.local.client_id = local_id(one);
        options.remote = one.remote;
        options.rules = one.rules;
        options.name = one.name;
        options.log = [log, name = one.name](std::string_view line) {
            log->write(log_level::warning, "Bridge " + name + ": " + std::string(line));
        };
        const error_code error = running_.emplace_back(local.get_executor(), std::move(options)).start();
        if (!error) continue;
        why = one.where + ": bridge '" + one.name + "': " + describe(error);
        return false;
    }
    return true;
}

void bridges::stop() {
    for (bridge& one : running_)
        one.stop();
}

}  // namespace martlet::cli
