#include "net/client_layers.hpp"

#include "net/proxy.hpp"
#include "net/websocket.hpp"

#include <optional>
#include <sys/stat.h>
#include <utility>
#include <vector>

namespace martlet::net {

namespace {

bool is_tls(scheme s) noexcept { return s == scheme::mqtts || s == scheme::wss; }
bool is_websocket(scheme s) noexcept { return s == scheme::ws || s == scheme::wss; }

}  // namespace

struct client_layers::shared {
    // What tells one content of a file from another without reading it.
    struct file_stamp {
        bool exists = false;
        std::uint64_t device = 0;
        std::uint64_t inode = 0;
        std::int64_t size = 0;
        std::int64_t seconds = 0;
        std::int64_t nanoseconds = 0;
        bool operator==(const file_stamp&) const = default;
    };

    client_layer_options options;
    std::optional<tls_options> loaded;  // what `context` was made of
    std::vector<file_stamp> stamps;
    std::shared_ptr<tls_context> context;

    static file_stamp stamp_of(const std::string& path) {
        struct stat found {};
        if (path.empty() || ::stat(path.c_str(), &found) != 0) return {};
        return {true, found.st_dev, found.st_ino, found.st_size, found.st_mtim.tv_sec, found.st_mtim.tv_nsec};
    }

    static std::vector<file_stamp> stamps_of(const tls_options& of) {
        return {stamp_of(of.ca_file), stamp_of(of.crl_file), stamp_of(of.certificate_file), stamp_of(of.key_file)};
    }

    [[nodiscard]] error_code load_tls(std::string& detail) {
        tls_options wanted = options.tls_source ? options.tls_source() : options.tls;
        std::vector<file_stamp> now = stamps_of(wanted);
        if (context && loaded == wanted && stamps == now) return {};
        auto made = make_tls_client_context(wanted, detail);
        if (!made) return made.error();
        context = std::move(*made);
        loaded = std::move(wanted);
        stamps = std::move(now);
        return {};
    }
};

class client_layers::one_dial final : public dial_layers {
public:
    one_dial(std::shared_ptr<shared> of, const endpoint& to) : shared_(std::move(of)), to_(to) {}

    [[nodiscard]] error_code prepare(std::string& detail) override {
        if (has_proxy()) {
            auto parsed = parse_proxy(shared_->options.proxy, detail);
            if (!parsed) return parsed.error();
            proxy_ = std::move(*parsed);
        }
        if (is_websocket(to_.scheme)) {
            if (const error_code error = check_websocket(shared_->options.websocket, detail)) return error;
        }
        if (!is_tls(to_.scheme)) return {};
        if (const error_code error = shared_->load_tls(detail)) return error;
        context_ = shared_->context;
        return {};
    }

    [[nodiscard]] const endpoint& first_hop() const noexcept override { return proxy_ ? proxy_->hop : to_; }

    // From the socket up.
    [[nodiscard]] std::unique_ptr<transport> wrap(std::unique_ptr<transport> socket) override {
        auto link = std::move(socket);
        if (proxy_) link = make_proxied(std::move(link), *proxy_, to_);
        if (context_) link = context_->wrap(std::move(link), to_.host);
        if (link && is_websocket(to_.scheme)) {
            link = make_websocket_client(std::move(link), to_, shared_->options.websocket);
        }
        return link;
    }

private:
    [[nodiscard]] bool has_proxy() const noexcept { return has_host(to_.scheme) && !shared_->options.proxy.empty(); }

    std::shared_ptr<shared> shared_;
    std::shared_ptr<tls_context> context_;
    std::optional<proxy_address> proxy_;
    const endpoint to_;
};

client_layers::client_layers(client_layer_options options)
    : shared_(std::make_shared<shared>(shared{std::move(options), {}, {}, {}})) {}

client_layers::~client_layers() = default;

std::shared_ptr<dial_layers> client_layers::for_dial(const endpoint& to) {
    const bool has_proxy = has_host(to.scheme) && !shared_->options.proxy.empty();
    if (!needs_layers(to.scheme) && !has_proxy) return nullptr;
    return std::make_shared<one_dial>(shared_, to);
}

}  // namespace martlet::net
