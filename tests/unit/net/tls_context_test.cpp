#include "net/tls.hpp"
#include "unit/net/tls_world.hpp"

#include <boost/system/errc.hpp>
#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace {

using namespace martlet;
using namespace martlet::net;
using namespace martlet::net::test;

// What a client's options are refused with; empty if they are not.
std::string complaint(const tls_options& options) {
    std::string detail;
    const auto made = make_tls_client_context(options, detail);
    if (made) return {};
    CHECK(made.error() == errc::tls_options_invalid);
    return detail;
}

std::string complaint(const tls_server_options& options) {
    std::string detail;
    const auto made = make_tls_server_context(options, detail);
    if (made) return {};
    CHECK(made.error() == errc::tls_options_invalid);
    return detail;
}

TEST_CASE("TLS options: what cannot be used is refused in one line that names option and reason") {
    const folder files;
    const auto own = server_certificate();
    const auto other = server_certificate();
    tls_options o;
    CHECK(complaint(o).empty());

    o.ca_file = files.path("none");
    CHECK(complaint(o) == "ca_file " + o.ca_file + ": No such file or directory");
    o.ca_file = files.write("empty", "");
    CHECK(complaint(o) == "ca_file " + o.ca_file + ": is empty");
    o.ca_file = files.write("text", "not PEM at all");
    CHECK(complaint(o) == "ca_file " + o.ca_file + ": holds no certificate");
    o.ca_file = files.write("ca", authority().certificate + authority().certificate);
    CHECK(complaint(o).empty());

    o = trusting();
    o.ca_pem = authority().certificate.substr(0, 200) + "\n-----END CERTIFICATE-----\n";
    CHECK(complaint(o).starts_with("ca_pem: "));

    o = trusting();
    o.certificate_pem = own.certificate;
    CHECK(complaint(o) == "certificate_pem: holds no private key");
    o.key_pem = other.key;
    CHECK(complaint(o) == "key_pem: the key does not fit the certificate");
    o.key_pem = own.key;
    CHECK(complaint(o).empty());
    o.certificate_pem.clear();
    CHECK(complaint(o) == "key_pem: a key without a certificate");

    o = trusting();
    o.crl_file = files.write("no-list", authority().certificate);
    CHECK(complaint(o) == "crl_file " + o.crl_file + ": holds no revocation list");

    o = trusting();
    o.key_log_file = files.path("no-folder/keys");
    CHECK(complaint(o) == "key_log_file " + o.key_log_file + ": No such file or directory");

    o = trusting();
    o.ciphers = "NONSENSE";
    CHECK(complaint(o).starts_with("ciphers NONSENSE: "));
    o = trusting();
    o.cipher_suites = "NONSENSE";
    CHECK(complaint(o).starts_with("cipher_suites NONSENSE: "));
    o = trusting();
    o.version_min = tls_version::v1_3;
    o.version_max = tls_version::v1_2;
    CHECK(complaint(o) == "version_max: is below version_min");
    o = trusting();
    o.alpn = {""};
    CHECK(complaint(o) == "alpn: a protocol's name has 1 to 255 bytes");
    o = trusting();
    o.psk = "key";
    CHECK(complaint(o) == "psk: key and identity go together");

    tls_server_options s;
    CHECK(complaint(s) == "certificate_file: a TLS listener needs a certificate");
    s = serving(own);
    s.client_certificates = client_certificates::require;
    CHECK(complaint(s) == "client_certificates: needs the roots to trust: ca_file, ca_path or ca_pem");
}

TEST_CASE("TLS options: an encrypted key takes its passphrase, and nobody is asked on the terminal") {
    const auto own = server_certificate();
    tls_options o = trusting();
    o.certificate_pem = own.certificate;
    o.key_pem = encrypt_key(own.key, "sesame").value();
    CHECK(complaint(o) == "key_pem: the key is encrypted, and there is no key_passphrase");
    o.key_passphrase = "wrong";
    CHECK(complaint(o).starts_with("key_pem: wrong key_passphrase, or a damaged key"));
    o.key_passphrase = "sesame";
    CHECK(complaint(o).empty());
}

TEST_CASE("TLS options: certificate and key in one file") {
    const folder files;
    const auto own = server_certificate();
    tls_server_options s;
    s.certificate_file = files.write("both", own.key + own.certificate);
    CHECK(complaint(s).empty());
}

TEST_CASE("TLS options: a client reads its files again when they have changed, and has a source asked each time") {
    const folder files;
    const auto other = make({.common_name = "Other root", .is_authority = true});
    loop l;
    tls_server server(l, serving(server_certificate()));
    tls_options options;
    options.ca_file = files.write("ca.pem", other.certificate);
    client_layers by_file({.tls = options});
    CHECK(dial(l, server.where(), by_file).error == errc::certificate_untrusted);
    files.write("ca.pem", authority().certificate);
    CHECK(!dial(l, server.where(), by_file).error);

    int asked = 0;
    client_layers by_source({.tls_source = [&] { return ++asked == 1 ? trusting(other.certificate) : trusting(); }});
    CHECK(dial(l, server.where(), by_source).error == errc::certificate_untrusted);
    CHECK(!dial(l, server.where(), by_source).error);
    CHECK(asked == 2);
}

TEST_CASE("TLS options: a listener takes new certificates when told, and keeps the old ones when the new are wrong") {
    const folder files;
    const auto first = make({.common_name = "first", .hosts = {"a.example"}}, &authority());
    const auto second = make({.common_name = "second", .hosts = {"b.example"}}, &authority());
    tls_server_options options;
    options.certificate_file = files.write("cert.pem", first.certificate);
    options.key_file = files.write("key.pem", first.key);
    loop l;
    tls_server server(l, options);
    tls_options a = trusting();
    a.server_name = "a.example";
    tls_options b = trusting();
    b.server_name = "b.example";
    CHECK(!dial(l, server.where(), a).error);

    files.write("cert.pem", second.certificate);
    std::string detail;
    CHECK(server.layers->prepare(detail) == errc::tls_options_invalid);
    CHECK(detail == "key_file " + options.key_file + ": the key does not fit the certificate");
    CHECK(!dial(l, server.where(), a).error);

    files.write("key.pem", second.key);
    CHECK(!server.layers->prepare(detail));
    CHECK(!dial(l, server.where(), a).error);
    server.layers->commit();
    CHECK(dial(l, server.where(), a).error == errc::certificate_wrong_host);
    CHECK(!dial(l, server.where(), b).error);
}

TEST_CASE("test certificates: fit each other and the hosts that were named") {
    const auto made = make_test_certificates({"127.0.0.1", "broker.example"}).value();
    tls_server_options s;
    s.certificate_pem = made.server_certificate;
    s.key_pem = made.server_key;
    s.client_certificates = client_certificates::require;
    s.ca_pem = made.ca_certificate;
    tls_options c = trusting(made.ca_certificate);
    c.certificate_pem = made.client_certificate;
    c.key_pem = made.client_key;
    loop l;
    tls_server server(l, s);
    dial_result result = dial(l, server.where(), c);
    REQUIRE_MESSAGE(!result.error, result.detail);
    end client(l, std::move(result.link));
    client.io->start();
    client.send("x");
    l.until([&] { return server.last().received == "x"; });
    CHECK(server.last().io->link().peer_identity() == "client");

    CHECK(make_test_certificates({}).error() == errc::option_invalid);
    CHECK(make_test_certificates({"a,DNS:b"}).error() == errc::option_invalid);
}

TEST_CASE("test certificates: those that were kept are checked") {
    const std::vector<std::string> hosts{"127.0.0.1", "broker.example"};
    const auto made = make_test_certificates(hosts).value();
    std::string why;
    const auto verdict = [&](auto change) {
        test_certificates kept = made;
        change(kept);
        return check_test_certificates(kept, hosts, &why);
    };
    CHECK_FALSE(verdict([](test_certificates&) {}));
    CHECK(why.empty());

    const auto other = make_test_certificates(hosts).value();
    CHECK(verdict([&](auto& k) { k.ca_certificate = other.ca_certificate; }) == errc::certificate_untrusted);
    CHECK(verdict([&](auto& k) { k.client_key = other.client_key; }) == errc::tls_options_invalid);
    CHECK(why == "the client's key does not fit its certificate");
    CHECK(verdict([](auto& k) { k.server_key = "x"; }) == errc::tls_options_invalid);
    CHECK(why == "the server's key cannot be read");
    CHECK(verdict([](auto& k) { std::swap(k.client_certificate, k.client_key); }) == errc::tls_options_invalid);
    CHECK(verdict([&](auto& k) {
              k.server_certificate = made.client_certificate;
              k.server_key = made.client_key;
          }) == errc::certificate_invalid);
    CHECK(check_test_certificates(made, {"127.0.0.1", "elsewhere"}, &why) == errc::certificate_wrong_host);
    CHECK(check_test_certificates(made, {}) == errc::option_invalid);

    const certificate_and_key late = make(
        {.common_name = "client", .for_clients = true, .from = std::chrono::hours(-48), .to = std::chrono::hours(-24)},
        &authority());
    const certificate_and_key server = server_certificate(hosts);
    CHECK(check_test_certificates({authority().certificate, server.certificate, server.key, late.certificate, late.key},
                                  hosts, &why) == errc::certificate_expired);
    CHECK(why.starts_with("certificate of client expired on "));
}

TEST_CASE("network: a scheme that needs layers is refused without them, never served by a plain socket") {
    loop l;
    for (const char* const at : {"mqtts://127.0.0.1:0", "ws://127.0.0.1:0", "wss://127.0.0.1:0"}) {
        const auto made = l.net->listen(url(at), {}, [](std::unique_ptr<transport>) {}, {});
        CHECK(!made.listener);
        CHECK(made.error == boost::system::errc::protocol_not_supported);
    }
}

}  // namespace
