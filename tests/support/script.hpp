// A scripted peer: it speaks in packets or raw bytes over memory to something that is under test, and hears what comes
// back, with a virtual clock. `core_script` talks to one end's core; tests/conformance has a script per client of a
// broker engine. What was heard is compared as the specification shows it: CHECK(peer.next() == "40 02 00 0A").
#pragma once

#include "support/pair.hpp"

#include <martlet/packets.hpp>
#include <martlet/types.hpp>

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace martlet::test {

/// One link, seen from the script's end.
class script {
public:
    /// `plays`: whom the script plays; the other role is under test.
    script(role plays, protocol_version version) noexcept : version_(version), plays_(plays) {}
    script(const script&) = delete;
    script& operator=(const script&) = delete;
    virtual ~script() = default;

    // -- saying; what the subject answers is heard when the call returns

    void send(const packet& p);
    /// "40 02 00 0A": bytes in the form of support/bytes.hpp.
    void send(const char* hexadecimal);
    void send_bytes(std::string_view raw);
    /// Pieces of `size` bytes each.
    void send_in_pieces(std::string_view raw, std::size_t size);

    // -- hearing

    /// The next packet in hexadecimal; "" if there is none.
    [[nodiscard]] std::string next();
    /// The next packet, which must be a P, or the test ends. Its views live as long as the script.
    template <class P>
    [[nodiscard]] P take() {
        return std::get<P>(take(static_cast<packet_type>(packet(P{}).index() + 1)));
    }
    [[nodiscard]] packets::publish message() { return take<packets::publish>(); }
    /// The next packet must be this one, byte by byte.
    void expect(const packet& p);
    /// The type of the next packet, which stays; nothing if there is none.
    [[nodiscard]] std::optional<packet_type> peek() const noexcept;
    /// True if nothing was heard that was not taken.
    [[nodiscard]] bool is_silent();
    /// Everything that was heard and not taken, in hexadecimal.
    [[nodiscard]] std::string rest();
    /// Forgets what was heard.
    void forget() { (void)rest(); }
    /// Packets heard and not taken.
    [[nodiscard]] std::size_t count();

    /// The subject has closed the link.
    [[nodiscard]] bool is_closed() const noexcept { return is_closed_; }
    [[nodiscard]] protocol_version version() const noexcept { return version_; }
    [[nodiscard]] bool is_v5() const noexcept { return version_ == protocol_version::v5; }

protected:
    /// Bytes reach the subject, and it acts.
    virtual void deliver(std::string_view bytes) = 0;

    void hear(std::string_view bytes);
    void closed() noexcept { is_closed_ = true; }
    void begin_link() noexcept;

private:
    [[nodiscard]] packet take(packet_type type);

    std::string stream_;               // heard, but not yet a whole packet
    std::deque<std::string> packets_;  // all that were heard
    std::size_t next_ = 0;
    protocol_version version_;
    role plays_;
    bool is_closed_ = false;
};

/// A script against one end's core, connection and session. The subject accepts, grants and acknowledges by itself
/// (see `end`), unless its members say otherwise.
class core_script : public script {
public:
    core_script(role under_test, protocol_version version);

    instant now;
    end subject;

    /// A new link. A client under test sends `packet`, with the version filled in; a broker under test waits.
    void begin(packets::connect packet);
    void begin() { begin(default_connect()); }
    /// begin(), and the handshake with default answers; nothing of it is left to be heard. Returns false if it failed.
    bool open();
    /// The same with what the client says or the server answers.
    bool open(const packets::connect& packet, const packets::connack& answer = {});
    /// The same with a session that is to outlive the connection; it was there already if `session_present`.
    bool open_resuming(bool session_present);
    /// The link breaks: neither end hears more.
    void cut();
    /// Time passes; the subject's deadlines are met at their times.
    void advance(std::chrono::microseconds by);
    /// Hears what a command has put out, and takes the events.
    void run();
    /// A message of the subject.
    core::send_result publish(std::string_view topic, std::string_view payload, qos q, bool retain = false,
                              core::token who = 0);

    /// Client "c", Clean Start, no keep-alive; with MQTT 5 the session lives for an hour.
    [[nodiscard]] packets::connect default_connect() const;
    /// The only fault the subject has found so far, "" if none: its rule, or its text if no rule says so.
    [[nodiscard]] std::string fault_rule() const;

private:
    void deliver(std::string_view bytes) override;
};

}  // namespace martlet::test
