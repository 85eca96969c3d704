#include "message_record.hpp"

#include "json_reader.hpp"
#include "json_text.hpp"
#include "payload_text.hpp"

#include <martlet/topic.hpp>

#include <cmath>
#include <cstdio>

namespace martlet::cli {
namespace {

void put_bytes(json_writer& json, std::string_view name, std::string_view bytes) {
    if (is_utf8(bytes)) {
        json.key(name);
        json.string(bytes);
        return;
    }
    std::string encoded;
    append_base64(bytes, encoded);
    json.key(std::string(name) + "_b64");
    json.string(encoded);
}

void put_properties(json_writer& json, const message_properties& p) {
    if (p.payload_format_indicator) {
        json.key("payload-format-indicator");
        json.number(static_cast<std::uint8_t>(*p.payload_format_indicator));
    }
    if (p.message_expiry_interval) {
        json.key("message-expiry-interval");
        json.number(*p.message_expiry_interval);
    }
    if (p.content_type) put_bytes(json, "content-type", *p.content_type);
    if (p.response_topic) put_bytes(json, "response-topic", *p.response_topic);
    if (p.correlation_data) put_bytes(json, "correlation-data", *p.correlation_data);
    if (p.user_properties.empty()) return;
    json.key("user-properties");
    json.begin_array();
    for (const user_property& pair : p.user_properties) {
        json.begin_object();
        json.key(pair.name);
        json.string(pair.value);
        json.end_object();
    }
    json.end_array();
}

/// name or name_b64. False: it is there, but no text.
bool take_bytes(const json_value& from, const std::string& name, std::optional<std::string>& out) {
    if (const json_value* const encoded = from.find(name + "_b64")) {
        if (encoded->text() != nullptr) out = decode_base64(*encoded->text());
        return out.has_value();
    }
    const json_value* const plain = from.find(name);
    if (plain == nullptr || std::holds_alternative<std::nullptr_t>(plain->is)) return true;
    if (plain->text() == nullptr) return false;
    out = *plain->text();
    return true;
}

bool take_whole(const json_value& from, std::string_view name, double high, std::optional<double>& out) {
    const json_value* const v = from.find(name);
    if (v == nullptr) return true;
    const double* const n = v->number();
    if (n == nullptr || *n < 0 || *n > high || *n != std::floor(*n)) return false;
    out = *n;
    return true;
}

std::string take_user_properties(const json_value& list, message_record& out) {
    const auto take_members = [&](const json_value& object) {
        if (object.members() == nullptr) return false;
        for (const auto& [name, value] : *object.members()) {
            if (value.text() == nullptr) return false;
            out.user_properties.emplace_back(name, *value.text());
        }
        return true;
    };
    bool good = true;
    if (list.items() != nullptr) {
        for (const json_value& one : *list.items())
            good = good && take_members(one);
    } else {
        good = take_members(list);  // as mosquitto 2.0 prints them
    }
    return good ? "" : "user-properties: must be objects whose members are strings.";
}

std::string take_properties(const json_value& p, message_record& out) {
    std::optional<double> number;
    if (!take_whole(p, "payload-format-indicator", 1, number)) return "payload-format-indicator: must be 0 or 1.";
    if (number) out.format_indicator = static_cast<payload_format>(*number);
    number.reset();
    if (!take_whole(p, "message-expiry-interval", 4294967295.0, number)) {
        return "message-expiry-interval: must be a whole number of seconds up to 4294967295.";
    }
    if (number) out.expiry = static_cast<std::uint32_t>(*number);
    if (!take_bytes(p, "content-type", out.content_type)) return "content-type: must be a string.";
    if (!take_bytes(p, "response-topic", out.response_topic)) return "response-topic: must be a string.";
    if (!take_bytes(p, "correlation-data", out.correlation_data)) return "correlation-data: must be a string.";
    const json_value* const pairs = p.find("user-properties");
    return pairs != nullptr ? take_user_properties(*pairs, out) : "";
}

}  // namespace

message_properties message_record::properties(std::vector<user_property>& pairs) const {
    message_properties p;
    p.payload_format_indicator = format_indicator;
    p.message_expiry_interval = expiry;
    if (content_type) p.content_type = *content_type;
    if (response_topic) p.response_topic = *response_topic;
    if (correlation_data) p.correlation_data = *correlation_data;
    pairs.clear();
    for (const auto& [name, value] : user_properties)
        pairs.push_back({name, value});
    p.user_properties = pairs;
    return p;
}

void append_record(const message& m, std::optional<double> time, std::string& out) {
    json_writer json(out, false);
    json.begin_object();
    if (time) {
        char text[32] = {};
        std::snprintf(text, sizeof(text), "%.6f", *time);
        json.key("t");
        json.raw(text);
    }
    json.key("topic");
    json.string(m.topic());
    json.key("qos");
    json.number(to_number(m.qos()));
    json.key("retain");
    json.boolean(m.retain());
    put_bytes(json, "payload", m.text());
    if (m.properties() != message_properties{}) {
        json.key("properties");
        json.begin_object();
        put_properties(json, m.properties());
        json.end_object();
    }
    json.end_object();
}

std::string parse_record(std::string_view line, message_record& out) {
    const auto parsed = parse_json(line);
    if (!parsed || parsed->members() == nullptr) return "not a JSON object.";
    out = {};
    std::optional<double> number;
    if (const json_value* const t = parsed->find("t"); t != nullptr && t->number() != nullptr) out.time = *t->number();
    std::optional<std::string> topic;
    if (!take_bytes(*parsed, "topic", topic)) return "topic: must be a string.";
    if (topic && !is_valid_topic_name(*topic)) return "topic: '" + *topic + "' is no topic to publish to.";
    out.topic = std::move(topic);
    std::optional<std::string> bytes;
    if (!take_bytes(*parsed, "payload", bytes)) return "payload: must be a string, or base64 in payload_b64.";
    out.payload = std::move(bytes).value_or("");
    if (!take_whole(*parsed, "qos", 2, number)) return "qos: must be 0, 1 or 2.";
    if (number) out.qos = static_cast<martlet::qos>(*number);
    if (const json_value* const r = parsed->find("retain")) {
        if (r->boolean() != nullptr) {
            out.retain = *r->boolean();
        } else if (r->number() != nullptr) {
            out.retain = *r->number() != 0;
        } else {
            return "retain: must be true or false.";
        }
    }
    const json_value* const p = parsed->find("properties");
    return p != nullptr ? take_properties(*p, out) : "";
}

}  // namespace martlet::cli
