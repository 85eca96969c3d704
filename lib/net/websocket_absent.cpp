// What there is instead of WebSocket in a build without it.
#include "net/websocket.hpp"

#include <boost/system/errc.hpp>

namespace martlet {

namespace {
error_code missing(std::string& detail) {
    detail = "this build has no WebSocket";
    return make_error_code(boost::system::errc::protocol_not_supported);
}
}  // namespace

bool has_websocket() noexcept { return false; }

namespace net {

error_code check_websocket(const websocket_options&, std::string& detail) { return missing(detail); }
error_code check_websocket(const websocket_server_options&, std::string& detail) { return missing(detail); }
std::unique_ptr<transport> make_websocket_client(std::unique_ptr<transport>, const endpoint&,
                                                 const websocket_options&) {
    return nullptr;
}
std::unique_ptr<transport> make_websocket_server(std::unique_ptr<transport>, std::string_view,
                                                 std::shared_ptr<const websocket_server_options>) {
    return nullptr;
}

}  // namespace net
}  // namespace martlet
