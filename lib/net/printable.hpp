// Words of strangers in our messages: the names in a certificate, the answer of a proxy.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace martlet::net {

/// At most \p size_max bytes of \p text, with ? for what is not printable ASCII.
inline std::string printable(std::string_view text, std::size_t size_max) {
    std::string out(text.substr(0, size_max));
    std::ranges::replace_if(
        out, [](char c) { return c < ' ' || c >= '\x7F'; }, '?');
    return out;
}

}  // namespace martlet::net
