// How many connections an address has, so that one machine cannot take the places of all. This machine's own are not
// counted.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace martlet::broker_impl {

class address_budget {
public:
    address_budget(std::size_t connections_max, std::size_t handshakes_max) noexcept
        : connections_max_(connections_max), handshakes_max_(handshakes_max) {}

    [[nodiscard]] bool admits(std::string_view address, bool local) const noexcept {
        if (local) return true;
        const auto found = counts_.find(host_of(address));
        return found == counts_.end() ||
               (found->second.connections < connections_max_ && found->second.handshakes < handshakes_max_);
    }
    void on_opened(std::string_view address, bool local) {
        if (local) return;
        count& c = counts_.try_emplace(std::string(host_of(address))).first->second;
        ++c.connections;
        ++c.handshakes;
    }
    /// CONNACK said success.
    void on_accepted(std::string_view address, bool local) {
        if (const auto found = local ? counts_.end() : counts_.find(host_of(address)); found != counts_.end()) {
            --found->second.handshakes;
        }
    }
    void on_closed(std::string_view address, bool local, bool before_accepted) {
        const auto found = local ? counts_.end() : counts_.find(host_of(address));
        if (found == counts_.end()) return;
        if (before_accepted) --found->second.handshakes;
        if (--found->second.connections == 0) counts_.erase(found);
    }
    [[nodiscard]] std::size_t size() const noexcept { return counts_.size(); }

private:
    struct count {
        std::size_t connections = 0;
        std::size_t handshakes = 0;
    };
    struct hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
    };

    /// Without the port. Of an IPv6 address the first 64 bits would be one site's, but only its text is here.
    [[nodiscard]] static std::string_view host_of(std::string_view address) noexcept {
        return address.substr(0, address.rfind(':'));
    }

    std::unordered_map<std::string, count, hash, std::equal_to<>> counts_;
    std::size_t connections_max_;
    std::size_t handshakes_max_;
};

}  // namespace martlet::broker_impl
