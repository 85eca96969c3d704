#include "srv_lookup.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <netdb.h>
#include <numeric>
#include <random>
#include <string_view>
#include <utility>

// after the others: its macros have short names
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <resolv.h>

namespace martlet::cli {
namespace {

constexpr std::size_t header_size = 12;
constexpr std::size_t record_size = 10;  // type, class, time to live, size of the data
constexpr std::size_t srv_fixed_size = 6;
constexpr int pointers_max = 64;
constexpr std::uint16_t type_srv = 33;

/// Reads from a DNS message. What is beyond its end is a failure, and zero.
class dns_reader {
public:
    dns_reader(std::span<const unsigned char> message, std::size_t at) : message_(message), at_(at) {}

    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] std::size_t position() const noexcept { return at_; }

    std::uint8_t byte() {
        if (at_ >= message_.size()) {
            failed_ = true;
            return 0;
        }
        return message_[at_++];
    }
    std::uint16_t number() {
        const unsigned high = byte();
        return static_cast<std::uint16_t>(high << 8 | byte());
    }
    void skip(std::size_t count) {
        failed_ = failed_ || count > message_.size() - at_;
        if (!failed_) at_ += count;
    }

    /// Labels, the last of which may be a pointer to others that stand before. RFC 1035 §4.1.4.
    std::string name() {
        std::string out;
        std::size_t after = 0;  // where to go on, once a pointer was followed
        for (int pointers = 0; !failed_;) {
            const std::size_t size = byte();
            if (size >= 0xC0) {
                const std::size_t target = (size & 0x3F) << 8 | byte();
                if (after == 0) after = at_;
                failed_ = failed_ || ++pointers > pointers_max;
                at_ = target;
                continue;
            }
            if (size == 0) break;
            failed_ = failed_ || size > 63 || size > message_.size() - at_;
            if (failed_) break;
            if (!out.empty()) out += '.';
            out.append(reinterpret_cast<const char*>(message_.data()) + at_, size);
            at_ += size;
        }
        if (after != 0) at_ = after;
        return out;
    }

private:
    std::span<const unsigned char> message_;
    std::size_t at_;
    bool failed_ = false;
};

}  // namespace

std::optional<std::vector<srv_record>> parse_srv_answer(std::span<const unsigned char> answer) {
    if (answer.size() < header_size) return std::nullopt;
    dns_reader in(answer, 4);
    const unsigned questions = in.number();
    const unsigned answers = in.number();
    in.skip(4);
    for (unsigned i = 0; i < questions && !in.failed(); ++i) {
        static_cast<void>(in.name());
        in.skip(4);
    }
    std::vector<srv_record> out;
    for (unsigned i = 0; i < answers && !in.failed(); ++i) {
        static_cast<void>(in.name());
        const std::uint16_t type = in.number();
        in.skip(record_size - 4);
        const std::size_t size = in.number();
        const std::size_t end = in.position() + size;
        if (type == type_srv && size > srv_fixed_size) {
            srv_record& record = out.emplace_back();
            record.priority = in.number();
            record.weight = in.number();
            record.port = in.number();
            record.host = in.name();
        } else {
            in.skip(size);
        }
        if (in.position() != end) return std::nullopt;
    }
    if (in.failed()) return std::nullopt;
    return out;
}

void order_srv(std::vector<srv_record>& records, const std::function<std::uint32_t(std::uint32_t n)>& random) {
    // Those without weight stand first among equals, so that they have a small chance to be drawn.
    std::stable_sort(records.begin(), records.end(), [](const srv_record& a, const srv_record& b) {
        return std::pair(a.priority, a.weight != 0) < std::pair(b.priority, b.weight != 0);
    });
    for (auto from = records.begin(); from != records.end(); ++from) {
        const auto end = std::find_if(from, records.end(), [&](const auto& r) { return r.priority != from->priority; });
        const auto sum =
            std::accumulate(from, end, std::uint32_t{0}, [](auto n, const auto& r) { return n + r.weight; });
        std::uint32_t drawn = random(sum);
        auto chosen = from;
        while (chosen + 1 != end && drawn > chosen->weight)
            drawn -= (chosen++)->weight;
        std::rotate(from, chosen, chosen + 1);
    }
}

std::vector<srv_record> lookup_srv(const std::string& domain, bool with_tls, std::string& why) {
    const std::string name = (with_tls ? "_secure-mqtt._tcp." : "_mqtt._tcp.") + domain;
    why = "Lookup error: " + name;
    struct __res_state resolver {};
    if (::res_ninit(&resolver) != 0) {
        why += ": the resolver is not configured";
        return {};
    }
    std::array<unsigned char, 65'536> answer{};
    const int size =
        ::res_nquery(&resolver, name.c_str(), ns_c_in, ns_t_srv, answer.data(), static_cast<int>(answer.size()));
    const int problem = resolver.res_h_errno;
    ::res_nclose(&resolver);
    if (size < 0) {
        why += std::string(": ") + ::hstrerror(problem);
        return {};
    }
    auto found =
        parse_srv_answer(std::span(answer).first(std::min<std::size_t>(static_cast<std::size_t>(size), answer.size())));
    if (!found) {
        why += ": the answer is malformed";
        return {};
    }
    std::erase_if(*found, [](const srv_record& r) { return r.host.empty(); });
    if (found->empty()) why += ": the domain has no such service";
    std::random_device device;
    std::minstd_rand generator(device());
    order_srv(*found, [&](std::uint32_t n) { return std::uniform_int_distribution<std::uint32_t>(0, n)(generator); });
    return std::move(*found);
}

}  // namespace martlet::cli
