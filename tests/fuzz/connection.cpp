// Bytes into a whole connection, of both roles, in every version, before and after the handshake. However the bytes are
// cut in pieces, the same happens; and what is kept is bounded by what has come, not by what was announced.
#include "fuzz/input.hpp"
#include "fuzz/memory.hpp"
#include "fuzz/owner.hpp"

#include <string>

using namespace martlet;
using fuzz::require;

namespace {

// Of connection, session and journal with nothing in them but what small_limits() allows.
constexpr std::size_t memory_of_state = 16 * 1024;

struct outcome {
    std::string events;
    std::string written;
    bool is_closing = false;
};

// Pieces of one to `piece_max` bytes; 0: all at once.
outcome run(const fuzz::owner_options& options, std::string_view bytes, std::size_t piece_max) {
    fuzz::owner owner(options);
    const std::size_t noted = owner.events().capacity() + owner.written().capacity();
    const std::size_t before = fuzz::memory_held();
    std::size_t received = 0;
    std::uint32_t random = static_cast<std::uint32_t>(bytes.size());
    do {
        random = random * 1'664'525U + 1'013'904'223U;
        const std::size_t wanted = piece_max == 0 ? bytes.size() : 1 + (random >> 16U) % piece_max;
        const std::string piece(bytes.substr(received, wanted));  // gone right after: nobody may hold on to it
        owner.receive(piece);
        received += piece.size();
    } while (received != bytes.size());
    const std::size_t notes = owner.events().capacity() + owner.written().capacity() - noted;
    require(fuzz::memory_held() <= before + notes + 2 * received + memory_of_state,
            "what is kept is bounded by what has come");
    outcome out{owner.events(), owner.written(), owner.is_closing()};
    owner.close();
    return out;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::input in(data, size);
    const std::size_t choice = in.byte();
    const fuzz::owner_options options{choice % 2 == 0 ? role::client : role::broker,
                                      static_cast<protocol_version>(3 + choice / 2 % 3), choice / 6 % 2 != 0,
                                      choice / 12 % 2 != 0};
    const outcome whole = run(options, in.rest(), 0);
    for (const std::size_t piece_max : {1U, 20U}) {
        const outcome split = run(options, in.rest(), piece_max);
        require(split.events == whole.events && split.is_closing == whole.is_closing, "the same events");
        require(options.with_journal || split.written == whole.written, "the same answers");
    }
    return 0;
}
