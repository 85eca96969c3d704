// Base64, RFC 4648 §4: strict, with padding or without.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace martlet::auth_impl {

enum class padding : bool { without, with };

[[nodiscard]] std::string to_base64(std::string_view bytes, padding pad = padding::with);
/// Nothing if there is a sign that does not belong there, or a last group that no encoder writes.
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text, padding pad = padding::with);

}  // namespace martlet::auth_impl
