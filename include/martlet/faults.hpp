// Faults on purpose: rules, one line of text each, that drop, delay, repeat, change or cut what travels between clients
// and a broker. For tests of what a program does when the network, or its peer, misbehaves. The same rules serve
// `martlet broker --fault`, `martlet proxy --fault`, broker_options::faults and fault_proxy_options::faults.
//
//   auto faults = std::make_shared<martlet::faults>(7);          // a seed
//   martlet::broker broker(io, {.faults = faults});
//   faults->add("reset out>puback n=1 times=1").value();         // the connection ends once instead of its first PUBACK
//
//   rule   := action [target] [when] [who] [limit]               the words behind the action in any order; its number or
//                                                                time belongs to it
//   action := drop | dup | delay TIME[±TIME] | reorder N | corrupt [byte=N] | truncate N
//           | split N | coalesce [TIME] | throttle BYTES/s | stall TIME | half-open
//           | reset | half-close | disconnect [rc=CODE]
//           | connack rc=CODE | suback rc=CODE | puback rc=CODE | no-connack | lose-session
//   target := [in> | out>] any | connect | connack | publish | puback | pubrec | pubrel | pubcomp | subscribe | suback
//           | unsubscribe | unsuback | ping | pingreq | pingresp | disconnect | auth
//   when   := P% | n=K | every=K | after=K | after=TIME | after=SIZE | sweep=SIZE..SIZE
//           | topic=FILTER | qos=Q | size>N | on=TOPIC
//   who    := client=GLOB | user=GLOB | ip=CIDR | listener=GLOB | connections=P%
//   limit  := times=N | for=TIME
//
// TIME is a number with us, ms, s or m; SIZE a number with B, kB or MB; CODE a reason code, 0x97. TIME, K and SIZE of
// `after` may be a range A..B: each connection draws its own. in> is towards the broker, out> towards the client; without
// it a rule is for both. Without a target a rule is for any packet.
//
// Actions on packets:
//   drop          it does not arrive                dup       it arrives twice; the copy of QoS 1 or 2 has DUP
//   delay         it, and all behind it, come later reorder   N others overtake it, or one second passes
//   corrupt       one bit of it is wrong            truncate  only its first N bytes arrive
//   split         it is written N bytes at a time   coalesce  what comes within the time (20 ms) is written at once
//   throttle      it is written no faster           stall     its direction stands still for the time
//   connack, suback, puback rc=  the CONNECT, SUBSCRIBE, PUBLISH does not arrive and is answered with the reason: a broker
//                 that refuses. PUBLISH of MQTT 3.x cannot be refused: the connection is closed
//   no-connack    CONNACK does not arrive
//   lose-session  CONNECT arrives with Clean Start: the broker has forgotten the session. In MQTT 3.x it is then not kept
//                 either when the connection ends
// Actions on the connection:
//   reset         ends it by RST                    half-close  ends it in order, in one direction if one is named
//   half-open     nothing arrives any more, nor does anybody learn of the end
//   disconnect    DISCONNECT to the client, if rc is given and it speaks MQTT 5, and the end in both directions
//
// Each rule counts the packets that its target, topic, qos, size and who fit, on each connection by itself. n=K means
// the K-th of them, every=K each K-th, after=K those behind the K-th, P% each with that chance. An action on the
// connection comes instead of the packet, with after=K behind the K-th, with after=TIME so long after the connection was
// accepted, with after=SIZE as soon as exactly so many bytes have passed; sweep=1..400B is after=1B for the first
// connection, after=2B for the second, and so on to the end of the range. on=TOPIC: the rule sleeps until a message with
// that topic name passes, on whichever connection. Of all rules that fit a packet the first acts.
//
// Every decision follows from the seed, the number of the connection and what it has carried, so a run can be repeated.
#pragma once

#include <martlet/error.hpp>
#include <martlet/types.hpp>

#include <boost/assert/source_location.hpp>
#include <boost/system/result.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace martlet {

namespace faults_impl {
class plan;
}

/// A fault that was done. Views live during the call.
struct fault_event {
    std::string_view rule;
    std::string_view client_id;    ///< empty before CONNECT, or if the rules do not need packets
    std::string_view address;      ///< of the client
    std::uint64_t connection = 0;  ///< its number, from 1
    std::string_view what;         ///< "PUBLISH", or "bytes" where packets are not looked at
    bool inbound = false;          ///< towards the broker
};

/// A rule and how often it acted.
struct fault_count {
    std::string rule;
    std::uint64_t times = 0;
};

/// Why a rule was not taken.
struct fault_rule_error {
    error_code code;   ///< errc::option_invalid
    std::string text;  ///< one line that names the rule: "'dorp publish': 'dorp' is not an action: drop, dup, …"
};
/// Writes the text; a result is printed by this, for example by a test that has failed.
std::ostream& operator<<(std::ostream& out, const fault_rule_error& error);
/// What value() of a result without a value does: throws boost::system::system_error, whose what() begins with the text.
[[noreturn]] void throw_exception_from_error(const fault_rule_error& error, const boost::source_location& where);

/// A list of rules that connections follow; it may change while they do.
/// Thread: the executor of the broker or proxy that has it.
class faults {
public:
    explicit faults(std::uint64_t seed = 1);
    faults(const faults&) = delete;
    faults& operator=(const faults&) = delete;
    ~faults();

    /// Adds a rule behind the others; connections that are open follow it, too. Returns its number, or why it is none:
    /// add("…").value() throws that.
    [[nodiscard]] boost::system::result<std::size_t, fault_rule_error> add(std::string_view rule);
    /// Adds each line of a text that is neither empty nor begins with '#'. All or nothing; \p why names the line.
    /// Errors: errc::option_invalid.
    [[nodiscard]] error_code add_lines(std::string_view text, std::string* why = nullptr);
    /// The rule with this number acts no more; its count stays.
    void remove(std::size_t number) noexcept;
    /// No rule acts any more.
    void clear() noexcept;

    [[nodiscard]] std::uint64_t seed() const noexcept;
    /// All rules that there have been, in the order of their numbers.
    [[nodiscard]] std::vector<fault_count> counts() const;
    /// The sum of them.
    [[nodiscard]] std::uint64_t total() const noexcept;
    /// Connections that have followed the rules.
    [[nodiscard]] std::uint64_t connections() const noexcept;
    /// Called with each fault, from inside the work: take a note, post the rest. Null: off.
    void on_fault(std::function<void(const fault_event&)> told);

    /// For the library itself.
    [[nodiscard]] const std::shared_ptr<faults_impl::plan>& plan() const noexcept { return plan_; }

private:
    std::shared_ptr<faults_impl::plan> plan_;
};

}  // namespace martlet
