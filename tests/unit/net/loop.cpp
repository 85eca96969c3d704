#include "unit/net/loop.hpp"

#include <cstdlib>
#include <random>
#include <unistd.h>

namespace martlet::net::test {

socket_path::socket_path() : folder_("/tmp/martlet_test_XXXXXX") { REQUIRE(::mkdtemp(folder_.data()) != nullptr); }

socket_path::~socket_path() {
    ::unlink(path().c_str());
    ::rmdir(folder_.c_str());
}

endpoint socket_path::where() const { return url("unix:" + path()); }

link_pair connect(loop& on, const endpoint& at) {
    link_pair made;
    const auto listening =
        on.net->listen(at, {}, [&](std::unique_ptr<transport> link) { made.accepted = std::move(link); }, {});
    REQUIRE_MESSAGE(listening.listener, listening.detail);
    const auto dialing = on.net->dial(listening.listener->local(), {}, [&](dial_result result) {
        CHECK_MESSAGE(!result.error, result.detail);
        made.dialed = std::move(result.link);
    });
    on.until([&] { return made.dialed && made.accepted; });
    return made;
}

std::string noise(std::size_t size, unsigned seed) {
    std::minstd_rand random(seed);
    std::string out(size, '\0');
    for (char& c : out)
        c = static_cast<char>(random() >> 8);
    return out;
}

}  // namespace martlet::net::test
