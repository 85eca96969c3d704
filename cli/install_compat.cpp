#include "install_compat.hpp"

#include "command_line.hpp"
#include "exit_code.hpp"
#include "failure.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace martlet::cli {
namespace {

constexpr std::array<const char*, 6> names = {"mosquitto_pub",    "mosquitto_sub", "mosquitto_rr",
                                              "mosquitto_passwd", "msgsps_pub",    "msgsps_sub"};

/// A link of an earlier run is renewed; whatever else has the name stays.
bool link_as(const std::string& target, const std::string& path) {
    struct stat about {};
    if (::lstat(path.c_str(), &about) == 0) {
        if (!S_ISLNK(about.st_mode)) {
            complain("Error: " + path + " is there and is not a link.");
            return false;
        }
        ::unlink(path.c_str());
    }
    if (::symlink(target.c_str(), path.c_str()) == 0) return true;
    complain("Error: Unable to make " + path + ": " + std::strerror(errno) + '.');
    return false;
}

}  // namespace

int run_install_compat(std::span<char* const> arguments, profile p, std::string_view program) {
    command_line in(arguments, command::install_compat, p);
    in.allow_operands();
    const auto done = read_options(in, program, [](const option&) { return false; });
    if (done) return *done;
    if (in.operands().size() != 1) {
        in.fail("It takes one folder to put the links into.");
        return report_usage_error(in, program);
    }
    const std::string folder(in.operands()[0]);
    std::array<char, PATH_MAX> self{};
    const ssize_t size = ::readlink("/proc/self/exe", self.data(), self.size());
    if (size <= 0 || size == static_cast<ssize_t>(self.size())) {
        complain("Error: Unable to find out where this program is.");
        return exit_failure;
    }
    if (::mkdir(folder.c_str(), 0777) != 0 && errno != EEXIST) {
        complain("Error: Unable to make the folder " + folder + ": " + std::strerror(errno) + '.');
        return exit_failure;
    }
    for (const char* const name : names) {
        if (!link_as(std::string(self.data(), static_cast<std::size_t>(size)), folder + '/' + name))
            return exit_failure;
        std::printf("%s/%s\n", folder.c_str(), name);
    }
    return exit_ok;
}

}  // namespace martlet::cli
