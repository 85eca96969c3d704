#include "client/message_chunk.hpp"

#include <martlet/core/codec.hpp>

#include <algorithm>
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

const message_record* message_chunk::append(const packets::publish& from, std::size_t section_size,
                                            std::uint64_t receipt, bool counted) noexcept {
    auto* const record = ::new (bytes() + used_) message_record;
    used_ += record_size(from, section_size);

    record->receipt = receipt;
    record->payload_size = static_cast<std::uint32_t>(from.payload.size());
    record->section_size = static_cast<std::uint32_t>(section_size);
    record->identifier_count = static_cast<std::uint32_t>(from.subscription_identifiers.size());
    record->topic_size = static_cast<std::uint16_t>(from.topic.size());
    record->packet_id = to_number(from.id);
    record->topic_alias = from.topic_alias.value_or(0);
    record->qos = from.qos;
    record->retain = from.retain;
    record->dup = from.dup;
    record->counted = counted;

    auto* const identifiers = reinterpret_cast<std::uint32_t*>(record + 1);
    if (record->identifier_count != 0) {
        std::copy(from.subscription_identifiers.begin(), from.subscription_identifiers.end(), identifiers);
    }
    char* to = reinterpret_cast<char*>(identifiers + record->identifier_count);
    std::memcpy(to, from.topic.data(), from.topic.size());
    to += from.topic.size();
    if (section_size != 0) to = core::encode(from.properties, true, to);
    if (!from.payload.empty()) std::memcpy(to, from.payload.data(), from.payload.size());
    return record;
}

std::size_t section_size_of(const packets::publish& from) noexcept {
    return from.property_section.empty() ? 0 : core::encoded_size(from.properties, true);
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

message_properties message::properties() const noexcept {
    if (!record_ || record_->section_size == 0) return {};
    return core::decode_message_properties(record_->section());
}

std::span<const std::uint32_t> message::subscription_identifiers() const noexcept {
    if (!record_) return {};
    return {record_->identifiers(), record_->identifier_count};
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
