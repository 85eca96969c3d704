#include "listener_options.hpp"

#include "failure.hpp"

#include <martlet/endpoint.hpp>
#include <martlet/tls.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <sys/stat.h>
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

struct kept_file {
    const char* name;
    std::string test_certificates::*content;
    mode_t mode;
};
constexpr std::array kept_files{kept_file{"ca.crt", &test_certificates::ca_certificate, 0644},
                                kept_file{"server.crt", &test_certificates::server_certificate, 0644},
                                kept_file{"server.key", &test_certificates::server_key, 0600},
                                kept_file{"client.crt", &test_certificates::client_certificate, 0644},
                                kept_file{"client.key", &test_certificates::client_key, 0600}};

enum class kept { nothing, good, expired, foreign };

/// What an earlier start has left in the folder; `why` says what is wrong with it.
kept state_of(const std::string& folder, std::string& why) {
    test_certificates found;
    std::size_t count = 0;
    std::string missing;
    for (const kept_file& file : kept_files) {
        if (std::ifstream in(folder + file.name, std::ios::binary); in) {
            found.*file.content = std::string(std::istreambuf_iterator<char>(in), {});
            ++count;
        } else {
            missing = file.name;
        }
    }
    if (count == 0) return kept::nothing;
    if (!missing.empty()) {
        why = missing + " cannot be read";
        return kept::foreign;
    }
    const error_code error = check_test_certificates(found, {"localhost", "127.0.0.1", "::1"}, &why);
    if (!error) return kept::good;
    return error == errc::certificate_expired ? kept::expired : kept::foreign;
}

bool write_certificates(const std::string& folder, std::string& why) {
    const auto made = make_test_certificates();
    if (!made) {
        why = "Unable to make certificates: " + describe(made.error());
        return false;
    }
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        why = "Unable to make the folder \"" + folder + "\": " + std::strerror(errno);
        return false;
    }
    for (const kept_file& file : kept_files) {
        why = write_file(folder + "/" + file.name, (*made).*file.content, file.mode);
        if (!why.empty()) return false;
    }
    return true;
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

bool provide_certificates(broker_settings& settings, std::string& told, std::string& why) {
    if (settings.tls_auto.empty()) return true;
    const std::string folder = settings.tls_auto + "/";
    const std::string names = folder + "ca.crt, server.crt, server.key, client.crt, client.key";
    std::string reason;
    switch (state_of(folder, reason)) {
        case kept::good: told = "using " + names; break;
        case kept::foreign:
            why = "--tls-auto: what is in " + settings.tls_auto + " stays as it is, but cannot be used: " + reason +
                  "; remove ca.crt, server.* and client.* to have new ones made";
            return false;
        case kept::expired: told = "made anew " + names + ": " + reason; break;
        case kept::nothing: told = "made " + names; break;
    }
    if (told.starts_with("made") && !write_certificates(settings.tls_auto, why)) return false;
    tls_server_options& tls = settings.options.listener.tls;
    tls.certificate_file = folder + "server.crt";
    tls.key_file = folder + "server.key";
    if (tls.client_certificates != client_certificates::none && tls.ca_file.empty()) tls.ca_file = folder + "ca.crt";
    return true;
}

}  // namespace martlet::cli
