// What a broker has to bear beside the traffic that is measured: idle connections, and subscriptions that nothing matches.
#pragma once

#include "bench/load_link.hpp"
#include "bench/mqtt_bytes.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace martlet::test {

class load_beside {
public:
    /// `idle` connections, each subscribed to a topic of its own.
    void connect(std::uint16_t port, std::size_t idle) {
        for (std::size_t i = 0; i < idle; ++i) {
            load_link& link = open(port, "idle" + std::to_string(i));
            link.exchange(subscribe({"beside/" + std::to_string(i)}));
        }
    }

    /// One connection with so many filters, the half of them with a wildcard, as deep as those of a large site.
    void subscribe(std::uint16_t port, std::size_t count) {
        if (count == 0) return;
        load_link& link = open(port, "filters");
        constexpr std::size_t filters_per_packet = 100;  // so that SUBACK has a length of one byte
        for (std::size_t i = 0; i < count;) {
            std::vector<std::string> filters;
            for (; i < count && filters.size() < filters_per_packet; ++i) {
                const std::string begin = "site/" + std::to_string(i % 1'000) + '/' + std::to_string(i);
                filters.push_back(begin + (i % 2 == 0 ? "/pump/state" : "/+/state"));
            }
            link.exchange(subscribe(filters));
        }
    }

private:
    load_link& open(std::uint16_t port, const std::string& client_id) {
        links_.push_back(std::make_unique<load_link>(port, nullptr, false));
        links_.back()->exchange(connect_bytes(client_id, false));
        return *links_.back();
    }

    static std::string subscribe(const std::vector<std::string>& filters) {
        std::string body("\0\1", 2);
        for (const std::string& filter : filters)
            body += with_length(filter) + '\0';
        return '\x82' + remaining_length(body.size()) + body;
    }

    std::vector<std::unique_ptr<load_link>> links_;
};

}  // namespace martlet::test
