// What is wrong with a certificate, in an error code and one sentence with names and dates.
#pragma once

#include "net/openssl.hpp"

#include <martlet/error.hpp>

#include <string>
#include <string_view>

namespace martlet::net {

/// The certificate's Common Name; without one its first name, else its whole subject. Control characters are replaced.
[[nodiscard]] std::string name_of(const X509* certificate);
/// Common Name of the subject; empty if there is none.
[[nodiscard]] std::string common_name_of(const X509* certificate);

struct certificate_verdict {
    error_code error;
    std::string text;
};
/// \p failure: an X509_V_ERR code; \p at: the certificate that it is about, may be null; \p host: who was expected.
[[nodiscard]] certificate_verdict explain_verification(int failure, const X509* at, std::string_view host);

}  // namespace martlet::net
