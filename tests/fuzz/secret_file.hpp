// A file for fuzz targets whose input is read from a path.
#pragma once

#include "fuzz/input.hpp"

#include <string>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace martlet::fuzz {

/// A file in memory that nobody else may read, or it would be refused for that.
class secret_file {
public:
    secret_file() { static_cast<void>(::fchmod(descriptor_, S_IRUSR | S_IWUSR)); }
    secret_file(const secret_file&) = delete;
    secret_file& operator=(const secret_file&) = delete;
    ~secret_file() { ::close(descriptor_); }
    void write(std::string_view bytes) const {
        require(::ftruncate(descriptor_, 0) == 0 &&
                    ::pwrite(descriptor_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
                "a file can be written");
    }
    [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

private:
    int descriptor_ = ::memfd_create("users", MFD_CLOEXEC);
};

}  // namespace martlet::fuzz
