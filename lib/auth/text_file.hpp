// Reading the files of accounts: whole, bounded, and only if nobody else could have written or read what is in them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace martlet::auth_impl {

enum class secrecy : bool {
    rights,   ///< nobody but the owner may write it
    secrets,  ///< and others than its group may not read it
};

/// The contents, or nothing and one line in `why`. At most 64 MiB.
[[nodiscard]] std::optional<std::string> read_text_file(const std::string& path, secrecy wanted, std::string& why);

/// Takes the next line, without its end ("\n" or "\r\n"), from `rest`. False at the end.
[[nodiscard]] bool take_line(std::string_view& rest, std::string_view& line) noexcept;

}  // namespace martlet::auth_impl
