// The layers of a listener's links. TLS material may be replaced while it listens; connections that are open keep theirs.
#pragma once

#include "net/link_layers.hpp"
#include "net/tls.hpp"

#include <martlet/endpoint.hpp>
#include <martlet/tls.hpp>
#include <martlet/websocket.hpp>

#include <memory>
#include <string>
#include <utility>

namespace martlet::net {

class listener_layers final : public accept_layers {
public:
    listener_layers(const endpoint& at, tls_server_options tls, websocket_server_options websocket = {})
        : scheme_(at.scheme),
          path_(at.path),
          tls_(std::move(tls)),
          websocket_(std::make_shared<const websocket_server_options>(std::move(websocket))) {}

    /// Reads the files into a context that commit() puts into use. Errors: as make_tls_server_context().
    [[nodiscard]] error_code prepare(std::string& detail);
    void commit() noexcept {
        if (prepared_) context_ = std::move(prepared_);
        prepared_.reset();
    }
    void discard() noexcept { prepared_.reset(); }

    [[nodiscard]] std::unique_ptr<transport> wrap(std::unique_ptr<transport> socket) override;

private:
    [[nodiscard]] bool has_tls() const noexcept { return scheme_ == scheme::mqtts || scheme_ == scheme::wss; }

    [[nodiscard]] bool has_websocket() const noexcept { return scheme_ == scheme::ws || scheme_ == scheme::wss; }

    scheme scheme_;
    std::string path_;
    tls_server_options tls_;
    std::shared_ptr<const websocket_server_options> websocket_;
    std::shared_ptr<tls_context> context_;
    std::shared_ptr<tls_context> prepared_;
};

}  // namespace martlet::net
