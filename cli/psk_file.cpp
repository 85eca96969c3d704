#include "psk_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <sstream>
#include <sys/stat.h>

namespace martlet::cli {
namespace {

constexpr std::size_t key_size_max = 256;  // what OpenSSL takes

int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// False if it is anything but 1 to 256 bytes in hex.
bool read_key(std::string_view text, std::string& out) {
    if (text.empty() || text.size() % 2 != 0 || text.size() > 2 * key_size_max) return false;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = hex_value(text[i]);
        const int low = hex_value(text[i + 1]);
        if (high < 0 || low < 0) return false;
        out += static_cast<char>(high * 16 + low);
    }
    return true;
}

}  // namespace

std::shared_ptr<psk_table> psk_table::open(const std::string& path, std::string& why) {
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    struct stat about {};
    if (!file || ::stat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) {
        why = path + ": " + (errno != 0 ? std::strerror(errno) : "is not a file");
        return nullptr;
    }
    if ((about.st_mode & (S_IROTH | S_IWOTH | S_IWGRP)) != 0) {
        why = path + ": others may read or write it; chmod 600 " + path;
        return nullptr;
    }
    std::ostringstream text;
    text << file.rdbuf();
    auto made = std::make_shared<psk_table>();
    if (made->read(text.str(), why)) return made;
    why.insert(0, path + ':');
    return nullptr;
}

bool psk_table::read(std::string_view text, std::string& why) {
    for (std::size_t number = 1; !text.empty(); ++number) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || line.front() == '#') continue;
        const std::size_t colon = line.find(':');
        std::string key;
        if (colon == 0 || colon == std::string_view::npos || !read_key(line.substr(colon + 1), key)) {
            why = std::to_string(number) + ": a line is identity:key, the key in hex";
            return false;
        }
        if (!keys_.try_emplace(std::string(line.substr(0, colon)), std::move(key)).second) {
            why = std::to_string(number) + ": this identity was there before";
            return false;
        }
    }
    return true;
}

std::string psk_table::find(std::string_view identity) const {
    const auto at = keys_.find(identity);
    return at == keys_.end() ? std::string() : at->second;
}

}  // namespace martlet::cli
