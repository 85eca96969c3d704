// Resuming TLS sessions: when it happens, and that nothing is resumed that would not be accepted anew.
#include "unit/net/tls_world.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

namespace {

using namespace martlet;
using namespace martlet::net;
using namespace martlet::net::test;

tls_options resuming(tls_options options = trusting()) {
    options.resume_sessions = true;
    return options;
}

// Connects and moves a byte each way, after which a server's tickets are there; then hangs up without a word. Whether the
// session was resumed.
bool connect_once(loop& l, tls_server& server, const endpoint& to, client_layers& layers) {
    server.on_accepted = [](end& e) {
        e.on_data = [&e](std::string_view bytes) {
            e.out.append(bytes);
            return true;
        };
        e.on_turn = [&e] { e.io->flush(); };
    };
    dial_result result = dial(l, to, layers);
    REQUIRE_MESSAGE(!result.error, result.detail);
    const bool is_resumed = result.link->is_resumed();
    end client(l, std::move(result.link));
    client.io->start();
    client.send("x");
    l.until([&] { return client.received == "x"; });
    return is_resumed;
}

bool connect_once(loop& l, tls_server& server, client_layers& layers) {
    return connect_once(l, server, server.where(), layers);
}

TEST_CASE("TLS sessions: resumed by the next connection, also after one that broke, in both versions") {
    for (const auto version : {tls_version::v1_2, tls_version::v1_3}) {
        CAPTURE(static_cast<int>(version));
        loop l;
        tls_server_options options = serving(server_certificate());
        options.version_max = version;
        tls_server server(l, options);
        client_layers layers({.tls = resuming()});
        CHECK_FALSE(connect_once(l, server, layers));
        CHECK(connect_once(l, server, layers));
        CHECK(connect_once(l, server, layers));
    }
}

TEST_CASE("TLS sessions: never resumed unless asked for, with revocation lists, or for a client that shows itself") {
    loop l;
    const auto own = server_certificate();
    tls_server server(l, serving(own));
    client_layers plain({.tls = trusting()});
    CHECK_FALSE(connect_once(l, server, plain));
    CHECK_FALSE(connect_once(l, server, plain));

    const folder files;
    tls_options revoking = resuming();
    revoking.crl_file = files.write("crl", make_revocation_list(authority(), {}).value());
    client_layers careful({.tls = revoking});
    CHECK_FALSE(connect_once(l, server, careful));
    CHECK_FALSE(connect_once(l, server, careful));

    tls_server_options asking = serving(own);
    asking.client_certificates = client_certificates::request;
    asking.ca_pem = authority().certificate;
    tls_server strict(l, asking);
    client_layers layers({.tls = resuming()});
    CHECK_FALSE(connect_once(l, strict, layers));
    CHECK_FALSE(connect_once(l, strict, layers));
}

TEST_CASE("TLS sessions: one that was verified for a name counts for that name only") {
    loop l;
    tls_server server(l, serving(server_certificate({"127.0.0.1"})));
    client_layers layers({.tls = resuming()});
    CHECK_FALSE(connect_once(l, server, layers));
    endpoint other = server.where();
    other.host = "localhost";
    const dial_result result = dial(l, other, layers);
    CHECK(result.error == errc::certificate_wrong_host);
    CHECK(connect_once(l, server, layers));  // the failure was another name's
}

TEST_CASE("TLS sessions: other rules verify anew") {
    loop l;
    tls_server server(l, serving(server_certificate()));
    tls_options now = resuming();
    client_layers layers({.tls_source = [&] { return now; }});
    CHECK_FALSE(connect_once(l, server, layers));
    CHECK(connect_once(l, server, layers));
    now = resuming(trusting(make({.common_name = "Another root", .is_authority = true}).certificate));
    const dial_result result = dial(l, server.where(), layers);
    CHECK(result.error == errc::certificate_untrusted);
}

TEST_CASE("TLS sessions: a certificate that has run out ends them") {
    using namespace std::chrono_literals;
    loop l;
    tls_server server(l, serving(make({.common_name = "server", .hosts = {"127.0.0.1"}, .to = -60s}, &authority())));
    tls_options blind = resuming();
    blind.verify = tls_verification::insecure_none;  // the only way to get a session with it
    client_layers layers({.tls = blind});
    CHECK_FALSE(connect_once(l, server, layers));
    CHECK_FALSE(connect_once(l, server, layers));
}

TEST_CASE("TLS sessions: a server that knows them no more costs a full handshake, and no failure") {
    loop l;
    const auto own = server_certificate();
    auto server = std::make_unique<tls_server>(l, serving(own));
    client_layers layers({.tls = resuming()});
    CHECK_FALSE(connect_once(l, *server, layers));
    const std::string at = to_string(server->where());
    server.reset();
    tls_server restarted(l, serving(own), at);
    CHECK_FALSE(connect_once(l, restarted, layers));
    CHECK(connect_once(l, restarted, layers));
}

}  // namespace
