// The options of the load generators. Those of connection and security that bench shares with the clients stand in the
// clients' table.
#include "option_table.hpp"

#include <array>

namespace martlet::cli {
namespace {

constexpr std::uint32_t bench = bit(command::bench);
constexpr std::uint32_t msgsps = bit(command::msgsps);

using enum option_group;
using enum availability;

// clang-format off
constexpr auto table = std::to_array<option>({
    // -- what
    {option_id::load, bench, "", "--pubs", "N", what, native_only, "--pubs argument given but no number specified.",
     "Publishers; pairs in one2one."},
    {option_id::load, bench, "", "--subs", "N", what, native_only, "--subs argument given but no number specified.",
     "Subscribers."},
    {option_id::load, bench, "", "--clients", "N", what, native_only, "--clients argument given but no number specified.",
     "Clients, in conn and subscribe."},
    {option_id::load, bench, "-q", "--qos", "0|1|2", what, native_only, "-q argument given but no QoS specified.",
     "QoS of the publications. Default 0."},
    {option_id::load, bench, "", "--sub-qos", "0|1|2", what, native_only, "--sub-qos argument given but no QoS specified.",
     "QoS of the subscriptions. Default: as --qos."},
    {option_id::load, bench, "-s", "--size", "BYTES", what, native_only, "-s argument given but no size specified.",
     "Size of a payload: 64, 1KiB, 16..4096. Default 64."},
    {option_id::load, bench, "-r", "--rate", "RATE", what, native_only, "-r argument given but no rate specified.",
     "Messages per second in all: an open loop. 50k; ramp 1k..200k/60s; steps 10k,20k,40k@20s.\n"
     "'max', or no --rate: a closed loop, as fast as the window allows."},
    {option_id::load, bench, "", "--arrival", "PATTERN", what, native_only, "--arrival argument given but no pattern specified.",
     "constant, poisson, burst:100@10ms (its own rate)."},
    {option_id::load, bench, "", "--inflight", "N", what, native_only, "--inflight argument given but no number specified.",
     "Closed loop: messages under way, per publisher."},
    {option_id::load, bench, "", "--topics", "N", what, native_only, "--topics argument given but no number specified.",
     "retained: messages; subscribe: filters of each client."},
    {option_id::load, bench, "", "--mode", "hold|storm|churn", what, native_only, "--mode argument given but no mode specified.",
     "What the connections of conn do."},
    {option_id::load, bench, "", "--seed", "N", what, native_only, "--seed argument given but no number specified.",
     "Seed of arrivals and sizes. Default 1."},
    {option_id::load, bench, "", "--topic-prefix", "TEXT", what, native_only, "--topic-prefix argument given but no text specified.",
     "Beginning of all topics. Default: bench/ and the run's number."},
    {option_id::load, bench, "", "--preset", "NAME", what, native_only, "--preset argument given but no name specified.",
     "seed: the four configurations of surgemq's benchmark."},
    {option_id::load, bench, "", "--find-max", "", what, native_only, "",
     "Search the greatest rate that keeps --slo, from --rate on."},
    {option_id::load, bench, "", "--slo", "EXPR,...", what, native_only, "--slo argument given but no expression specified.",
     "What --find-max keeps. Default e2e.p99<10ms,lost=0."},
    {option_id::load, bench, "", "--assert", "EXPR", what, native_only, "--assert argument given but no expression specified.",
     "e2e.p99<10ms, received>=0.99*offered, lost=0; exit code 3 if it does not hold. May be repeated."},
    {option_id::load, bench, "", "--strict", "", what, native_only, "",
     "Exit code 5 on lost, repeated, reordered or damaged messages."},
    {option_id::load, msgsps, "-t", "", "TOPIC", what, native_only, "-t argument given but no topic specified.",
     "Topic. Default perf/test."},
    {option_id::load, msgsps, "-q", "", "0|1|2", what, native_only, "-q argument given but no QoS specified.",
     "QoS. Default 1."},
    {option_id::load, msgsps, "-s", "", "BYTES", what, native_only, "-s argument given but no size specified.",
     "pub: size of a payload. Default 1024."},
    {option_id::load, msgsps, "-r", "", "RATE", what, native_only, "-r argument given but no rate specified.",
     "pub: messages per second, or max. Default 10k."},
    {option_id::load, msgsps, "-c", "", "CLIENTS", what, native_only, "-c argument given but no number specified.",
     "Connections. Default 1."},

    // -- how many, how long
    {option_id::load, bench, "-n", "--count", "N", how_long, native_only, "-n argument given but no count specified.",
     "Messages in all, instead of a duration."},
    {option_id::load, bench, "-z", "--duration", "TIME", how_long, native_only, "-z argument given but no time specified.",
     "What is measured. Default 10s."},
    {option_id::load, bench, "", "--warmup", "TIME", how_long, native_only, "--warmup argument given but no time specified.",
     "Time before it. Default 1s."},
    {option_id::load, bench, "", "--drain", "TIME", how_long, native_only, "--drain argument given but no time specified.",
     "After it, at most, until everything has arrived. Default 5s."},
    {option_id::load, bench, "", "--interval", "TIME", how_long, native_only, "--interval argument given but no time specified.",
     "Interval of the series. Default 1s."},
    {option_id::load, bench, "", "--runs", "N", how_long, native_only, "--runs argument given but no number specified.",
     "How often; the report has medians and intervals. Default 1, with --ab 5."},
    {option_id::load, msgsps, "-C", "", "N", how_long, native_only, "-C argument given but no count specified.",
     "End after so many messages."},
    {option_id::load, msgsps, "-W", "", "SECONDS", how_long, native_only, "-W argument given but no timeout specified.",
     "End after so long."},

    // -- output
    {option_id::load, bench, "", "--json", "FILE", output, native_only, "--json argument given but no file specified.",
     "Everything, for programs and bench compare; - for standard output."},
    {option_id::load, bench, "", "--csv", "FILE", output, native_only, "--csv argument given but no file specified.",
     "The series."},
    {option_id::load, bench, "", "--hlog", "FILE", output, native_only, "--hlog argument given but no file specified.",
     "Interval histograms for HdrHistogram's viewers."},
    {option_id::load, bench, "", "--html", "FILE", output, native_only, "--html argument given but no file specified.",
     "One page with plots; also of compare."},
    {option_id::load, bench, "", "--no-live", "", output, native_only, "",
     "Plain lines also on a terminal."},
    {option_id::load, msgsps, "", "--latency", "", output, native_only, "",
     "Add p50 and p99 in microseconds. pub: until acknowledged; sub: from being published, on one machine."},
    {option_id::load, msgsps, "", "--json", "", output, native_only, "",
     "An object a line."},

    // -- connection
    {option_id::load, bench, "-L", "--url", "URL,...", connection, native_only, "-L argument given but no URL specified.",
     "Brokers; the clients are dealt out over them."},
    {option_id::load, bench, "", "--agents", "N", connection, native_only, "--agents argument given but no number specified.",
     "Machines that run 'martlet bench agent' generate the load, as one."},
    {option_id::load, bench, "", "--control", "URL", connection, native_only, "--control argument given but no URL specified.",
     "Where agents and we meet. Default: the broker under test."},
    {option_id::load, bench, "", "--group", "NAME", connection, native_only, "--group argument given but no name specified.",
     "Group of the agents. Default: default."},
    {option_id::load, bench, "", "--name", "NAME", connection, native_only, "--name argument given but no name specified.",
     "agent: its name. Default: the host and the process id."},
    {option_id::load, bench, "", "--once", "", connection, native_only, "",
     "agent: end after one run."},
    {option_id::load, bench, "", "--ab", "URL,URL", connection, native_only, "--ab argument given but no URLs specified.",
     "Run against each in turn, and compare."},
    {option_id::load, bench, "", "--interleave", "", connection, native_only, "",
     "With --ab: one run of each in turn (it always does)."},
    {option_id::load, bench, "", "--embedded", "", connection, native_only, "",
     "Start our broker for the run."},
    {option_id::load, bench, "", "--broker-pid", "PID", connection, native_only, "--broker-pid argument given but no process id specified.",
     "The process whose CPU time and memory are read."},
    {option_id::load, bench, "", "--connect-rate", "N", connection, native_only, "--connect-rate argument given but no rate specified.",
     "Connections per second. Default: conn 1,000; others as they come."},
    {option_id::load, bench, "", "--threads", "N", connection, native_only, "--threads argument given but no number specified.",
     "Threads of the generator. Default 1."},
    {option_id::load, bench, "", "--source", "A,B", connection, native_only, "--source argument given but no addresses specified.",
     "Local addresses of the clients, in turn: 127.0.0.2-9."},
    {option_id::load, msgsps, "-h", "", "HOST", connection, native_only, "-h argument given but no host specified.",
     "Host of the broker. Default 127.0.0.1."},
    {option_id::load, msgsps, "-p", "", "PORT", connection, native_only, "-p argument given but no port specified.",
     "Port of the broker. Default 1883."},

    // -- diagnostics
    {option_id::load, bench, "", "--quiet", "", diagnostics, native_only, "",
     "Nothing before the summary."},
});
// clang-format on

}  // namespace

std::span<const option> bench_options_table() noexcept { return table; }

}  // namespace martlet::cli
