#include "packet_fields.hpp"

#include "json_text.hpp"

#include <optional>

namespace martlet::cli {
namespace {

class collector {
public:
    explicit collector(protocol_version version) : version_(version) {}

    std::vector<packet_field> fields;

    void operator()(const packets::connect& p) {
        text("protocol", to_string(p.version));
        text("client_id", p.client_id);
        flag("clean_start", p.clean_start);
        number("keep_alive", p.keep_alive);
        if (p.user_name) text("user_name", *p.user_name);
        if (p.password) number("password_bytes", p.password->size());
        if (p.will) {
            text("will_topic", p.will->topic);
            text("will_payload", p.will->payload);
            number("will_qos", to_number(p.will->qos));
            flag("will_retain", p.will->retain);
            optional("will-delay-interval", p.will->will_delay_interval);
            message(p.will->properties);
        }
        const auto& c = p.properties;
        optional("session-expiry-interval", c.session_expiry_interval);
        optional("receive-maximum", c.receive_maximum);
        optional("maximum-packet-size", c.maximum_packet_size);
        optional("topic-alias-maximum", c.topic_alias_maximum);
        optional("request-response-information", c.request_response_information);
        optional("request-problem-information", c.request_problem_information);
        optional("authentication-method", c.authentication_method);
        optional("authentication-data", c.authentication_data);
        pairs(c.user_properties);
    }

    void operator()(const packets::connack& p) {
        flag("session_present", p.session_present);
        reason(p.reason);
        const auto& c = p.properties;
        optional("session-expiry-interval", c.session_expiry_interval);
        optional("receive-maximum", c.receive_maximum);
        if (c.maximum_qos) number("maximum-qos", to_number(*c.maximum_qos));
        optional("retain-available", c.retain_available);
        optional("maximum-packet-size", c.maximum_packet_size);
        optional("assigned-client-identifier", c.assigned_client_identifier);
        optional("topic-alias-maximum", c.topic_alias_maximum);
        optional("reason-string", c.reason_string);
        optional("wildcard-subscription-available", c.wildcard_subscription_available);
        optional("subscription-identifier-available", c.subscription_identifier_available);
        optional("shared-subscription-available", c.shared_subscription_available);
        optional("server-keep-alive", c.server_keep_alive);
        optional("response-information", c.response_information);
        optional("server-reference", c.server_reference);
        optional("authentication-method", c.authentication_method);
        optional("authentication-data", c.authentication_data);
        pairs(c.user_properties);
    }

    void operator()(const packets::publish& p) {
        text("topic", p.topic);
        number("qos", to_number(p.qos));
        if (p.qos != qos::at_most_once) number("packet_id", to_number(p.id));
        flag("dup", p.dup);
        flag("retain", p.retain);
        optional("topic-alias", p.topic_alias);
        message(p.properties);
        for (const std::uint32_t id : p.subscription_identifiers)
            number("subscription-identifier", id);
        text("payload", p.payload);
    }

    template <packet_type Type>
    void operator()(const packets::publish_ack<Type>& p) {
        number("packet_id", to_number(p.id));
        if (version_ == protocol_version::v5) reason(p.reason);
        answer(p.properties);
    }

    void operator()(const packets::subscribe& p) {
        number("packet_id", to_number(p.id));
        for (const subscription_request& s : p.subscriptions) {
            text("filter", s.filter);
            number("qos", to_number(s.qos));
            if (version_ != protocol_version::v5) continue;
            flag("no_local", s.no_local);
            flag("retain_as_published", s.retain_as_published);
            number("retain_handling", static_cast<unsigned>(s.retain_handling));
        }
        optional("subscription-identifier", p.properties.subscription_identifier);
        pairs(p.properties.user_properties);
    }

    void operator()(const packets::suback& p) { acknowledged(p.id, p.reasons, p.properties); }
    void operator()(const packets::unsuback& p) { acknowledged(p.id, p.reasons, p.properties); }

    void operator()(const packets::unsubscribe& p) {
        number("packet_id", to_number(p.id));
        for (const std::string_view filter : p.filters)
            text("filter", filter);
        pairs(p.properties.user_properties);
    }

    void operator()(const packets::pingreq&) {}
    void operator()(const packets::pingresp&) {}

    void operator()(const packets::disconnect& p) {
        if (version_ == protocol_version::v5) reason(p.reason);
        optional("session-expiry-interval", p.properties.session_expiry_interval);
        optional("reason-string", p.properties.reason_string);
        optional("server-reference", p.properties.server_reference);
        pairs(p.properties.user_properties);
    }

    void operator()(const packets::auth& p) {
        reason(p.reason);
        optional("authentication-method", p.properties.authentication_method);
        optional("authentication-data", p.properties.authentication_data);
        optional("reason-string", p.properties.reason_string);
        pairs(p.properties.user_properties);
    }

private:
    void text(std::string_view name, std::string_view value) {
        if (is_utf8(value)) {
            fields.push_back({std::string(name), std::string(value)});
            return;
        }
        static constexpr std::string_view digits = "0123456789abcdef";
        std::string hex;
        for (const char c : value) {
            hex += digits[static_cast<unsigned char>(c) >> 4];
            hex += digits[static_cast<unsigned char>(c) & 15];
        }
        fields.push_back({std::string(name) + "_hex", hex});
    }
    void number(std::string_view name, std::uint64_t value) {
        fields.push_back({std::string(name), std::to_string(value), true});
    }
    void flag(std::string_view name, bool value) {
        fields.push_back({std::string(name), value ? "true" : "false", true});
    }
    void reason(reason_code code) {
        number("reason", static_cast<unsigned>(code));
        text("reason_text", to_string(code));
    }
    void optional(std::string_view name, const std::optional<std::string_view>& value) {
        if (value) text(name, *value);
    }
    void optional(std::string_view name, const std::optional<bool>& value) {
        if (value) flag(name, *value);
    }
    void optional(std::string_view name, const std::optional<std::uint16_t>& value) {
        if (value) number(name, *value);
    }
    void optional(std::string_view name, const std::optional<std::uint32_t>& value) {
        if (value) number(name, *value);
    }
    void pairs(const user_property_list& list) {
        for (const user_property& pair : list)
            text("user-property", std::string(pair.name) + '=' + std::string(pair.value));
    }
    void message(const message_properties& p) {
        if (p.payload_format_indicator)
            number("payload-format-indicator", static_cast<unsigned>(*p.payload_format_indicator));
        optional("message-expiry-interval", p.message_expiry_interval);
        optional("content-type", p.content_type);
        optional("response-topic", p.response_topic);
        optional("correlation-data", p.correlation_data);
        pairs(p.user_properties);
    }
    void answer(const ack_properties& p) {
        optional("reason-string", p.reason_string);
        pairs(p.user_properties);
    }
    void acknowledged(packet_id id, const std::vector<reason_code>& reasons, const ack_properties& properties) {
        number("packet_id", to_number(id));
        for (const reason_code code : reasons)
            number("reason", static_cast<unsigned>(code));
        answer(properties);
    }

    protocol_version version_;
};

}  // namespace

std::vector<packet_field> fields_of(const packet& p, protocol_version version) {
    collector c(version);
    std::visit(c, p);
    return std::move(c.fields);
}

std::string packet_line(const packet& p, protocol_version version) {
    std::string line(to_string(type_of(p)));
    for (const packet_field& f : fields_of(p, version)) {
        line.append(" ").append(f.name) += '=';
        const bool plain = !f.value.empty() && f.value.find_first_of(" \"\\\t\n\r") == std::string::npos;
        if (plain) {
            line += f.value;
        } else {
            append_json_string(f.value, line);
        }
    }
    return line;
}

std::string packet_json(const packet& p, protocol_version version) {
    std::string out;
    json_writer json(out, false);
    json.begin_object();
    json.key("type");
    json.string(to_string(type_of(p)));
    for (const packet_field& f : fields_of(p, version)) {
        json.key(f.name);
        if (f.is_number) {
            json.raw(f.value);
        } else {
            json.string(f.value);
        }
    }
    json.end_object();
    return out;
}

}  // namespace martlet::cli
