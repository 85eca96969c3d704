#include "core/wire.hpp"

#include <martlet/core/outgoing_message.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

namespace martlet::core {

namespace {

// Blocks of messages that are gone, for those to come: with thousands of messages under way malloc's own caches are too
// small, and large blocks it gives back to the system, which has to clear them again for the next message. Bounded, of this
// thread.
class block_cache {
public:
    static void* take(std::size_t size) {
        block_cache* const cache = of_thread();
        const std::size_t at = index(size);
        if (at >= classes) {
            void* const large = cache != nullptr && size >= large_size_min ? cache->take_large(size) : nullptr;
            return large != nullptr ? large : ::operator new(size);
        }
        if (cache == nullptr || cache->free_[at] == nullptr) return ::operator new((at + 1) * step);
        block* const taken = cache->free_[at];
        cache->free_[at] = taken->next;
        cache->bytes_ -= (at + 1) * step;
        return taken;
    }

    static void give(void* memory, std::size_t size) noexcept {
        block_cache* const cache = of_thread();
        const std::size_t at = index(size);
        if (cache == nullptr) return ::operator delete(memory);
        if (at >= classes) return cache->give_large(memory, size);
        if (cache->bytes_ >= bytes_max) return ::operator delete(memory);
        cache->free_[at] = ::new (memory) block{cache->free_[at]};
        cache->bytes_ += (at + 1) * step;
    }

    block_cache() = default;
    block_cache(const block_cache&) = delete;
    block_cache& operator=(const block_cache&) = delete;
    ~block_cache() {
        is_over() = true;
        for (block* first : free_) {
            while (first != nullptr)
                ::operator delete(std::exchange(first, first->next));
        }
        for (const large_block& one : large_)
            ::operator delete(one.memory);
    }

private:
    struct block {
        block* next;
    };
    struct large_block {
        void* memory = nullptr;
        std::size_t size = 0;
    };
    static constexpr std::size_t step = 32;
    static constexpr std::size_t classes = 32;  // up to 1 KiB
    static constexpr std::size_t bytes_max = 1024 * 1024;
    static constexpr std::size_t large_size_min = 64 * 1024;
    static constexpr std::size_t large_size_max = 1024 * 1024 + 4096;  // a payload of 1 MiB with its topic
    static constexpr std::size_t large_count_max = 4;

    static std::size_t index(std::size_t size) noexcept { return (size - 1) / step; }
    // Messages may outlive it: those of static objects.
    static bool& is_over() noexcept {
        static thread_local bool over = false;
        return over;
    }
    static block_cache* of_thread() noexcept {
#ifdef __SANITIZE_ADDRESS__
        return nullptr;  // a use after free is to be found
#else
        static thread_local block_cache cache;
        return is_over() ? nullptr : &cache;
#endif
    }

    // One that is not much too large, or null.
    void* take_large(std::size_t size) noexcept {
        for (large_block& one : large_) {
            if (one.size >= size && one.size / 2 < size) return std::exchange(one, {}).memory;
        }
        return nullptr;
    }

    void give_large(void* memory, std::size_t size) noexcept {
        if (size >= large_size_min && size <= large_size_max) {
            auto at =
                std::find_if(large_.begin(), large_.end(), [](const large_block& b) { return b.memory == nullptr; });
            if (at == large_.end()) at = large_.begin() + next_large_++ % large_count_max;
            memory = std::exchange(*at, {memory, size}).memory;
        }
        ::operator delete(memory);
    }

    std::array<block*, classes> free_{};
    std::size_t bytes_ = 0;
    std::array<large_block, large_count_max> large_{};
    std::size_t next_large_ = 0;
};

}  // namespace

outgoing_message* outgoing_message::allocate(std::size_t bytes_size) {
    void* const memory = block_cache::take(sizeof(outgoing_message) + bytes_size);
    return ::new (memory) outgoing_message();
}

void outgoing_message::operator delete(outgoing_message* p, std::destroying_delete_t) noexcept {
    const std::size_t head = p->topic_size_ + std::size_t{p->section_size_};
    const bool has_payload_inside = p->payload_.data() == p->bytes() + head;
    const std::size_t size = sizeof *p + head + (has_payload_inside ? p->payload_.size() : 0);
    p->~outgoing_message();
    block_cache::give(p, size);
}

void outgoing_message::charge(const message_ref& message, boost::intrusive_ptr<memory_account> to) noexcept {
    auto* const made = const_cast<outgoing_message*>(message.get());  // what a reader sees does not change
    assert(made->account_ == nullptr);
    to->bytes += made->cost();
    made->account_ = std::move(to);
}

namespace {

std::size_t section_size(const message_properties& properties) noexcept { return encoded_size(properties, false); }

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

message_ref outgoing_message::create(std::string_view topic, std::string_view payload, martlet::qos qos) {
    assert(topic.size() <= 0xFFFF);
    auto* const made = allocate(topic.size() + payload.size());
    char* const at = put_bytes(topic, made->bytes());
    put_bytes(payload, at);
    made->payload_ = {at, payload.size()};
    made->topic_size_ = static_cast<std::uint16_t>(topic.size());
    made->qos_ = qos;
    return message_ref(made);
}

message_ref outgoing_message::create_shared(std::string_view topic, std::string_view payload,
                                            std::shared_ptr<const void> owner_of_payload, martlet::qos qos, bool retain,
                                            const message_properties& properties, std::optional<unix_time> expires_at) {
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
