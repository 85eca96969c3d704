#include "failure.hpp"

#include <boost/asio/error.hpp>
#include <doctest/doctest.h>

#include <optional>
#include <string>

using namespace martlet;
using namespace martlet::cli;

namespace {

failure refused(reason_code reason, protocol_version version, profile p = profile::mosquitto) {
    return connect_failure(reason, version, "host:1883", "", p);
}

}  // namespace

TEST_CASE("failure: a refused CONNECT before MQTT 5 exits with its return code") {
    CHECK(refused(reason_code::unsupported_protocol_version, protocol_version::v3_1_1).exit_code == 1);
    CHECK(refused(reason_code::client_identifier_not_valid, protocol_version::v3_1_1).exit_code == 2);
    CHECK(refused(reason_code::server_unavailable, protocol_version::v3_1).exit_code == 3);
    CHECK(refused(reason_code::bad_user_name_or_password, protocol_version::v3_1_1).exit_code == 4);
    const failure f = refused(reason_code::not_authorized, protocol_version::v3_1_1);
    CHECK(f.exit_code == 5);
    CHECK(f.text == "Connection error: Connection Refused: not authorised.");
}

TEST_CASE("failure: a refused CONNECT of MQTT 5 exits with its reason code") {
    const failure f = refused(reason_code::not_authorized, protocol_version::v5);
    CHECK(f.exit_code == 135);
    CHECK(f.text == "Connection error: Not authorized");
    CHECK(
        refused(reason_code::unsupported_protocol_version, protocol_version::v5).text ==
        "Connection error: Unsupported Protocol Version. Try connecting to an MQTT v5 broker, or use MQTT v3.x mode.");
    CHECK(connect_failure(reason_code::banned, protocol_version::v5, "h", "bad boy", profile::native).text ==
          "Connection error: Banned (bad boy)");
}

TEST_CASE("failure: what may help is said in our own profile") {
    const auto of = [](const error_code& cause, std::string_view detail, bool has_user_name, profile p) {
        return connect_failure(cause, protocol_version::v5, "h:1", detail, p, has_user_name).text;
    };
    CHECK(of(reason_code::not_authorized, "", false, profile::native) ==
          "Connection error: Not authorized (no user name was given)");
    CHECK(of(reason_code::not_authorized, "", true, profile::native) == "Connection error: Not authorized");
    CHECK(of(reason_code::server_busy, "", false, profile::native) == "Connection error: Server busy");
    CHECK(of(reason_code::not_authorized, "", false, profile::mosquitto) == "Connection error: Not authorized");
    CHECK(
        of(errc::certificate_untrusted, "certificate of x is self-signed", true, profile::native) ==
        "Error: the peer's certificate comes from nobody whom we trust: h:1 (certificate of x is self-signed; --cafile "
        "names its authority)");
    CHECK(of(errc::tls_certificate_required, "certificate_file brings one", true, profile::native) ==
          "Error: the server wants a client certificate, and there is none: h:1 (--cert and --key name it)");
}

TEST_CASE("failure: no connection") {
    const error_code tcp = boost::asio::error::connection_refused;
    CHECK(connect_failure(tcp, std::nullopt, "h:1", "", profile::mosquitto).text == "Error: Connection refused");
    CHECK(connect_failure(tcp, std::nullopt, "h:1", "", profile::native).text == "Error: Connection refused: h:1");
    CHECK(connect_failure(tcp, std::nullopt, "h:1", "", profile::native).exit_code == 1);

    const error_code lookup = boost::asio::error::host_not_found;
    const failure f = connect_failure(lookup, std::nullopt, "h:1", "", profile::mosquitto);
    CHECK(f.text == "Unable to connect (Lookup error.).");
    CHECK(f.exit_code == 1);
    CHECK(connect_failure(lookup, std::nullopt, "h:1", "", profile::native)
              .text.starts_with("Unable to connect (Lookup error): h:1: "));

    CHECK(connect_failure(errc::connect_timeout, std::nullopt, "h:1", "", profile::native).exit_code == 27);
}

TEST_CASE("failure: a lost connection") {
    CHECK(connection_loss(errc::connection_closed, "", profile::mosquitto).text == "Error: The connection was lost.");
    CHECK(connection_loss(errc::connection_closed, "", profile::mosquitto).exit_code == 7);
    CHECK(connection_loss(errc::keep_alive_timeout, "", profile::native).exit_code == 19);
    const failure f = connection_loss(reason_code::session_taken_over, "by another", profile::native);
    CHECK(f.exit_code == 142);
    CHECK(f.text == "Error: The connection was lost: Session taken over (by another)");
}

TEST_CASE("failure: a refused message") {
    CHECK(publish_failure(reason_code::not_authorized).exit_code == 135);
    CHECK(publish_failure(reason_code::not_authorized).text == "Not authorized");
    CHECK(publish_failure(errc::packet_too_large).exit_code == 25);
    CHECK(publish_failure(errc::packet_too_large).text == "Message payload is too large");
}
