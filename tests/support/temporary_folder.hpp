// A folder of its own that goes with the test.
#pragma once

#include <string>
#include <string_view>

namespace martlet::test {

class temporary_folder {
public:
    temporary_folder();
    temporary_folder(const temporary_folder&) = delete;
    temporary_folder& operator=(const temporary_folder&) = delete;
    ~temporary_folder();

    [[nodiscard]] std::string path(std::string_view name) const { return folder_ + '/' + std::string(name); }
    /// Writes a file with these permissions; returns its path.
    std::string write(std::string_view name, std::string_view contents, unsigned mode = 0600) const;
    [[nodiscard]] std::string read(std::string_view name) const;

private:
    std::string folder_;
};

}  // namespace martlet::test
