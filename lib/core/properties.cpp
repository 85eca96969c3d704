#include "core/properties.hpp"

#include <algorithm>

namespace martlet::core {
namespace {

// Identifier and value, unchecked but for their ends. False at the end of `in`, too.
bool read_unchecked(reader& in, property& out) noexcept {
    std::uint8_t byte = 0;
    std::uint16_t u16 = 0;
    if (out.row == nullptr) return false;
    switch (out.row->type) {
        case property_type::byte:
            if (!in.read_u8(byte)) return false;
            out.number = byte;
            return true;
        case property_type::u16:
            if (!in.read_u16(u16)) return false;
            out.number = u16;
            return true;
        case property_type::u32: return in.read_u32(out.number);
        case property_type::variable: return in.read_variable_byte_integer(out.number);
        case property_type::string:
        case property_type::binary: return in.read_binary(out.text);
        case property_type::string_pair: return in.read_binary(out.text) && in.read_binary(out.second);
    }
    return false;
}

bool is_valid(const property& found) noexcept {
    const property_row& row = *found.row;
    switch (row.type) {
        case property_type::binary: return true;
        case property_type::string:
            if (row.id == property_id::response_topic) {
                return !found.text.empty() && check_topic_name(found.text) == text_check::valid;
            }
            return check_text(found.text) == text_check::valid;
        case property_type::string_pair:
            return check_text(found.text) == text_check::valid && check_text(found.second) == text_check::valid;
        default: return found.number >= row.value_min && found.number <= row.value_max;
    }
}

// What is wrong with a value that is not valid.
fault value_fault(const property& found) noexcept {
    const property_row& row = *found.row;
    const auto fault_of = [&](text_check check) { return string_fault(check, row.texts.value, protocol_version::v5); };
    switch (row.type) {
        case property_type::string:
            if (row.id == property_id::response_topic) {  // which is a topic name
                if (found.text.empty()) return protocol_error("MQTT-4.7.3-1", "Response Topic is empty");
                const text_check check = check_topic_name(found.text);
                if (check != text_check::wildcard) return fault_of(check);
                return protocol_error("MQTT-3.3.2-14", "Response Topic has a wildcard");
            }
            return fault_of(check_text(found.text));
        case property_type::string_pair: {
            const text_check name = check_text(found.text);
            return fault_of(name != text_check::valid ? name : check_text(found.second));
        }
        default: return {row.out_of_range, row.texts.value.rule.v5, row.texts.out_of_range};
    }
}

// The same packet, sent by the other side.
constexpr packet_set from_other_side(packet_set packet) noexcept {
    constexpr packet_set from_clients = 0x5555'5555;
    return (packet & from_clients) != 0 ? packet << 1 : packet >> 1;
}

// Why a property must not stand where it does.
fault place_fault(const property_row& row, packet_set packet) noexcept {
    if ((row.packets & packet) != 0) return protocol_error({}, row.texts.repeated);
    if ((row.packets & from_other_side(packet)) != 0) return protocol_error(row.sender_rule, row.texts.wrong_sender);
    return malformed({}, row.texts.misplaced);
}

// Moves `in` past the next property with this identifier. For sections that have been checked before: what is wrong with
// others only ends them.
bool read_next(reader& in, property_id id, property& out) noexcept {
    std::uint8_t byte = 0;
    while (in.read_u8(byte)) {
        out.row = find_property(byte);
        if (!read_unchecked(in, out)) return false;
        if (out.row->id == id) return true;
    }
    return false;
}

}  // namespace

bool property_reader::next(property& out, fault& why) noexcept {
    std::uint8_t id = 0;
    if (!in_.read_u8(id)) return false;

    // An identifier is a Variable Byte Integer, but none that is known needs a second byte.
    out.row = find_property(id);
    if (out.row == nullptr) {
        why = malformed({}, "Property Identifier is unknown");
        return false;
    }
    const property_row& row = *out.row;
    const std::uint64_t bit = std::uint64_t{1} << id;
    if ((row.packets & packet_) == 0 || ((seen_ & bit) != 0 && (row.repeatable & packet_) == 0)) {
        why = place_fault(row, packet_);
        return false;
    }
    seen_ |= bit;
    if (!read_unchecked(in_, out)) {
        why = malformed(row.type == property_type::variable ? "MQTT-1.5.5-1" : "", row.texts.value.cut_short);
        return false;
    }
    if (!is_valid(out)) {
        why = value_fault(out);
        return false;
    }
    return true;
}

std::size_t encoded_size(const message_properties& p, bool with_expiry) noexcept {
    if (has_no_properties(p)) return 0;
    writer section;
    write_property_section(section, p);
    if (section.failed()) return 0;
    // identifier and four bytes
    return section.size() - (!with_expiry && p.message_expiry_interval ? 5 : 0);
}

char* encode(const message_properties& p, bool with_expiry, char* out) noexcept {
    writer section(out);
    for_each_property(p, [&](property_id id, const auto& member) {
        if (with_expiry || id != property_id::message_expiry_interval) write_member(section, id, member);
    });
    return section.end();
}

message_properties decode_message_properties(std::string_view section) noexcept {
    message_properties out;
    const fault why = decode_properties(section, sets::will, out);
    assert(!why);
    static_cast<void>(why);
    return out;
}

}  // namespace martlet::core

namespace martlet {

user_property_list user_property_list::encoded(std::string_view section, std::size_t count) noexcept {
    user_property_list list;
    list.section_ = section;
    list.count_ = count;
    return list;
}

user_property_list::iterator user_property_list::begin() const noexcept {
    iterator first;
    first.next_pair_ = pairs_;
    first.rest_ = section_;
    first.left_ = count_;
    first.load();
    return first;
}

user_property_list::iterator user_property_list::end() const noexcept { return {}; }

user_property_list::iterator& user_property_list::iterator::operator++() noexcept {
    --left_;
    load();
    return *this;
}

user_property_list::iterator user_property_list::iterator::operator++(int) noexcept {
    iterator before = *this;
    ++*this;
    return before;
}

void user_property_list::iterator::load() noexcept {
    if (left_ == 0) return;
    if (next_pair_ != nullptr) {
        current_ = *next_pair_++;
        return;
    }
    core::reader in(rest_);
    core::property found;
    if (!core::read_next(in, core::property_id::user_property, found)) {
        left_ = 0;
        return;
    }
    current_ = {found.text, found.second};
    rest_ = in.rest();
}

bool operator==(const user_property_list& a, const user_property_list& b) noexcept {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

subscription_identifier_list subscription_identifier_list::encoded(std::string_view section,
                                                                   std::size_t count) noexcept {
    subscription_identifier_list list;
    list.section_ = section;
    list.count_ = count;
    return list;
}

subscription_identifier_list::iterator subscription_identifier_list::begin() const noexcept {
    iterator first;
    first.next_id_ = ids_;
    first.rest_ = section_;
    first.left_ = count_;
    first.load();
    return first;
}

subscription_identifier_list::iterator subscription_identifier_list::end() const noexcept { return {}; }

subscription_identifier_list::iterator& subscription_identifier_list::iterator::operator++() noexcept {
    --left_;
    load();
    return *this;
}

subscription_identifier_list::iterator subscription_identifier_list::iterator::operator++(int) noexcept {
    iterator before = *this;
    ++*this;
    return before;
}

void subscription_identifier_list::iterator::load() noexcept {
    if (left_ == 0) return;
    if (next_id_ != nullptr) {
        current_ = *next_id_++;
        return;
    }
    core::reader in(rest_);
    core::property found;
    if (!core::read_next(in, core::property_id::subscription_identifier, found)) {
        left_ = 0;
        return;
    }
    current_ = found.number;
    rest_ = in.rest();
}

bool operator==(const subscription_identifier_list& a, const subscription_identifier_list& b) noexcept {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

}  // namespace martlet
