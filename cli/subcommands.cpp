#include "subcommands.hpp"

#include "broker.hpp"
#include "check.hpp"
#include "completion.hpp"
#include "decode.hpp"
#include "doctor.hpp"
#include "install_compat.hpp"
#include "man.hpp"
#include "passwd.hpp"
#include "ping.hpp"
#include "proxy.hpp"
#include "pub.hpp"
#include "record.hpp"
#include "replay.hpp"
#include "retained.hpp"
#include "rr.hpp"
#include "serve.hpp"
#include "sub.hpp"
#include "top.hpp"

#include <algorithm>
#include <array>

namespace martlet::cli {
namespace {

// clang-format off
constexpr auto subcommand_table = std::to_array<subcommand>({
    {command::pub, "pub", "publish messages",
     "-t TOPIC {-m TEXT | -f FILE | -l | -s | -n} [options]",
     "-t pump/7/state -m on -q 1 -r # a retained message, surely delivered\n"
     "-t log -l -q 1 < file.txt # each line of a file\n"
     "-L mqtt://joe@host/a/topic -n # an empty message\n",
     "", run_pub},
    {command::sub, "sub", "subscribe and print what arrives",
     "-t FILTER [-t FILTER ...] [options]",
     "-t 'pump/+/state' -v # topics and payloads, until it is stopped\n"
     "-t news -C 1 -W 10 # one message, or exit code 27 after 10 seconds\n"
     "-t '#' -F '@H:@M:@S %t %q %p' # a format of one's own\n",
     "", run_sub},
    {command::rr, "rr", "send a request and print the response",
     "-t TOPIC -e TOPIC {-m TEXT | -f FILE | -s | -n} [options]",
     "-t clock/ask -e clock/answer -m now -W 5 # one request, one response\n"
     "-t echo -e echo -m ping -v # a round trip through the broker\n",
     "", run_rr},
    {command::broker, "broker", "run a broker",
     "[-p PORT] [options]",
     "-p 1883 # for this machine only, nothing is kept\n"
     "-p 0 # any free port; it is printed\n"
     "--listen unix:/run/user/1000/mqtt # a Unix socket\n"
     "--password-file users --acl-file acl # who may do what\n",
     "Without options it listens on 127.0.0.1:1883.", run_broker},
    {command::proxy, "proxy", "do damage on purpose between clients and a broker",
     "--to HOST:PORT [--fault RULE ...] [options]",
     "--to localhost:1883 -p 1884 --cuts 100 --seed 7 # 100 connections are reset, the same ones in each run\n"
     "--to localhost:1883 --fault 'drop out>puback n=1' # the first PUBACK of each connection gets lost\n"
     "--to localhost:1883 --fault 'split 1' # segments of one byte\n",
     "Listens on a free port of 127.0.0.1 unless told otherwise. At its end it prints a line of JSON with the faults that it "
     "did. The rules stand in docs/faults.md.", run_proxy},
    {command::passwd, "passwd", "change the password file of a broker",
     "[-c | -D] FILE USER | -b [-c] FILE USER PASSWORD | -U FILE",
     "-c users joe # a new file with one user\n"
     "users ann # another user, or another password\n"
     "-H scram-sha-256 users ann # whose password never goes over the network\n"
     "-D users joe # one user less\n",
     "The file is replaced as a whole, readable by its owner only.", run_passwd},
    {command::serve, "serve", "answer requests",
     "-t FILTER [--reply TEXT | --exec COMMAND] [options]",
     "-t echo # each request comes back\n"
     "-t clock/ask --exec date # what the command prints is the answer\n",
     "A request is a message with a response topic, as rr sends it. The answer carries its correlation data.", run_serve},
    {command::ping, "ping", "measure how long the broker takes to answer",
     "[-C N] [--interval SECONDS] [options]",
     "-h broker.example # until it is stopped\n"
     "-C 5 --interval 0.2 --json # five of them, as lines of JSON\n",
     "Asks by an UNSUBSCRIBE of a filter that nobody has subscribed to: every broker answers it, and nothing changes.",
     run_ping},
    {command::retained, "retained", "list, show, clear, save and restore retained messages",
     "{ls [FILTER...] | get TOPIC | clear FILTER... | dump [FILTER...] | restore FILE} [options]",
     "ls 'pump/#' # the topics that hold a message\n"
     "get pump/7/state # the payload, as it is\n"
     "dump > all.jsonl # all of them, a line of JSON each\n"
     "restore all.jsonl # and back\n"
     "clear 'pump/#' # gone\n",
     "", run_retained, "VERB ARGUMENT...", "ls get clear dump restore"},
    {command::record, "record", "write what arrives, with its time, into a file",
     "FILE [-t FILTER...] [options]",
     "day.jsonl -t 'pump/#' # until it is stopped\n"
     "- -C 10 # ten messages to standard output\n",
     "", run_record, "FILE"},
    {command::replay, "replay", "publish a recording again",
     "FILE [--speed N] [--map FROM=TO...] [options]",
     "day.jsonl # in its own time\n"
     "day.jsonl --speed 10 --map 'pump/#=test/pump/#' # ten times as fast, elsewhere\n"
     "day.jsonl --speed max # as fast as the broker takes it\n",
     "", run_replay, "FILE"},
    {command::check, "check", "probe what a broker can do and whether it keeps the rules",
     "[--only NAME,...] [--assert NAME,...] [options]",
     "-h broker.example # a table of all probes\n"
     "--json --assert qos-2,shared,session # for scripts: exit code 3 if one of them does not pass\n",
     "It publishes and subscribes below martlet/check/ and leaves nothing retained. Probes named after a rule break it on "
     "purpose; they speak plain TCP or a Unix socket. The exit code is 1 if a probe fails, 3 if an assertion does.",
     run_check},
    {command::decode, "decode", "MQTT packets from hex or a capture file as text",
     "{HEX... | FILE} [-V VERSION] [--json]",
     "10 10 00 04 4d 51 54 54 04 02 00 3c 00 04 74 65 73 74 # a CONNECT\n"
     "capture.pcap --json # all connections of a capture, a line of JSON for each packet\n"
     "- < dump.hex # hex from standard input\n",
     "Captures are those of tcpdump -w (classic pcap); IP fragments and TLS are beyond it.", run_decode, "FILE"},
    {command::top, "top", "the broker's $SYS topics as a dashboard",
     "[--interval SECONDS] [options]",
     "-h broker.example # drawn again each second\n"
     "--json # once, as JSON\n",
     "", run_top},
    {command::doctor, "doctor", "what of this machine may stand in the way",
     "[--json]",
     " # limits, ports, certificates, IPv6, clock, configuration\n",
     "", run_doctor},
    {command::bench, "bench", "measure rates, latencies and losses through a broker",
     "{run SCENARIO | agent | compare FILE FILE... | list} [options]",
     "run one2one --embedded # our own broker, as fast as it goes\n"
     "run fan-out --subs 200 -r 2k -q 1 -z 60s --html out.html # a fixed rate for a minute, and a page with plots\n"
     "run one2one -r 10k --find-max --slo 'e2e.p99<5ms,lost=0' # what it can take\n"
     "run --preset seed --embedded # surgemq's four configurations\n"
     "compare base.json new.json # two reports, or more\n"
     "agent -L mqtt://host --group lab # one of several machines that are one generator (run --agents N)\n"
     "list # scenarios, and the numbers for --assert\n",
     "Scenarios: one2one, fan-in, fan-out, mesh, shared, publish, rr, conn, subscribe, retained, session, soak, or a file "
     "with several flows; list says what they are. Options come from the command line only. Exit codes: 0 good, 1 usage or "
     "set-up, 2 no connection, 3 an assertion does not hold, 4 the generator was the limit of an open loop, 5 --strict, 130 "
     "interrupted (with the report so far).",
     nullptr, "VERB ARGUMENT...",
     "run agent compare list one2one fan-in fan-out mesh shared publish rr conn subscribe retained session soak"},
    {command::msgsps, "msgsps", "messages per second, an integer a line",
     "{pub | sub} [options]",
     "sub & martlet msgsps pub # what is received and acknowledged in each second\n"
     "pub -r max -c 4 -W 10 # as fast as it goes for ten seconds\n",
     "Also as msgsps_pub and msgsps_sub, see install-compat. It runs until it is stopped.",
     nullptr, "VERB", "pub sub"},
    {command::completion, "completion", "completion scripts for bash, zsh and fish",
     "{bash | zsh | fish | --dir DIR}",
     "bash > ~/.local/share/bash-completion/completions/martlet\n",
     "", run_completion, "SHELL", "bash zsh fish"},
    {command::man, "man", "manual pages",
     "[COMMAND | --dir DIR]",
     "sub | man -l - # the page of a command\n",
     "", run_man, "COMMAND"},
    {command::install_compat, "install-compat", "links by the names of Mosquitto's tools",
     "DIR",
     "~/bin # mosquitto_pub and the others, which behave like Mosquitto's\n",
     "", run_install_compat, "DIR"},
});
// clang-format on

}  // namespace

std::span<const subcommand> subcommands() noexcept { return subcommand_table; }

const subcommand* find_subcommand(std::string_view name) noexcept {
    const auto found = std::find_if(subcommand_table.begin(), subcommand_table.end(),
                                    [&](const subcommand& s) { return s.name == name; });
    return found == subcommand_table.end() ? nullptr : &*found;
}

const subcommand& subcommand_of(command c) noexcept {
    const auto found =
        std::find_if(subcommand_table.begin(), subcommand_table.end(), [&](const subcommand& s) { return s.id == c; });
    return found == subcommand_table.end() ? subcommand_table.front() : *found;
}

std::string_view nearest_subcommand(std::string_view name) {
    if (name.size() < 2 || name.size() > 32) return {};
    std::string_view best;
    std::size_t best_distance = 3;
    for (const subcommand& s : subcommand_table) {
        const std::size_t distance = edit_distance(name, s.name);
        if (distance >= std::min(best_distance, s.name.size())) continue;
        best = s.name;
        best_distance = distance;
    }
    return best;
}

}  // namespace martlet::cli
