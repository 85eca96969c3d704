// Who we are: credentials from a source that is asked for each connection, and enhanced authentication. MQTT 5 §4.12.
#include "client/client_engine.hpp"

#include <martlet/enhanced_authentication.hpp>
#include <martlet/topic.hpp>

#include <algorithm>
#include <utility>

namespace martlet::detail {

// -- before dialling

// What CONNECT will say is asked for first, so that the server's patience is not spent on it.
void client_engine::prepare() {
    using kind = link_action::kind_type;
    state_ = state::preparing;
    if (options_.credentials_source && !has_credentials_) return ask(kind::ask_credentials);
    if (options_.authentication && !has_first_data_) return ask(kind::begin_authentication);

    state_ = state::dialing;
    const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(present_.steady - dial_started_);
    const auto left = std::max(options_.connect_timeout - spent, std::chrono::milliseconds(1));
    actions_.push_back({link_action::kind_type::dial, where(), left, {}, 0, {}, options_.bind_address});
}

void client_engine::ask(link_action::kind_type what, std::string_view data) {
    question_ = ++last_question_;
    actions_.push_back({what, where(), {}, {}, question_, std::string(data)});
}

void client_engine::on_credentials(std::uint64_t number, error_code error, credentials answer) {
    if (number != question_ || state_ != state::preparing) return;
    question_ = 0;
    if (!error && answer.user_name && !is_valid_utf8_string(*answer.user_name)) error = errc::string_invalid;
    if (!error && answer.password && answer.password->size() > core::binary_size_max) error = errc::option_invalid;
    if (error) {
        link_ended(error, "the source of credentials", link_action::kind_type::cut, false);
    } else {
        credentials_ = std::move(answer);
        has_credentials_ = true;
        prepare();
    }
    settle();
}

void client_engine::on_authentication(std::uint64_t number, error_code error, std::string data) {
    if (number != question_) return;
    question_ = 0;
    if (!error && data.size() > core::binary_size_max) error = errc::option_invalid;
    if (error && state_ == state::open && !is_reauthenticating_) {
        outcome(std::exchange(reauthentication_, 0), error);  // nothing was said yet: the connection goes on
    } else if (error) {
        end_authentication(error);
    } else if (state_ == state::preparing) {
        first_data_ = std::move(data);
        has_first_data_ = true;
        prepare();
    } else if (is_linked_) {
        packets::auth packet;
        packet.reason = state_ == state::open && !std::exchange(is_reauthenticating_, true)
                            ? reason_code::reauthenticate
                            : reason_code::continue_authentication;
        if (!data.empty()) packet.properties.authentication_data = data;
        connection_->send_auth(packet);
    }
    settle();
}

// The exchange has failed on our side: whoever the server is, it does not get to know more from us.
void client_engine::end_authentication(error_code error) {
    link_ended(error, "authentication", link_action::kind_type::cut, error == errc::authentication_failed);
}

// -- the server's AUTH

void client_engine::on_auth(const packets::auth& packet) {
    const auto data = packet.properties.authentication_data.value_or("");
    const bool is_expected = state_ == state::handshake || (state_ == state::open && is_reauthenticating_);
    if (is_expected && packet.reason == reason_code::continue_authentication && question_ == 0) {
        return ask(link_action::kind_type::go_on_authenticating, data);
    }
    if (state_ == state::open && is_reauthenticating_ && packet.reason == reason_code::success && question_ == 0) {
        if (!options_.authentication->finish(data)) return end_authentication(errc::authentication_failed);
        is_reauthenticating_ = false;
        outcome(std::exchange(reauthentication_, 0), {});
        return;
    }
    connection_->fail({reason_code::protocol_error, "MQTT-4.12.1-1", "AUTH was not asked for"});
    link_ended(errc::protocol_error, "AUTH was not asked for [MQTT-4.12.1-1]", link_action::kind_type::abandon, false);
}

error_code client_engine::reauthenticate(token who) {
    if (!is_open()) return errc::not_connected;
    if (version_ != protocol_version::v5) return errc::version_not_supported;
    if (!options_.authentication) return errc::option_invalid;
    if (reauthentication_ != 0 || question_ != 0) return errc::already_running;
    reauthentication_ = who;
    is_reauthenticating_ = false;  // until AUTH 0x19 is sent
    ask(link_action::kind_type::begin_authentication);
    return {};
}

}  // namespace martlet::detail
