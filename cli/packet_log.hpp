// -d: a line for each packet, in mosquitto's words, which scripts look for.
#pragma once

#include "option_table.hpp"

#include <martlet/client_options.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace martlet::cli {

class packet_log : public packet_observer {
public:
    using sink = std::function<void(std::string_view line)>;

    /// `client_id` as it is sent in CONNECT; empty: the broker chooses one. `out` gets lines without their end.
    /// In mosquitto's profile QoS 0 messages are counted where others have their packet id, as mosquitto does.
    packet_log(std::string client_id, profile p, sink out)
        : client_id_(std::move(client_id)), counts_qos_0_(p == profile::mosquitto), out_(std::move(out)) {}

    void on_sent(const packet& p, protocol_version version, std::size_t size) override;
    void on_received(const packet& p, protocol_version version, std::size_t size) override;

private:
    void tell(std::string_view what);

    std::string client_id_;
    bool counts_qos_0_;
    std::uint16_t count_ = 0;
    sink out_;
};

}  // namespace martlet::cli
