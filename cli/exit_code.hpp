// What the tools exit with. Numbers above 127 are MQTT 5 reason codes, those of a refused CONNECT before MQTT 5 are its
// return codes 1 to 5; the rest are mosquitto's, which scripts know.
#pragma once

namespace martlet::cli {

enum exit_code : int {
    exit_ok = 0,
    exit_failure = 1,           ///< wrong usage, a file that cannot be read, no connection to be had
    exit_protocol_error = 2,    ///< the broker broke the protocol
    exit_assertion_failed = 3,  ///< check --assert
    exit_connection_lost = 7,   ///< the connection ended before the work was done
    exit_unknown = 13,
    exit_payload_too_large = 9,
    exit_keep_alive = 19,  ///< the broker was silent for too long
    exit_malformed_packet = 21,
    exit_qos_not_supported = 24,
    exit_packet_too_large = 25,
    exit_timed_out = 27,  ///< -W, --connect-timeout
    exit_by_second_signal = 130,
    exit_interrupted_early = 255,  ///< a signal before the first CONNACK
};

}  // namespace martlet::cli
