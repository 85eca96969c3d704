// Hash tables of 32-bit numbers: the objects stand in arrays of their owner, the table holds hash and number in eight
// bytes. Topics and client ids are chosen by peers, so the hash is seeded; order never depends on an address.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet::broker_impl {

/// Hash of a string under a secret seed.
class string_hash {
public:
    explicit string_hash(std::uint64_t seed) noexcept : seed_(mix(seed ^ key_a, key_b)) {}

    [[nodiscard]] std::uint32_t operator()(std::string_view text) const noexcept {
        const char* p = text.data();
        std::size_t n = text.size();
        std::uint64_t state = seed_ ^ (n * key_a);
        for (; n > 16; n -= 16, p += 16)
            state = mix(load_8(p) ^ key_b, load_8(p + 8) ^ state);
        std::uint64_t low = 0;
        std::uint64_t high = 0;
        if (n >= 8) {
            low = load_8(p);
            high = load_8(p + n - 8);
        } else if (n >= 4) {
            low = load_4(p);
            high = load_4(p + n - 4);
        } else if (n > 0) {
            low = static_cast<std::uint64_t>(static_cast<unsigned char>(p[0])) << 16 |
                  static_cast<std::uint64_t>(static_cast<unsigned char>(p[n / 2])) << 8 |
                  static_cast<unsigned char>(p[n - 1]);
        }
        return fold(mix(low ^ key_b, high ^ state));
    }

    /// Hash of a pair of numbers.
    [[nodiscard]] std::uint32_t operator()(std::uint32_t a, std::uint32_t b) const noexcept {
        return fold(mix((static_cast<std::uint64_t>(a) << 32 | b) ^ seed_, key_b));
    }

private:
    static constexpr std::uint64_t key_a = 0x9E37'79B9'7F4A'7C15;
    static constexpr std::uint64_t key_b = 0xD6E8'FEB8'6659'FD93;
    __extension__ using wide = unsigned __int128;

    static std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
        const auto product = static_cast<wide>(a) * b;
        return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
    }
    static std::uint32_t fold(std::uint64_t h) noexcept { return static_cast<std::uint32_t>(h ^ (h >> 32)); }
    static std::uint64_t load_8(const char* p) noexcept {
        std::uint64_t value = 0;
        std::memcpy(&value, p, sizeof value);
        return value;
    }
    static std::uint64_t load_4(const char* p) noexcept {
        std::uint32_t value = 0;
        std::memcpy(&value, p, sizeof value);
        return value;
    }

    std::uint64_t seed_;
};

/// Open addressing with linear probing; erasing shifts back, so there are no tombstones.
class hash_index {
public:
    static constexpr std::uint32_t none = 0xFFFF'FFFF;

    /// The number that was inserted with `hash` and for which `equal(number)` is true, else none.
    template <class Equal>
    [[nodiscard]] std::uint32_t find(std::uint32_t hash, Equal&& equal) const {
        if (slots_.empty()) return none;
        for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
            const slot& s = slots_[at];
            if (s.value == none) return none;
            if (s.hash == hash && equal(s.value)) return s.value;
        }
    }

    /// Requires: not inserted yet, and not `none`.
    void insert(std::uint32_t hash, std::uint32_t value) {
        assert(value != none);
        reserve(1);
        place(hash, value);
        ++size_;
    }
    /// Makes room, so that the next `count` calls of insert() cannot fail.
    void reserve(std::size_t count) {
        while ((size_ + count) * 4 > slots_.size() * 3)
            rehash(slots_.empty() ? 16 : slots_.size() * 2);
    }

    /// Requires: inserted with this hash.
    void erase(std::uint32_t hash, std::uint32_t value) noexcept {
        std::size_t hole = hash & mask_;
        while (slots_[hole].value != value) {
            assert(slots_[hole].value != none);
            hole = (hole + 1) & mask_;
        }
        for (std::size_t at = (hole + 1) & mask_; slots_[at].value != none; at = (at + 1) & mask_) {
            const std::size_t home = slots_[at].hash & mask_;
            if (((at - home) & mask_) < ((at - hole) & mask_)) continue;  // it would move in front of its home
            slots_[hole] = slots_[at];
            hole = at;
        }
        slots_[hole].value = none;
        --size_;
        if (slots_.size() > 64 && size_ * 8 < slots_.size()) shrink();
    }

    /// Asks for the slot's cache line ahead of find().
    void prefetch(std::uint32_t hash) const noexcept {
        if (!slots_.empty()) __builtin_prefetch(&slots_[hash & mask_]);
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t memory() const noexcept { return slots_.capacity() * sizeof(slot); }
    void clear() noexcept {
        slots_.clear();
        slots_.shrink_to_fit();
        size_ = 0;
        mask_ = 0;
    }

private:
    struct slot {
        std::uint32_t hash = 0;
        std::uint32_t value = none;
    };

    void place(std::uint32_t hash, std::uint32_t value) noexcept {
        std::size_t at = hash & mask_;
        while (slots_[at].value != none)
            at = (at + 1) & mask_;
        slots_[at] = {hash, value};
    }
    void shrink() noexcept {
        try {
            rehash(slots_.size() / 4);
        } catch (const std::bad_alloc&) {  // the large one goes on serving
        }
    }
    void rehash(std::size_t size) {
        std::vector<slot> old(size);
        old.swap(slots_);
        mask_ = size - 1;
        for (const slot& s : old) {
            if (s.value != none) place(s.hash, s.value);
        }
    }

    std::vector<slot> slots_;  // a power of two, at most three quarters full
    std::size_t size_ = 0;
    std::size_t mask_ = 0;
};

/// Objects with stable numbers and addresses, in pages; freed numbers are given again.
template <class T>
class slab {
public:
    [[nodiscard]] std::uint32_t add(T item = T()) {
        reserve(1);
        std::uint32_t at = size_;
        if (free_.empty()) {
            ++size_;
        } else {
            at = free_.back();
            free_.pop_back();
        }
        (*this)[at] = std::move(item);
        return at;
    }
    /// Makes room, so that the next `count` calls of add() cannot fail.
    void reserve(std::size_t count) {
        while (free_.size() + pages_.size() * page_size - size_ < count) {
            // Room for all free numbers comes with the page: remove() has to succeed.
            const std::size_t numbers = (pages_.size() + 1) * page_size;
            if (free_.capacity() < numbers) free_.reserve(std::max(numbers, free_.capacity() * 2));
            pages_.push_back(std::make_unique<T[]>(page_size));
        }
    }
    void remove(std::uint32_t at) noexcept {
        (*this)[at] = T();
        free_.push_back(at);
        if (free_.size() == size_) clear();
    }
    [[nodiscard]] T& operator[](std::uint32_t at) noexcept { return pages_[at / page_size][at % page_size]; }
    [[nodiscard]] const T& operator[](std::uint32_t at) const noexcept {
        return pages_[at / page_size][at % page_size];
    }
    /// How many there are; all numbers given are below bound().
    [[nodiscard]] std::size_t size() const noexcept { return size_ - free_.size(); }
    [[nodiscard]] std::uint32_t bound() const noexcept { return size_; }
    [[nodiscard]] std::size_t memory() const noexcept {
        return pages_.size() * page_size * sizeof(T) + free_.capacity() * sizeof(std::uint32_t);
    }
    void clear() noexcept {
        std::vector<std::unique_ptr<T[]>>().swap(pages_);
        std::vector<std::uint32_t>().swap(free_);
        size_ = 0;
    }

private:
    static constexpr std::uint32_t page_size = 256;

    std::vector<std::unique_ptr<T[]>> pages_;
    std::vector<std::uint32_t> free_;
    std::uint32_t size_ = 0;
};

}  // namespace martlet::broker_impl
