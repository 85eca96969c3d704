// What the tests of TLS share: an authority, certificates of it, and a dial through both handshakes.
#pragma once

#include "net/certificate_maker.hpp"
#include "net/client_layers.hpp"
#include "net/listener_layers.hpp"
#include "unit/net/loop.hpp"

#include <martlet/tls.hpp>

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace martlet::net::test {

inline certificate_and_key make(const certificate_request& request, const certificate_and_key* issuer = nullptr) {
    return make_certificate(request, issuer).value();
}

/// One authority for all cases of a file: making keys is what costs.
inline const certificate_and_key& authority() {
    static const certificate_and_key made = make({.common_name = "Test root", .is_authority = true});
    return made;
}

inline certificate_and_key server_certificate(std::vector<std::string> hosts = {"localhost", "127.0.0.1"}) {
    return make({.common_name = "server", .hosts = std::move(hosts)}, &authority());
}

inline tls_server_options serving(const certificate_and_key& own) {
    tls_server_options options;
    options.certificate_pem = own.certificate;
    options.key_pem = own.key;
    return options;
}

inline tls_options trusting(const std::string& roots = authority().certificate) {
    tls_options options;
    options.ca_pem = roots;
    return options;
}

/// A folder for files, removed at the end.
class folder {
public:
    folder() { REQUIRE(::mkdtemp(path_.data()) != nullptr); }
    ~folder() { std::filesystem::remove_all(path_); }
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;

    /// Writes a file so that its new content is seen as such, and returns its path.
    std::string write(const std::string& name, const std::string& content) const {
        const std::string path = path_ + "/" + name;
        std::ofstream(path + ".new") << content;
        std::filesystem::rename(path + ".new", path);
        return path;
    }
    [[nodiscard]] std::string path(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_ = "/tmp/martlet_tls_XXXXXX";
};

/// A listener and what comes in by it.
class tls_server {
public:
    tls_server(loop& on, const tls_server_options& options, const std::string& at = "mqtts://127.0.0.1:0")
        : layers(std::make_shared<listener_layers>(url(at), options)) {
        std::string detail;
        REQUIRE_MESSAGE(!layers->prepare(detail), detail);
        layers->commit();
        listening_ = on.net->listen(url(at), {.layers = layers},
                                    [this, &on](std::unique_ptr<transport> link) {
                                        if (wrap) link = wrap(std::move(link));
                                        ends.push_back(std::make_unique<end>(on, std::move(link)));
                                        if (on_accepted) on_accepted(*ends.back());
                                        ends.back()->io->start();
                                    },
                                    {});
        REQUIRE_MESSAGE(listening_.listener, listening_.detail);
    }

    [[nodiscard]] const endpoint& where() const { return listening_.listener->local(); }
    [[nodiscard]] end& last() { return *ends.back(); }

    std::shared_ptr<listener_layers> layers;
    std::function<std::unique_ptr<transport>(std::unique_ptr<transport>)> wrap;
    std::function<void(end&)> on_accepted;
    std::vector<std::unique_ptr<end>> ends;

private:
    listen_result listening_;
};

/// Dials, and awaits the verdict.
inline dial_result dial(loop& on, const endpoint& to, client_layers& layers) {
    dial_result result;
    bool done = false;
    const auto dialing = on.net->dial(to, {.layers = layers.for_dial(to)}, [&](dial_result r) {
        result = std::move(r);
        done = true;
    });
    on.until([&] { return done; });
    return result;
}

inline dial_result dial(loop& on, const endpoint& to, const tls_options& options) {
    client_layers layers({.tls = options});
    return dial(on, to, layers);
}

}  // namespace martlet::net::test
