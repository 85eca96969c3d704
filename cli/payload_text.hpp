// Bytes as people write them: hex, base64, @file; and templates that make many payloads of one text.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace martlet::cli {

/// "0a ff" or "0aFF"; nothing for an odd number of digits or anything else.
[[nodiscard]] std::optional<std::string> decode_hex(std::string_view text);
/// RFC 4648, padding may be missing; white space is skipped.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

/// A value of -D, native profile: "hex:…", "b64:…", "@file", else the text itself; "text:…" for a text that begins so.
/// A complaint, a sentence, in `complaint`.
[[nodiscard]] std::optional<std::string> decode_value(std::string_view text, std::string& complaint);

/// A text with {{name}} places, understood once.
class payload_template {
public:
    /// The error is a sentence.
    [[nodiscard]] static std::variant<payload_template, std::string> compile(std::string_view text);

    /// For message number `sequence`, which counts from 1.
    [[nodiscard]] std::string fill(std::uint64_t sequence);

private:
    enum class place : std::uint8_t { text, sequence, now_nanoseconds, now, uuid, random };
    struct item {
        place what = place::text;
        std::string text;
        std::size_t size = 0;  // of random
    };

    std::vector<item> items_;
    std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace martlet::cli
