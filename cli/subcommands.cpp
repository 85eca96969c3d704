#include "subcommands.hpp"

#include "broker.hpp"
#include "passwd.hpp"
#include "pub.hpp"
#include "rr.hpp"
#include "sub.hpp"

#include <algorithm>
#include <array>

namespace martlet::cli {
namespace {

// clang-format off
constexpr auto table = std::to_array<subcommand>({
    {command::pub, "pub", "publish messages",
     "-t TOPIC {-m TEXT | -f FILE | -l | -s | -n} [options]",
     "-t pump/7/state -m on -q 1 -r # a retained message, surely delivered\n"
     "-t log -l -q 1 < file.txt # each line of a file\n"
     "-L mqtt://joe@host/a/topic -n # an empty message\n",
     "", run_pub},
    {command::sub, "sub", "subscribe and print what arrives",
     "-t FILTER [-t FILTER ...] [options]",
     "-t 'pump/+/state' -v # topics and payloads, until it is stopped\n"
     "-t news -C 1 -W 10 # one message, or exit code 27 after 10 seconds\n"
     "-t '#' -F '@H:@M:@S %t %q %p' # a format of one's own\n",
     "", run_sub},
    {command::rr, "rr", "send a request and print the response",
     "-t TOPIC -e TOPIC {-m TEXT | -f FILE | -s | -n} [options]",
     "-t clock/ask -e clock/answer -m now -W 5 # one request, one response\n"
     "-t echo -e echo -m ping -v # a round trip through the broker\n",
     "", run_rr},
    {command::broker, "broker", "run a broker",
     "[-p PORT] [options]",
     "-p 1883 # for this machine only, nothing is kept\n"
     "-p 0 # any free port; it is printed\n"
     "--listen unix:/run/user/1000/mqtt # a Unix socket\n"
     "--password-file users --acl-file acl # who may do what\n",
     "Without options it listens on 127.0.0.1:1883.", run_broker},
    {command::passwd, "passwd", "change the password file of a broker",
     "[-c | -D] FILE USER | -b [-c] FILE USER PASSWORD | -U FILE",
     "-c users joe # a new file with one user\n"
     "users ann # another user, or another password\n"
     "-H scram-sha-256 users ann # whose password never goes over the network\n"
     "-D users joe # one user less\n",
     "The file is replaced as a whole, readable by its owner only.", run_passwd},
});
// clang-format on

}  // namespace

std::span<const subcommand> subcommands() noexcept { return table; }

const subcommand* find_subcommand(std::string_view name) noexcept {
    const auto found = std::find_if(table.begin(), table.end(), [&](const subcommand& s) { return s.name == name; });
    return found == table.end() ? nullptr : &*found;
}

const subcommand& subcommand_of(command c) noexcept {
    const auto found = std::find_if(table.begin(), table.end(), [&](const subcommand& s) { return s.id == c; });
    return found == table.end() ? table.front() : *found;
}

std::string_view nearest_subcommand(std::string_view name) {
    if (name.size() < 2 || name.size() > 32) return {};
    std::string_view best;
    std::size_t best_distance = 3;
    for (const subcommand& s : table) {
        const std::size_t distance = edit_distance(name, s.name);
        if (distance >= std::min(best_distance, s.name.size())) continue;
        best = s.name;
        best_distance = distance;
    }
    return best;
}

}  // namespace martlet::cli
