#include "support/temporary_folder.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <stdlib.h>

namespace martlet::test {

namespace fs = std::filesystem;

temporary_folder::temporary_folder() : folder_((fs::temp_directory_path() / "martlet_test_XXXXXX").string()) {
    if (::mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("mkdtemp");
}

temporary_folder::~temporary_folder() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

std::string temporary_folder::write(std::string_view name, std::string_view contents, unsigned mode) const {
    const std::string file = path(name);
    std::ofstream(file, std::ios::binary) << contents;
    fs::permissions(file, static_cast<fs::perms>(mode));
    return file;
}

std::string temporary_folder::read(std::string_view name) const {
    std::ifstream file(path(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace martlet::test
