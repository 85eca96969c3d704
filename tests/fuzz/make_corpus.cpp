// Writes the first seeds of the corpus: packets of every type, version and sender, one by one and as streams.
//   fuzz_make_corpus FOLDER
#include "fuzz/input.hpp"
#include "support/packet_generator.hpp"

#include <martlet/core/codec.hpp>

#include <filesystem>
#include <fstream>
#include <string>

namespace fs = std::filesystem;
using namespace martlet;

namespace {

constexpr std::size_t seed_size_max = 400;  // more teaches a fuzzer nothing

void write(const fs::path& folder, const std::string& name, std::string_view bytes) {
    fs::create_directories(folder);
    std::ofstream(folder / name, std::ios::binary) << bytes;
}

std::string name_of(protocol_version version, role sender) {
    std::string name = "v" + std::to_string(static_cast<int>(version));
    return name + (sender == role::client ? "_client" : "_broker");
}

// A packet of moderate size.
std::string some_packet(test::packet_generator& generator, packet_type type, protocol_version version, role sender) {
    while (true) {
        const packet made = generator.next(type, version, sender);
        std::string out(core::encoded_size(made, version), '\0');
        if (out.size() > seed_size_max) continue;
        core::encode(made, version, out.data());
        return out;
    }
}

// The options of the target `connection`, which stand in its first byte.
char options_byte(role own_role, protocol_version version, bool after_handshake, bool with_journal) {
    const auto old = static_cast<int>(version) - 3;
    return static_cast<char>((own_role == role::client ? 0 : 1) + 2 * old + (after_handshake ? 6 : 0) +
                             (with_journal ? 12 : 0));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) return 1;
    const fs::path corpus = argv[1];
    test::packet_generator generator(1);
    for (const auto version : {protocol_version::v3_1, protocol_version::v3_1_1, protocol_version::v5}) {
        for (const role sender : {role::client, role::broker}) {
            const role receiver = sender == role::client ? role::broker : role::client;
            const std::string name = name_of(version, sender);
            std::string stream;
            for (int number = 1; number <= 15; ++number) {
                const auto type = static_cast<packet_type>(number);
                if (!test::may_send(sender, type, version)) continue;
                const std::string bytes = some_packet(generator, type, version, sender);
                const std::string of_type = name + '_' + std::string(to_string(type));
                write(corpus / "decode", of_type, bytes);
                write(corpus / "connection", of_type, options_byte(receiver, version, true, number % 2 == 0) + bytes);
                if (type == packet_type::connect || type == packet_type::connack) stream = bytes + stream;
                if (type == packet_type::publish || type == packet_type::subscribe) stream += bytes;
            }
            write(corpus / "connection", name + "_idle", options_byte(receiver, version, false, false) + stream);
        }
    }
    return 0;
}
