// Operations in any order on a client and a broker: publish, acknowledge out of order, cut at any byte, resume, commit,
// crash and restart from what is stored, let time pass. What must hold is checked by the world itself.
#include "fuzz/input.hpp"
#include "fuzz/world.hpp"

using namespace martlet;

static fuzz::world_options options_of(fuzz::input& in) {
    const std::size_t choice = in.byte();
    const std::size_t limits = in.byte();
    return {.version = static_cast<protocol_version>(3 + choice % 3),
            .has_stores = choice / 3 % 2 != 0,
            .receive_maximum = static_cast<std::uint16_t>(1 + limits % 16),
            .topic_alias_maximum = static_cast<std::uint16_t>(limits / 16 % 4)};
}

static void step(fuzz::world& world, fuzz::input& in) {
    constexpr std::size_t all = 1 << 20;
    const std::size_t choice = in.byte();
    const role who = choice % 2 == 0 ? role::client : role::broker;
    switch (choice / 2 % 32) {
        case 0: return world.publish(who, qos::at_most_once, 0);
        case 1:
        case 2: return world.publish(who, qos::at_least_once, 0);
        case 3:
        case 4:
        case 5: return world.publish(who, qos::exactly_once, 0);
        case 6: return world.publish(who, static_cast<qos>(in.below(3)), core::output::share_size_min + in.byte());
        case 7:
        case 8:
        case 9: return world.acknowledge(who, 0);
        case 10: return world.acknowledge(who, in.byte());
        case 11:
        case 12: return world.move(who, 1 + in.byte());
        case 13:
        case 14:
        case 15: return world.begin_commit(who);
        case 16:
        case 17: return world.end_commit(who);
        case 18:
        case 19: return world.begin_commit(who), world.end_commit(who);
        case 20: return world.cut();
        case 21: return world.connect();
        case 22: return world.restart(who, choice < 128);
        case 23: return world.advance(std::chrono::seconds(in.byte()));
        case 24: return world.settle();
        default: return world.move(who, all);
    }
}

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::input in(data, size);
    fuzz::world world(options_of(in));
    world.connect();
    for (int steps = 0; steps < 1000 && !in.empty(); ++steps)
        step(world, in);
    world.finish();
    return 0;
}
