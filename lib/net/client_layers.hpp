// The layers of a client's links: which ones a URL asks for, and the TLS context they share.
#pragma once

#include "net/link_layers.hpp"
#include "net/tls.hpp"

#include <martlet/endpoint.hpp>
#include <martlet/tls.hpp>
#include <martlet/websocket.hpp>

#include <functional>
#include <memory>
#include <string>

namespace martlet::net {

struct client_layer_options {
    tls_options tls = {};
    std::function<tls_options()> tls_source = {};  ///< asked at each dial, instead of `tls`
    websocket_options websocket = {};
    std::string proxy = {};  ///< URL; empty: none
};

/// One per client. Certificates are read at the first dial that needs them, and again when they have changed.
class client_layers {
public:
    explicit client_layers(client_layer_options options);
    ~client_layers();
    client_layers(const client_layers&) = delete;
    client_layers& operator=(const client_layers&) = delete;

    /// For one dial; null if a plain socket is all it takes.
    [[nodiscard]] std::shared_ptr<dial_layers> for_dial(const endpoint& to);

private:
    struct shared;
    class one_dial;
    std::shared_ptr<shared> shared_;  // with the dials that are under way
};

}  // namespace martlet::net
