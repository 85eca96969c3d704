#include "resources.hpp"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <thread>
#include <unistd.h>

namespace martlet::cli::bench {
namespace {

std::string first_line(const std::filesystem::path& path) {
    std::ifstream in(path);
    std::string line;
    std::getline(in, line);
    return line;
}

std::filesystem::path folder_of(int pid) { return std::filesystem::path("/proc") / std::to_string(pid); }

}  // namespace

std::optional<nanoseconds> process_cpu(int pid) {
    std::error_code error;
    nanoseconds sum = 0;
    bool is_any = false;
    for (std::filesystem::directory_iterator i(folder_of(pid) / "task", error), end; !error && i != end;
         i.increment(error)) {
        std::istringstream fields(first_line(i->path() / "schedstat"));
        nanoseconds run = 0;
        if (fields >> run) {
            sum += run;
            is_any = true;
        }
    }
    if (!is_any) return std::nullopt;
    return sum;
}

std::optional<std::uint64_t> process_memory(int pid) {
    std::istringstream fields(first_line(folder_of(pid) / "statm"));
    std::uint64_t total = 0;
    std::uint64_t resident = 0;
    if (!(fields >> total >> resident)) return std::nullopt;
    return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

machine_info this_machine() {
    machine_info out;
    utsname names{};
    if (::uname(&names) == 0) {
        out.host = names.nodename;
        out.kernel = std::string(names.sysname) + ' ' + names.release;
    }
    std::ifstream cpus("/proc/cpuinfo");
    for (std::string line; std::getline(cpus, line);) {
        if (!line.starts_with("model name")) continue;
        const std::size_t colon = line.find(": ");
        if (colon != std::string::npos) out.cpu = line.substr(colon + 2);
        break;
    }
    out.cores = std::thread::hardware_concurrency();
    std::istringstream(first_line("/proc/loadavg")) >> out.load;
    return out;
}

std::uint64_t raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

std::uint64_t local_ports() {
    std::istringstream fields(first_line("/proc/sys/net/ipv4/ip_local_port_range"));
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    if (!(fields >> low >> high) || high < low) return 28'232;
    return high - low + 1;
}

}  // namespace martlet::cli::bench
