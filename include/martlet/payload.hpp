// What is published: bytes that are viewed, moved in or shared. MQTT 5 §3.3.3.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace martlet {

/// The payload of a message to publish. It decides how the bytes travel: a view is copied by the call that it is passed
/// to, a string that is moved in is kept, a shared buffer is shared (and must not change any more). Below 4 KiB a copy
/// is cheaper than sharing, so small payloads are copied in any case. MQTT sets no rules for the bytes.
class payload {
public:
    /// Empty: valid, and for a retained message the way to delete it. MQTT 5 §3.3.1.3.
    payload() noexcept {}
    /// A view; the bytes have to live until the call that it is passed to returns (not until the operation completes).
    payload(std::string_view bytes) noexcept : view_(bytes) {}  // NOLINT(google-explicit-constructor)
    payload(const char* text) noexcept : view_(text) {}         // NOLINT(google-explicit-constructor)
    payload(const std::string& text) noexcept : view_(text) {}  // NOLINT(google-explicit-constructor)
    payload(std::span<const std::byte> bytes) noexcept          // NOLINT(google-explicit-constructor)
        : view_(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {}
    /// Moved in.
    payload(std::string&& text) noexcept
        : kept_(std::move(text)), is_kept_(true) {}  // NOLINT(google-explicit-constructor)
    /// Shared. Requires: not null.
    payload(std::shared_ptr<const std::string> text) noexcept  // NOLINT(google-explicit-constructor)
        : view_(*text), owner_(std::move(text)) {}
    payload(std::shared_ptr<const std::vector<std::byte>> bytes) noexcept  // NOLINT(google-explicit-constructor)
        : view_(reinterpret_cast<const char*>(bytes->data()), bytes->size()), owner_(std::move(bytes)) {}
    /// Shared: `owner` keeps `bytes` alive.
    payload(std::string_view bytes, std::shared_ptr<const void> owner) noexcept
        : view_(bytes), owner_(std::move(owner)) {}

    /// The bytes; valid as long as this object and what it views or shares.
    [[nodiscard]] std::string_view bytes() const noexcept { return is_kept_ ? std::string_view(kept_) : view_; }
    [[nodiscard]] std::size_t size() const noexcept { return bytes().size(); }
    [[nodiscard]] bool empty() const noexcept { return bytes().empty(); }

    /// Makes a string that was moved in shared; returns what keeps the bytes alive, null for a view.
    [[nodiscard]] std::shared_ptr<const void> share() &&;

private:
    std::string_view view_;
    std::string kept_;
    std::shared_ptr<const void> owner_;
    bool is_kept_ = false;
};

}  // namespace martlet
