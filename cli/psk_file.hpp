// Pre-shared keys of a listener's clients: mosquitto's psk_file, a line "identity:key in hex" for each.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace martlet::cli {

class psk_table {
public:
    /// Null if the file cannot be read, others may read it, or a line is wrong: one line in `why`.
    [[nodiscard]] static std::shared_ptr<psk_table> open(const std::string& path, std::string& why);

    /// The key as bytes; empty: nobody of that name.
    [[nodiscard]] std::string find(std::string_view identity) const;
    /// From now on those of `other`.
    void replace(const psk_table& other) { keys_ = other.keys_; }

private:
    [[nodiscard]] bool read(std::string_view text, std::string& why);

    std::map<std::string, std::string, std::less<>> keys_;
};

}  // namespace martlet::cli
