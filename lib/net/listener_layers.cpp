#include "net/listener_layers.hpp"

#include "net/websocket.hpp"

namespace martlet::net {

error_code listener_layers::prepare(std::string& detail) {
    if (has_websocket()) {
        if (const error_code error = check_websocket(*websocket_, detail)) return error;
    }
    if (!has_tls()) return {};
    auto made = make_tls_server_context(tls_, detail);
    if (!made) return made.error();
    prepared_ = std::move(*made);
    return {};
}

std::unique_ptr<transport> listener_layers::wrap(std::unique_ptr<transport> socket) {
    auto link = std::move(socket);
    if (has_tls()) link = context_ ? context_->wrap(std::move(link), {}) : nullptr;
    if (link && has_websocket()) link = make_websocket_server(std::move(link), path_, websocket_);
    return link;
}

}  // namespace martlet::net
