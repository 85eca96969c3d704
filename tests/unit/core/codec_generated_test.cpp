// What holds for every packet: generated ones of all versions and both senders, whole, cut short and damaged.
#include "support/decoded.hpp"
#include "support/packet_generator.hpp"

#include <martlet/core/codec.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <string_view>
#include <variant>

using namespace martlet;
using namespace martlet::core;
using martlet::test::hex;
using martlet::test::verdict;

namespace {

constexpr auto v3_1 = protocol_version::v3_1;
constexpr auto v5 = protocol_version::v5;
constexpr std::array versions{v3_1, protocol_version::v3_1_1, v5};
constexpr std::array roles{role::client, role::broker};

role peer_of(role r) { return r == role::client ? role::broker : role::client; }

struct cut {
    frame_status status{};
    frame out;
};

cut cut_first(std::string_view in, protocol_version version) {
    cut c;
    fault why;
    std::size_t size_hint = 0;
    c.status = cut_frame(in, version, std::numeric_limits<std::size_t>::max(), c.out, why, size_hint);
    return c;
}

}  // namespace

TEST_CASE("codec: decode(encode(x)) is x, for generated packets of all versions and both senders") {
    for (const protocol_version version : versions) {
        for (const role sender : roles) {
            test::packet_generator generator(static_cast<std::uint64_t>(version) * 2 +
                                             (sender == role::broker ? 1 : 0));
            std::set<packet_type> seen;
            for (int i = 0; i < 4'000; ++i) {
                const packet made = generator.next(version, sender);
                const std::string encoded = test::encode(made, version);
                const test::decoded out = test::decode(encoded, version, peer_of(sender));
                if (verdict(out) != "ok" || out.packet != made || test::encode(out.packet, version) != encoded) {
                    FAIL_CHECK(to_string(version)
                               << ", packet " << i << ": " << verdict(out) << " " << hex(encoded.substr(0, 200)));
                }
                seen.insert(type_of(made));
                generator.forget();
            }
            CHECK(seen.size() == (version == v5 ? 11 : sender == role::client ? 10 : 9));
        }
    }
}

namespace {

// True if the first `size` of the `whole` bytes of this packet's body are a body of their own.
bool may_end_at(const packet& p, protocol_version version, std::size_t whole, std::size_t size) {
    const auto ends_between = [&](const auto& entries, auto size_of) {
        std::size_t end = whole;
        for (std::size_t i = entries.size(); i > 1; --i) {
            end -= size_of(entries[i - 1]);
            if (end == size) return true;
        }
        return false;
    };
    const auto one_byte = [](reason_code) { return std::size_t{1}; };
    switch (type_of(p)) {
        case packet_type::connect: {
            if (std::get<packets::connect>(p).version != v3_1) return false;
            // What 3.1 flags it may leave out.
            const auto& connect = std::get<packets::connect>(p);
            const std::size_t password = connect.password ? 2 + connect.password->size() : 0;
            const std::size_t user_name = connect.user_name ? 2 + connect.user_name->size() : 0;
            return size + password == whole || size + password + user_name == whole;
        }
        case packet_type::publish: return size + std::get<packets::publish>(p).payload.size() >= whole;
        case packet_type::puback:
        case packet_type::pubrec:
        case packet_type::pubrel:
        case packet_type::pubcomp: return size == 2 || size == 3;
        case packet_type::subscribe:
            return ends_between(std::get<packets::subscribe>(p).subscriptions,
                                [](const subscription_request& s) { return 2 + s.filter.size() + 1; });
        case packet_type::suback: return ends_between(std::get<packets::suback>(p).reasons, one_byte);
        case packet_type::unsubscribe:
            return ends_between(std::get<packets::unsubscribe>(p).filters,
                                [](std::string_view filter) { return 2 + filter.size(); });
        case packet_type::unsuback:
            return version == v5 && ends_between(std::get<packets::unsuback>(p).reasons, one_byte);
        case packet_type::disconnect: return size == 0 || size == 1;
        default: return false;
    }
}

}  // namespace

TEST_CASE("codec: a body that ends too early is a fault, at every byte of generated packets") {
    for (const protocol_version version : versions) {
        for (const role sender : roles) {
            test::packet_generator generator(17);
            for (int i = 0; i < 300; ++i) {
                const packet made = generator.next(version, sender);
                const std::string encoded = test::encode(made, version);
                const std::string_view body = cut_first(encoded, version).out.body;
                const char first_byte = encoded[0];
                const std::size_t step = 1 + body.size() / 2'000;
                for (std::size_t size = 0; size < body.size(); size += step) {
                    const std::string shorter(body.substr(0, size));  // exactly these bytes, for AddressSanitizer
                    const frame cut_off{type_of(made), static_cast<std::uint8_t>(first_byte & 15), shorter, shorter};
                    packet out;
                    const bool is_fault = static_cast<bool>(decode(cut_off, version, peer_of(sender), out));
                    if (is_fault == may_end_at(made, version, body.size(), size)) {
                        FAIL_CHECK(to_string(version)
                                   << " " << hex(encoded.substr(0, 200)) << " at " << size << " of " << body.size());
                    }
                }
                for (std::size_t size = 0; size < encoded.size(); size += step) {
                    if (cut_first(std::string_view(encoded).substr(0, size), version).status !=
                        frame_status::incomplete) {
                        FAIL_CHECK("not incomplete at " << size);
                    }
                }
                generator.forget();
            }
        }
    }
}

TEST_CASE("codec: what it takes of damaged packets it can encode and decode again") {
    std::size_t taken = 0;
    std::size_t refused = 0;
    for (const protocol_version version : versions) {
        for (const role sender : roles) {
            test::packet_generator generator(23);
            for (int i = 0; i < 20'000; ++i) {
                std::string encoded = test::encode(generator.next(version, sender), version);
                const std::size_t head = encoded.size() - cut_first(encoded, version).out.body.size();
                generator.forget();
                if (encoded.size() == head || encoded.size() > 2'000) continue;
                for (std::uint64_t damages = 1 + generator.below(3); damages > 0; --damages) {
                    encoded[head + generator.below(encoded.size() - head)] = static_cast<char>(generator.below(256));
                }

                const test::decoded out = test::decode(encoded, version, peer_of(sender));
                ++(out.why ? refused : taken);
                if (out.why) continue;
                const std::string again = test::encode(out.packet, version);
                const test::decoded second = test::decode(again, version, peer_of(sender));
                const bool is_suback_of_3_1 = version == v3_1 && type_of(out.packet) == packet_type::suback;
                if (second.why || (second.packet != out.packet && !is_suback_of_3_1)) {  // whose 0x80 has no encoding
                    FAIL_CHECK(to_string(version) << " " << hex(encoded));
                }
            }
        }
    }
    CHECK(taken > 10'000);
    CHECK(refused > 10'000);
}
