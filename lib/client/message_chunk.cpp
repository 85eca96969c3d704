#include "client/message_chunk.hpp"

#include <martlet/core/codec.hpp>

#include <cstring>
#include <new>

namespace martlet::detail {

void intrusive_ptr_add_ref(const message_chunk* chunk) noexcept {
    chunk->owners_.fetch_add(1, std::memory_order_relaxed);
}

void intrusive_ptr_release(const message_chunk* chunk) noexcept {
    if (chunk->owners_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    chunk->~message_chunk();
    ::operator delete(const_cast<message_chunk*>(chunk));
}

boost::intrusive_ptr<message_chunk> message_chunk::create(std::size_t capacity) {
    void* const memory = ::operator new(sizeof(message_chunk) + capacity);
    return boost::intrusive_ptr<message_chunk>(::new (memory) message_chunk(capacity));
}

const message_record* message_chunk::append(const packets::publish& from, core::receipt receipt,
                                            bool counted) noexcept {
    auto* const record = ::new (bytes() + used_) message_record;
    used_ += record_size(from);

    const auto section = from.property_section;
    record->receipt = receipt;
    record->payload_size = static_cast<std::uint32_t>(from.payload.size());
    record->section_size = static_cast<std::uint32_t>(section.size());
    record->topic_size = static_cast<std::uint16_t>(from.topic.size());
    record->packet_id = to_number(from.id);
    record->topic_alias = from.topic_alias.value_or(0);
    record->qos = from.qos;
    record->retain = from.retain;
    record->dup = from.dup;
    record->counted = counted;

    char* to = reinterpret_cast<char*>(record + 1);
    *to++ = static_cast<char>(from.topic.size() >> 8);
    *to++ = static_cast<char>(from.topic.size() & 0xFF);
    std::memcpy(to, from.topic.data(), from.topic.size());
    to = core::encode_variable_byte_integer(section.size(), to + from.topic.size());
    if (!section.empty()) std::memcpy(to, section.data(), section.size());
    if (!from.payload.empty()) std::memcpy(to + section.size(), from.payload.data(), from.payload.size());
    return record;
}

}  // namespace martlet::detail

namespace martlet {

message::message(boost::intrusive_ptr<const detail::message_chunk> chunk, const detail::message_record* record) noexcept
    : chunk_(std::move(chunk)), record_(record) {}

std::string_view message::topic() const noexcept { return record_ ? record_->topic() : std::string_view(); }

std::string_view message::text() const noexcept { return record_ ? record_->payload() : std::string_view(); }

std::span<const std::byte> message::payload() const noexcept {
    const auto bytes = text();
    return {reinterpret_cast<const std::byte*>(bytes.data()), bytes.size()};
}

qos message::qos() const noexcept { return record_ ? record_->qos : martlet::qos::at_most_once; }

bool message::retain() const noexcept { return record_ && record_->retain; }

bool message::dup() const noexcept { return record_ && record_->dup; }

namespace {

packets::publish decode(const detail::message_record* record) noexcept {
    packets::publish out;
    if (!record || record->section_size == 0) return out;
    core::frame frame;
    frame.type = packet_type::publish;
    frame.body = record->body();
    // It was validated when it came in.
    (void)core::decode_publish(frame, protocol_version::v5, role::client, record->topic(), out);
    return out;
}

}  // namespace

message_properties message::properties() const noexcept { return decode(record_).properties; }

subscription_identifier_list message::subscription_identifiers() const noexcept {
    return decode(record_).subscription_identifiers;
}

std::optional<std::uint16_t> message::topic_alias() const noexcept {
    if (!record_ || record_->topic_alias == 0) return std::nullopt;
    return record_->topic_alias;
}

packet_id message::packet_id() const noexcept {
    return record_ ? static_cast<martlet::packet_id>(record_->packet_id) : martlet::packet_id::none;
}

std::uint64_t message::receipt() const noexcept { return record_ ? record_->receipt : 0; }

}  // namespace martlet
