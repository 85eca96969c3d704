// Unix sockets' part: addresses and listening.
#include "net/socket.hpp"

#include <boost/system/errc.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace martlet::net {

namespace {

// A socket file outlives a server that crashed; then connecting to it is refused.
bool is_abandoned(const socket_address& address, const std::string& path) noexcept {
    struct stat file;
    if (::lstat(path.c_str(), &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
    const auto probe = open_socket(address);
    return probe && ::connect(probe->number(), address.data(), address.size) != 0 && errno == ECONNREFUSED;
}

}  // namespace

boost::system::result<socket_address> unix_address(std::string_view path) noexcept {
    sockaddr_un un{};
    if (path.empty() || path.size() >= sizeof un.sun_path) {
        return make_error_code(boost::system::errc::filename_too_long);
    }
    un.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), un.sun_path);

    socket_address address;
    std::memcpy(&address.bytes, &un, sizeof un);
    address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return address;
}

std::string unix_to_string(const socket_address& address) {
    sockaddr_un un;
    std::memcpy(&un, &address.bytes, sizeof un);
    const std::size_t before = offsetof(sockaddr_un, sun_path);
    const std::size_t room = address.size > before ? address.size - before : 0;
    return "unix:" + std::string(un.sun_path, ::strnlen(un.sun_path, std::min(room, sizeof un.sun_path)));
}

boost::system::result<unique_fd> listen_unix(const endpoint& at, const listen_options& options, std::string& detail) {
    detail = "listening at unix:" + at.path;
    const auto address = unix_address(at.path);
    if (!address) return address.error();
    auto fd = open_socket(*address);
    if (!fd) return fd;

    if (is_abandoned(*address, at.path)) ::unlink(at.path.c_str());
    if (::bind(fd->number(), address->data(), address->size) != 0) return last_error();
    // permissions before listen(): nobody gets in while they are still those of umask
    const bool permitted =
        options.unix_mode < 0 || ::chmod(at.path.c_str(), static_cast<mode_t>(options.unix_mode)) == 0;
    if (permitted && ::listen(fd->number(), options.backlog) == 0) return fd;
    const error_code error = last_error();
    ::unlink(at.path.c_str());
    return error;
}

}  // namespace martlet::net
