// What there is instead of TLS in a build without it.
#include "net/tls.hpp"

#include <boost/system/errc.hpp>

namespace martlet {

namespace {
error_code missing(std::string& detail) {
    detail = "this build has no TLS";
    return make_error_code(boost::system::errc::protocol_not_supported);
}
}  // namespace

bool has_tls() noexcept { return false; }

boost::system::result<test_certificates> make_test_certificates(const std::vector<std::string>&) {
    return make_error_code(boost::system::errc::protocol_not_supported);
}

error_code check_test_certificates(const test_certificates&, const std::vector<std::string>&, std::string* why) {
    std::string text;
    const error_code error = missing(text);
    if (why != nullptr) *why = text;
    return error;
}

namespace net {

tls_context_result make_tls_client_context(const tls_options&, std::string& detail) { return missing(detail); }
tls_context_result make_tls_server_context(const tls_server_options&, std::string& detail) { return missing(detail); }

}  // namespace net
}  // namespace martlet
