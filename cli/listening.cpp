#include "listening.hpp"

#include "failure.hpp"
#include "json_text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace martlet::cli {

std::string listener_text(const endpoint& where) {
    if (!has_host(where.scheme)) return to_string(where);
    const bool v6 = where.host.find(':') != std::string::npos;
    return (v6 ? '[' + where.host + ']' : where.host) + ':' + std::to_string(where.port);
}

std::uint16_t first_port(const std::vector<endpoint>& places) noexcept {
    const auto found = std::find_if(places.begin(), places.end(), [](const endpoint& one) { return one.port != 0; });
    return found == places.end() ? std::uint16_t{0} : found->port;
}

void print_ready(const std::vector<endpoint>& places, std::uint16_t http_port, bool as_json) {
    if (!as_json) {
        for (const endpoint& place : places)
            std::printf("listening on %s\n", listener_text(place).c_str());
        if (http_port != 0) std::printf("status page at http://127.0.0.1:%u/\n", static_cast<unsigned>(http_port));
    } else {
        std::string out;
        json_writer json(out, false);
        json.begin_object();
        json.key("port");
        json.number(first_port(places));
        json.key("listeners");
        json.begin_array();
        for (const endpoint& place : places)
            json.string(to_string(place));
        json.end_array();
        if (http_port != 0) {
            json.key("http_port");
            json.number(http_port);
        }
        json.end_object();
        std::printf("%s\n", out.c_str());
    }
    std::fflush(stdout);
}

bool write_port_file(const std::string& name, std::uint16_t port) {
    const std::string unfinished = name + ".new";
    std::FILE* const file = std::fopen(unfinished.c_str(), "w");
    const bool opened = file != nullptr;
    const bool printed = opened && std::fprintf(file, "%u\n", static_cast<unsigned>(port)) > 0;
    const bool closed = opened && std::fclose(file) == 0;
    if (printed && closed && std::rename(unfinished.c_str(), name.c_str()) == 0) return true;
    complain("Error: Unable to write port file \"" + name + "\": " + std::strerror(errno) + '.');
    return false;
}

}  // namespace martlet::cli
