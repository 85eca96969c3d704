#include "listener_options.hpp"

#include "failure.hpp"

#include <martlet/endpoint.hpp>
#include <martlet/tls.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>
#include <utility>

namespace martlet::cli {
namespace {

void take(command_line& in, std::string& out) {
    if (const auto text = in.value()) out = *text;
}

bool is_tls(const std::string& url) {
    const auto parsed = parse_endpoint(url);
    return parsed && (parsed->scheme == scheme::mqtts || parsed->scheme == scheme::wss);
}

// Keys are for their owner only.
std::string write_file(const std::string& path, const std::string& content, mode_t mode) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    bool ok = fd >= 0 && ::fchmod(fd, mode) == 0 &&
              ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size());
    const int number = errno;
    if (fd >= 0) ok = ::close(fd) == 0 && ok;
    return ok ? std::string() : "Unable to write \"" + path + "\": " + std::strerror(number);
}

}  // namespace

bool read_listener_option(const option& row, command_line& in, broker_settings& out) {
    listener_options& listener = out.options.listener;
    tls_server_options& tls = listener.tls;
    switch (row.id) {
        case option_id::ca_file: take(in, tls.ca_file); return true;
        case option_id::crl_file: take(in, tls.crl_file); return true;
        case option_id::certificate: take(in, tls.certificate_file); return true;
        case option_id::key: take(in, tls.key_file); return true;
        case option_id::require_certificate: tls.client_certificates = client_certificates::require; return true;
        case option_id::identity_as_user_name: listener.use_identity_as_user_name = true; return true;
        case option_id::tls_key_log: take(in, tls.key_log_file); return true;
        case option_id::tls_auto: take(in, out.tls_auto); return true;
        case option_id::allow_origin:
            if (const auto origin = in.value()) listener.websocket.origins.emplace_back(*origin);
            return true;
        default: return false;
    }
}

bool check_listener_options(const broker_settings& settings, std::string& why) {
    const auto fail = [&](const char* text) {
        why = text;
        return false;
    };
    const listener_options& listener = settings.options.listener;
    const tls_server_options& tls = listener.tls;
    const bool has_certificate = !tls.certificate_file.empty();
    const bool has_tls_listener =
        std::ranges::any_of(settings.listeners, [](const listener_settings& l) { return !l.options && is_tls(l.url); });
    if (!settings.tls_auto.empty() && has_certificate) return fail("--tls-auto makes what --certfile would bring");
    if (!tls.key_file.empty() && !has_certificate) return fail("--keyfile needs --certfile");
    if ((has_certificate || !settings.tls_auto.empty()) && !has_tls_listener) {
        return fail("a certificate is of use for a listener with TLS only: --listen mqtts://127.0.0.1:8883");
    }
    if (has_tls_listener && !has_certificate && settings.tls_auto.empty()) {
        return fail("a listener with TLS needs a certificate: --certfile and --keyfile, or --tls-auto for a test");
    }
    const bool wants_clients = tls.client_certificates != client_certificates::none;
    if (wants_clients && tls.ca_file.empty() && settings.tls_auto.empty()) {
        return fail("--require-certificate needs --cafile, the authority of the clients");
    }
    if (listener.use_identity_as_user_name && !wants_clients) {
        return fail("--use-identity-as-username needs --require-certificate");
    }
    return true;
}

bool make_certificates(broker_settings& settings, std::string& why) {
    if (settings.tls_auto.empty()) return true;
    const auto made = make_test_certificates();
    if (!made) {
        why = "Unable to make certificates: " + describe(made.error());
        return false;
    }
    const std::string folder = settings.tls_auto + "/";
    if (::mkdir(settings.tls_auto.c_str(), 0700) != 0 && errno != EEXIST) {
        why = "Unable to make the folder \"" + settings.tls_auto + "\": " + std::strerror(errno);
        return false;
    }
    for (const auto& [name, content, mode] : {std::tuple{"ca.crt", &made->ca_certificate, mode_t{0644}},
                                              std::tuple{"server.crt", &made->server_certificate, mode_t{0644}},
                                              std::tuple{"server.key", &made->server_key, mode_t{0600}},
                                              std::tuple{"client.crt", &made->client_certificate, mode_t{0644}},
                                              std::tuple{"client.key", &made->client_key, mode_t{0600}}}) {
        why = write_file(folder + name, *content, mode);
        if (!why.empty()) return false;
    }
    tls_server_options& tls = settings.options.listener.tls;
    tls.certificate_file = folder + "server.crt";
    tls.key_file = folder + "server.key";
    if (tls.client_certificates != client_certificates::none && tls.ca_file.empty()) tls.ca_file = folder + "ca.crt";
    return true;
}

}  // namespace martlet::cli
