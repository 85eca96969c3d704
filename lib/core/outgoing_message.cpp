#include <martlet/core/outgoing_message.hpp>

#include <cassert>
#include <cstring>
#include <new>
#include <utility>

namespace martlet::core {

outgoing_message* outgoing_message::allocate(std::size_t bytes_size) {
    void* const memory = ::operator new(sizeof(outgoing_message) + bytes_size);
    return ::new (memory) outgoing_message();
}

void outgoing_message::charge(const message_ref& message, boost::intrusive_ptr<memory_account> to) noexcept {
    auto* const made = const_cast<outgoing_message*>(message.get());  // what a reader sees does not change
    assert(made->account_ == nullptr);
    to->bytes += made->cost();
    made->account_ = std::move(to);
}

void outgoing_message::operator delete(void* p) noexcept { ::operator delete(p); }

namespace {

std::size_t section_size(const message_properties& properties) noexcept {
    return encoded_size(properties, false);
}

}  // namespace

message_ref outgoing_message::create(std::string_view topic, std::string_view payload, martlet::qos qos, bool retain,
                                     const message_properties& properties, std::optional<unix_time> expires_at) {
    const std::size_t section = section_size(properties);
    auto* const made = allocate(topic.size() + section + payload.size());
    message_ref owner(made);
    assert(topic.size() <= 0xFFFF);
    std::memcpy(made->bytes(), topic.data(), topic.size());
    if (section != 0) encode(properties, false, made->bytes() + topic.size());
    char* const at = made->bytes() + topic.size() + section;
    if (!payload.empty()) std::memcpy(at, payload.data(), payload.size());
    made->payload_ = {at, payload.size()};
    made->topic_size_ = static_cast<std::uint16_t>(topic.size());
    made->section_size_ = static_cast<std::uint32_t>(section);
    made->qos_ = qos;
    made->retain_ = retain;
    if (expires_at) made->expires_at_ = *expires_at;
    return owner;
}

message_ref outgoing_message::create_shared(std::string_view topic, std::string_view payload,
                                            std::shared_ptr<const void> owner_of_payload, martlet::qos qos,
                                            bool retain, const message_properties& properties,
                                            std::optional<unix_time> expires_at) {
    message_ref owner = create(topic, {}, qos, retain, properties, expires_at);
    auto* const made = const_cast<outgoing_message*>(owner.get());  // not shared with anybody yet
    made->payload_ = payload;
    made->payload_owner_ = std::move(owner_of_payload);
    return owner;
}

message_ref outgoing_message::create(const packets::publish& from, unix_time now) {
    std::optional<unix_time> expires_at;
    if (const auto& interval = from.properties.message_expiry_interval) {
        expires_at = now + std::chrono::seconds(*interval);
    }
    return create(from.topic, from.payload, from.qos, from.retain, from.properties, expires_at);
}

message_ref outgoing_message::restore(std::string_view topic, std::string_view payload,
                                      std::string_view property_section, martlet::qos qos, bool retain,
                                      std::optional<unix_time> expires_at) {
    return create(topic, payload, qos, retain, decode_message_properties(property_section), expires_at);
}

}  // namespace martlet::core
