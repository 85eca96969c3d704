#include "doctor.hpp"

#include "command_line.hpp"
#include "exit_code.hpp"
#include "json_text.hpp"
#include "standard_output.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <netinet/in.h>
#include <string>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timex.h>
#include <unistd.h>
#include <vector>

namespace martlet::cli {
namespace {

enum class verdict { good, attention };

struct finding {
    std::string subject;
    verdict is = verdict::good;
    std::string text;
    std::string remedy = {};
};

finding descriptors() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    const std::string text = std::to_string(limit.rlim_cur) + " now, " + std::to_string(limit.rlim_max) + " at most";
    if (limit.rlim_max >= 65'536) return {"descriptors", verdict::good, text};
    return {"descriptors", verdict::attention, text + ": so many connections a process can have",
            "raise LimitNOFILE of the service, or nofile in /etc/security/limits.conf"};
}

finding ports() {
    std::FILE* const file = std::fopen("/proc/sys/net/ipv4/ip_local_port_range", "r");
    int low = 0;
    int high = 0;
    const bool known = file != nullptr && std::fscanf(file, "%d %d", &low, &high) == 2;
    if (file != nullptr) std::fclose(file);
    if (!known) return {"ports", verdict::attention, "the range of local ports cannot be read"};
    const std::string text = std::to_string(low) + " to " + std::to_string(high) + ": " +
                             std::to_string(high - low + 1) + " connections from one address to one broker";
    if (high - low >= 20'000) return {"ports", verdict::good, text};
    return {"ports", verdict::attention, text, "sysctl net.ipv4.ip_local_port_range='1024 65535'"};
}

finding authorities() {
    for (const char* const path : {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"}) {
        struct stat about {};
        if (::stat(path, &about) == 0 && about.st_size > 0) return {"CA certificates", verdict::good, path};
    }
    return {"CA certificates", verdict::attention, "there are none that TLS could trust",
            "install the package ca-certificates"};
}

finding version_6() {
    const int s = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 where{};
    where.sin6_family = AF_INET6;
    where.sin6_addr = in6addr_loopback;
    const bool good = s >= 0 && ::bind(s, reinterpret_cast<const sockaddr*>(&where), sizeof(where)) == 0;
    if (s >= 0) ::close(s);
    if (good) return {"IPv6", verdict::good, "::1 can be used"};
    return {"IPv6", verdict::attention, "::1 cannot be used", "IPv4 will do; see sysctl net.ipv6.conf.lo.disable_ipv6"};
}

finding clock_state() {
    timex state{};
    const int result = ::adjtimex(&state);
    if (result >= 0 && result != TIME_ERROR) return {"clock", verdict::good, "synchronised"};
    return {"clock", verdict::attention, "not synchronised: times of different machines cannot be compared",
            "run a time service (systemd-timesyncd, chrony)"};
}

finding configuration() {
    const char* const xdg = std::getenv("XDG_CONFIG_HOME");
    const char* const home = std::getenv("HOME");
    const std::string path = xdg != nullptr && *xdg != '\0'     ? std::string(xdg) + "/martlet/config"
                             : home != nullptr && *home != '\0' ? std::string(home) + "/.config/martlet/config"
                                                                : std::string();
    struct stat about {};
    if (path.empty() || ::stat(path.c_str(), &about) != 0) return {"configuration", verdict::good, "there is none"};
    if ((about.st_mode & (S_IRWXG | S_IRWXO)) == 0) return {"configuration", verdict::good, path};
    return {"configuration", verdict::attention, path + " can be read by others", "chmod 600 " + path};
}

}  // namespace

int run_doctor(std::span<char* const> arguments, profile p, std::string_view program) {
    bool as_json = false;
    command_line in(arguments, command::doctor, p);
    const auto done = read_options(in, program, [&](const option& row) {
        as_json = as_json || row.id == option_id::json;
        return row.id == option_id::json;
    });
    if (done) return *done;

    const std::vector<finding> findings = {descriptors(), ports(),       authorities(),
                                           version_6(),   clock_state(), configuration()};
    std::string out;
    json_writer json(out, false);
    bool good = true;
    if (as_json) {
        json.begin_object();
        json.key("schema");
        json.string("martlet.doctor/1");
        json.key("findings");
        json.begin_array();
    }
    for (const finding& f : findings) {
        good = good && f.is == verdict::good;
        if (as_json) {
            json.begin_object();
            for (const auto& [name, text] : {std::pair<const char*, std::string>{"subject", f.subject},
                                             {"verdict", f.is == verdict::good ? "ok" : "attention"},
                                             {"text", f.text},
                                             {"remedy", f.remedy}}) {
                json.key(name);
                json.string(text);
            }
            json.end_object();
            continue;
        }
        std::string line = (f.is == verdict::good ? "ok   " : "note ") + f.subject;
        line.resize(std::max<std::size_t>(line.size(), 22), ' ');
        out += line + ' ' + f.text + '\n';
        if (!f.remedy.empty()) out += std::string(23, ' ') + f.remedy + '\n';
    }
    if (as_json) {
        json.end_array();
        json.end_object();
        out += '\n';
    }
    print(out);
    return good ? exit_ok : exit_failure;
}

}  // namespace martlet::cli
