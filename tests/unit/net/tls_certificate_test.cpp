// The certificate matrix: what is wrong with a certificate, whether it is accepted, and in which words it is refused.
#include "unit/net/tls_world.hpp"

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>

#include <array>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace martlet;
using namespace martlet::net;
using namespace martlet::net::test;
using namespace std::chrono_literals;

struct verdict {
    error_code error;
    std::string text;
};

verdict verdict_on(const tls_server_options& server_options, const tls_options& client_options) {
    loop l;
    tls_server server(l, server_options);
    dial_result result = dial(l, server.where(), client_options);
    CHECK((result.link != nullptr) == !result.error);
    return {result.error, result.detail};
}

// The text after "connecting to 127.0.0.1:PORT: ".
bool says(const verdict& v, std::string_view text) {
    const auto at = v.text.find(": ");
    const bool yes = at != std::string::npos && std::string_view(v.text).substr(at + 2).starts_with(text);
    if (!yes) MESSAGE(v.text);
    return yes;
}

tls_options expecting(const std::string& name) {
    tls_options options = trusting();
    options.server_name = name;
    return options;
}

TEST_CASE("certificates: a valid one is accepted by name and by address") {
    const auto server = serving(server_certificate({"broker.example", "127.0.0.1", "::1"}));
    CHECK(!verdict_on(server, trusting()).error);
    CHECK(!verdict_on(server, expecting("broker.example")).error);
    CHECK(!verdict_on(server, expecting("BROKER.example")).error);
    CHECK(!verdict_on(server, expecting("::1")).error);

    loop l;
    tls_server v6(l, server, "mqtts://[::1]:0");
    CHECK(!dial(l, v6.where(), trusting()).error);
}

TEST_CASE("certificates: hosts and wildcards") {
    struct row {
        std::string certificate;
        std::string host;
        bool good;
    };
    const std::array rows{
        row{"a.example", "a.example", true},        row{"a.example", "b.example", false},
        row{"a.example", "x.a.example", false},     row{"*.a.example", "x.a.example", true},
        row{"*.a.example", "a.example", false},     row{"*.a.example", "x.y.a.example", false},
        row{"x*.a.example", "xy.a.example", false}, row{"*", "localhost", false},
        row{"*.example", "a.example", false},       row{"192.0.2.1", "192.0.2.1", true},
        row{"192.0.2.1", "192.0.2.2", false},       row{"2001:db8::1", "2001:db8:0::1", true},
        row{"2001:db8::1", "2001:db8::2", false},
    };
    for (const row& r : rows) {
        CAPTURE(r.certificate);
        CAPTURE(r.host);
        const auto own = make({.common_name = "no host", .hosts = {r.certificate}}, &authority());
        const verdict v = verdict_on(serving(own), expecting(r.host));
        if (r.good) {
            CHECK_MESSAGE(!v.error, v.text);
        } else {
            CHECK(v.error == errc::certificate_wrong_host);
            CHECK(says(v, "certificate is for " + r.certificate + ", not for " + r.host));
        }
    }
}

TEST_CASE("certificates: a wrong host is told with the names that there are, and the check can be turned off by name") {
    const auto server = serving(server_certificate({"a.example", "*.b.example", "192.0.2.7"}));
    const verdict v = verdict_on(server, trusting());
    CHECK(v.error == errc::certificate_wrong_host);
    CHECK(says(v, "certificate is for a.example, *.b.example, 192.0.2.7, not for 127.0.0.1"));

    tls_options loose = trusting();
    loose.verify = tls_verification::insecure_any_host_name;
    CHECK(!verdict_on(server, loose).error);
}

TEST_CASE("certificates: without alternative names the Common Name is the host") {
    const auto server = serving(make({.common_name = "old.example"}, &authority()));
    CHECK(!verdict_on(server, expecting("old.example")).error);
    const verdict v = verdict_on(server, expecting("new.example"));
    CHECK(v.error == errc::certificate_wrong_host);
    CHECK(says(v, "certificate is for old.example, not for new.example"));
}

TEST_CASE("certificates: expired and not yet valid") {
    const auto expired = make({.common_name = "old", .hosts = {"127.0.0.1"}, .from = -48h, .to = -24h}, &authority());
    verdict v = verdict_on(serving(expired), trusting());
    CHECK(v.error == errc::certificate_expired);
    CHECK(says(v, "certificate of old expired on 20"));
    CHECK(v.text.ends_with(" UTC"));

    const auto future = make({.common_name = "new", .hosts = {"127.0.0.1"}, .from = 24h, .to = 48h}, &authority());
    v = verdict_on(serving(future), trusting());
    CHECK(v.error == errc::certificate_not_yet_valid);
    CHECK(says(v, "certificate of new is valid only from 20"));

    const auto root = make({.common_name = "Old root", .is_authority = true, .from = -48h, .to = -24h});
    const auto leaf = make({.common_name = "leaf", .hosts = {"127.0.0.1"}}, &root);
    v = verdict_on(serving(leaf), trusting(root.certificate));
    CHECK(v.error == errc::certificate_expired);
    CHECK(says(v, "certificate of Old root expired on"));
}

TEST_CASE("certificates: unknown authority, self-signed, and trusted as themselves") {
    const auto other = make({.common_name = "Other root", .is_authority = true});
    const auto of_other = make({.common_name = "leaf", .hosts = {"127.0.0.1"}}, &other);
    verdict v = verdict_on(serving(of_other), trusting());
    CHECK(v.error == errc::certificate_untrusted);
    CHECK(says(v, "certificate of leaf was issued by CN=Other root, which is not trusted"));

    tls_server_options with_root = serving(of_other);
    with_root.certificate_pem += other.certificate;
    v = verdict_on(with_root, trusting());
    CHECK(v.error == errc::certificate_untrusted);
    CHECK(says(v, "certificate of Other root, the root of the chain, is not among the trusted ones"));

    const auto lone = make({.common_name = "lone", .hosts = {"127.0.0.1"}});
    v = verdict_on(serving(lone), trusting());
    CHECK(v.error == errc::certificate_untrusted);
    CHECK(says(v, "certificate of lone is self-signed and not among the trusted ones"));
    CHECK(!verdict_on(serving(lone), trusting(lone.certificate)).error);

    v = verdict_on(serving(server_certificate()), tls_options());  // the system's roots do not know it
    CHECK(v.error == errc::certificate_untrusted);
}

TEST_CASE("certificates: a chain over an intermediate authority, and one that lacks it") {
    const auto middle = make({.common_name = "Middle", .is_authority = true}, &authority());
    const auto leaf = make({.common_name = "leaf", .hosts = {"127.0.0.1"}}, &middle);
    tls_server_options whole = serving(leaf);
    whole.certificate_pem += middle.certificate;
    CHECK(!verdict_on(whole, trusting()).error);
    CHECK(!verdict_on(serving(leaf), trusting(middle.certificate)).error);  // trusted by name

    const verdict v = verdict_on(serving(leaf), trusting());
    CHECK(v.error == errc::certificate_untrusted);
    CHECK(says(v, "certificate of leaf was issued by CN=Middle, which is not trusted"));
}

TEST_CASE("certificates: revoked, not revoked, and without a list") {
    const folder files;
    const auto good = server_certificate();
    const auto bad = server_certificate();
    const std::vector<std::string> revoked{bad.certificate};
    tls_options options = trusting();
    options.crl_file = files.write("list.pem", make_revocation_list(authority(), revoked).value());
    CHECK(!verdict_on(serving(good), options).error);
    verdict v = verdict_on(serving(bad), options);
    CHECK(v.error == errc::certificate_revoked);
    CHECK(says(v, "certificate of server was revoked by CN=Test root"));

    options.crl_file = files.write("old.pem", make_revocation_list(authority(), {}, -1h).value());
    v = verdict_on(serving(good), options);
    CHECK(v.error == errc::certificate_invalid);
    CHECK(says(v, "certificate of server cannot be checked: the revocation list of CN=Test root is out of date"));

    const auto other = make({.common_name = "Other root", .is_authority = true});
    options.crl_file = files.write("other.pem", make_revocation_list(other, {}).value());
    v = verdict_on(serving(good), options);
    CHECK(v.error == errc::certificate_invalid);
    CHECK(says(v, "certificate of server cannot be checked: there is no revocation list of CN=Test root"));
}

TEST_CASE("certificates: weak keys and signatures") {
    const auto small = make({.common_name = "small", .hosts = {"127.0.0.1"}, .rsa_bits = 1024}, &authority());
    tls_server_options server = serving(small);
    std::string detail;
    CHECK(make_tls_server_context(server, detail).error() == errc::tls_options_invalid);
    CHECK(detail == "certificate_pem: ee key too small");

    server.ciphers = "DEFAULT@SECLEVEL=0";  // a server that does not care
    verdict v = verdict_on(server, trusting());
    CHECK(v.error == errc::certificate_weak);
    CHECK(says(v, "key of the certificate of small is too weak"));

    const auto middle = make({.common_name = "SHA-1", .is_authority = true, .digest = "SHA1"}, &authority());
    const auto leaf = make({.common_name = "leaf", .hosts = {"127.0.0.1"}}, &middle);
    server = serving(leaf);
    server.certificate_pem += middle.certificate;
    server.ciphers = "DEFAULT@SECLEVEL=0";
    v = verdict_on(server, trusting());
    CHECK(v.error == errc::certificate_weak);
    CHECK(says(v, "signature of the certificate of SHA-1 is too weak"));
}

TEST_CASE("certificates: one that is meant for clients is none for a server") {
    const auto own = make({.common_name = "client", .hosts = {"127.0.0.1"}, .for_clients = true}, &authority());
    const verdict v = verdict_on(serving(own), trusting());
    CHECK(v.error == errc::certificate_invalid);
    CHECK(says(v, "certificate of client is not meant for this end of a TLS connection"));
}

TEST_CASE("certificates: none is checked if the caller says so in so many words") {
    const auto lone = make({.common_name = "lone", .hosts = {"a.example"}, .from = -48h, .to = -24h});
    tls_options options;
    options.verify = tls_verification::insecure_none;
    CHECK(!verdict_on(serving(lone), options).error);
}

TEST_CASE("certificates: names of a stranger do not control the log") {
    const auto own =
        make({.common_name = "evil\n\x1b[31mname", .hosts = {"127.0.0.1"}, .from = -48h, .to = -24h}, &authority());
    const verdict v = verdict_on(serving(own), trusting());
    CHECK(says(v, "certificate of evil??[31mname expired on"));
}

// -- of clients

tls_server_options asking(client_certificates how) {
    tls_server_options options = serving(server_certificate());
    options.client_certificates = how;
    options.ca_pem = authority().certificate;
    return options;
}

tls_options showing(const certificate_and_key& own) {
    tls_options options = trusting();
    options.certificate_pem = own.certificate;
    options.key_pem = own.key;
    return options;
}

struct both {
    verdict client;
    verdict server;
    std::string identity;
};

// TLS 1.3: a client is done before the server has seen its certificate, so both are asked after an exchange.
both exchange(const tls_server_options& server_options, const tls_options& client_options) {
    loop l;
    tls_server server(l, server_options);
    both out;
    server.on_accepted = [](end& e) {
        e.on_data = [&e](std::string_view bytes) {
            e.out.append(bytes);
            return true;
        };
        e.on_turn = [&e] { e.io->flush(); };
    };
    dial_result result = dial(l, server.where(), client_options);
    if (result.error) {
        l.until([&] { return server.last().closed.has_value(); });
        out.client = {result.error, result.detail};
    } else {
        end client(l, std::move(result.link));
        client.io->start();
        client.send("hello");
        l.until([&] { return client.closed || !client.received.empty(); });
        out.identity = server.last().io->link().peer_identity();
        if (client.closed) out.client = {*client.closed, client.io->link().failure()};
        if (client.closed) l.until([&] { return server.last().closed.has_value(); });
    }
    if (server.last().closed) out.server = {*server.last().closed, server.last().io->link().failure()};
    return out;
}

TEST_CASE("client certificates: required, shown and verified, and the identity is known") {
    const auto own = make({.common_name = "pump-7", .for_clients = true}, &authority());
    for (const auto version : {tls_version::v1_2, tls_version::v1_3}) {
        tls_server_options server = asking(client_certificates::require);
        server.version_max = version;
        if (version == tls_version::v1_3) server.version_min = version;
        const both b = exchange(server, showing(own));
        CHECK_MESSAGE(!b.client.error, b.client.text);
        CHECK(b.identity == "pump-7");
    }
}

TEST_CASE("client certificates: required and absent") {
    for (const auto version : {tls_version::v1_2, tls_version::v1_3}) {
        CAPTURE(static_cast<int>(version));
        tls_server_options server = asking(client_certificates::require);
        server.version_max = version;
        const both b = exchange(server, trusting());
        CHECK(b.server.error == errc::tls_handshake_failed);
        CHECK(b.server.text == "peer did not return a certificate");
        CHECK(b.client.error == errc::tls_certificate_required);
        CHECK(b.identity.empty());
    }
}

TEST_CASE("client certificates: requested and absent is fine, wrong is not") {
    const both without = exchange(asking(client_certificates::request), trusting());
    CHECK(!without.client.error);
    CHECK(without.identity.empty());

    const auto other = make({.common_name = "Other root", .is_authority = true});
    const auto stranger = make({.common_name = "stranger", .for_clients = true}, &other);
    const both wrong = exchange(asking(client_certificates::request), showing(stranger));
    CHECK(wrong.server.error == errc::certificate_untrusted);
    CHECK(wrong.server.text == "certificate of stranger was issued by CN=Other root, which is not trusted");
    CHECK(wrong.client.error == errc::tls_peer_refused);
    CHECK(wrong.client.text.find("unknown ca") != std::string::npos);

    const auto expired = make({.common_name = "late", .for_clients = true, .from = -48h, .to = -24h}, &authority());
    const both late = exchange(asking(client_certificates::require), showing(expired));
    CHECK(late.server.error == errc::certificate_expired);
    CHECK(late.client.error == errc::tls_peer_refused);
}

TEST_CASE("client certificates: not asked for means no identity") {
    const auto own = make({.common_name = "pump-7", .for_clients = true}, &authority());
    const both b = exchange(serving(server_certificate()), showing(own));
    CHECK(!b.client.error);
    CHECK(b.identity.empty());
}

TEST_CASE("client certificates: revoked") {
    const folder files;
    const auto own = make({.common_name = "pump-7", .for_clients = true}, &authority());
    const std::vector<std::string> revoked{own.certificate};
    tls_server_options server = asking(client_certificates::require);
    server.crl_file = files.write("list.pem", make_revocation_list(authority(), revoked).value());
    const both b = exchange(server, showing(own));
    CHECK(b.server.error == errc::certificate_revoked);
    CHECK(b.client.error == errc::tls_peer_refused);
}

}  // namespace
