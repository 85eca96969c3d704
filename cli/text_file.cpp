#include "text_file.hpp"

#include "failure.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace martlet::cli {

bool write_text_file(const std::string& name, std::string_view text) {
    std::FILE* const file = std::fopen(name.c_str(), "wb");
    const bool opened = file != nullptr;
    const bool written = opened && std::fwrite(text.data(), 1, text.size(), file) == text.size();
    const bool closed = opened && std::fclose(file) == 0;
    if (written && closed) return true;
    complain("Error: Unable to write file \"" + name + "\": " + std::strerror(errno) + '.');
    return false;
}

}  // namespace martlet::cli
