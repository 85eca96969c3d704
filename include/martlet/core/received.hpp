// The receiver's half of QoS 1 and 2: which of the peer's packet ids are known, which still have to be acknowledged, in
// the order of arrival, and which await PUBREL. Ids only, never payloads. MQTT 5 §4.3.2, §4.3.3, §4.6.
//
//   QoS 1:  unacknowledged ── acknowledge ──► PUBACK, forgotten
//   QoS 2:  unacknowledged ── acknowledge ──► PUBREC, awaiting_pubrel ── PUBREL ──► PUBCOMP, forgotten
//           (a reason ≥ 0x80 in PUBREC ends it at once)
#pragma once

#include <martlet/error.hpp>
#include <martlet/types.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace martlet::core {

/// Names one received QoS 1 or 2 message within its session, also across reconnects. 0: QoS 0, nothing to do.
/// From the low end: packet id (16 bits), whether QoS 2 (1), number of the message (32), epoch (15): an owner begins a
/// new epoch with each process and each loss of the session, so that old receipts mean nothing any more.
using receipt = std::uint64_t;

[[nodiscard]] constexpr packet_id packet_id_of(receipt r) noexcept { return packet_id{static_cast<std::uint16_t>(r)}; }
[[nodiscard]] constexpr bool is_qos_2(receipt r) noexcept { return (r >> 16 & 1) != 0; }
[[nodiscard]] constexpr std::uint32_t epoch_of(receipt r) noexcept { return static_cast<std::uint32_t>(r >> 49); }
/// What epoch_of() says of receipts of that epoch.
[[nodiscard]] constexpr std::uint32_t epoch_in_receipt(std::uint32_t epoch) noexcept { return epoch & 0x7FFF; }

class received {
public:
    /// What a PUBLISH with this id is.
    enum class arrival : std::uint8_t {
        fresh,            ///< a message not seen before: hand it over
        repeated,         ///< the same message again, not acknowledged yet: the acknowledgement will follow
        answered_before,  ///< QoS 2, PUBREC was sent: send it again
    };
    struct arrived {
        arrival what = arrival::fresh;
        receipt number = 0;
        bool gave_up_qos_2 = false;  ///< the id awaited PUBREL and stands for another message now
    };

    /// A PUBLISH with QoS 1 or 2 arrived on the present connection.
    [[nodiscard]] arrived on_publish(packet_id id, qos q, bool dup = false);

    /// Takes back on_publish() of a fresh message, which could not be handled: the peer's repetition will be fresh again.
    /// Requires that nothing has arrived since.
    void forget(receipt number) noexcept;

    /// One acknowledgement that is due now, in the order of arrival.
    struct due {
        packet_id id = packet_id::none;
        martlet::qos qos = martlet::qos::at_least_once;
        reason_code reason = reason_code::success;
    };

    /// The application is done with a message. Unknown and repeated numbers do nothing. Afterwards next_due() tells
    /// which acknowledgements may be sent.
    void acknowledge(receipt number, reason_code reason) noexcept;
    /// True and `out` filled while an acknowledgement is due: the oldest arrival of this connection is acknowledged. A
    /// QoS 2 id moves on to awaiting_pubrel unless the reason is a failure.
    [[nodiscard]] bool next_due(due& out);

    // -- for messages that are acknowledged as they come, without receipts

    /// True if none of this connection's waits to be acknowledged.
    [[nodiscard]] bool is_settled() const noexcept { return !has_latest() && order_count_ == 0; }
    /// False if the id is known. Else there is room for await_pubrel() of it.
    [[nodiscard]] bool prepare(packet_id id, qos q);
    /// A message with this QoS 2 id was taken, and PUBREC says so. Requires prepare().
    void await_pubrel(packet_id id) noexcept;

    /// PUBREL came; false if the id is not known to await it.
    [[nodiscard]] bool on_pubrel(packet_id id) noexcept;

    /// The connection is gone: what is unacknowledged has to arrive again before its acknowledgement may be sent.
    void on_closed() noexcept;
    /// The peer may have begun a new session without our knowledge, so that an id may stand for another message: forget
    /// what came with QoS 1 and is unacknowledged. It may come twice then, which is better than not at all. Only before
    /// the first message of a connection.
    void forget_qos_1();
    /// The peer has no session any more: forget all ids; later acknowledgements do nothing.
    void clear() noexcept;
    /// Of the receipts from now on.
    void set_epoch(std::uint32_t epoch) noexcept { epoch_ = epoch; }
    [[nodiscard]] std::uint32_t epoch() const noexcept { return epoch_; }

    /// Takes an id that awaits PUBREL, for sessions restored from a store.
    void restore(packet_id id);
    /// Ids that await PUBREL, unordered.
    [[nodiscard]] std::vector<packet_id> awaiting_pubrel() const;

    /// True if the id is known: unacknowledged or awaiting PUBREL.
    [[nodiscard]] bool knows(packet_id id) const noexcept;
    /// Ids known.
    [[nodiscard]] std::size_t count() const noexcept { return count_ + (has_latest() ? 1 : 0); }
    /// Ids of PUBLISHes that came on the present connection, until their exchange ends: what counts against our own
    /// Receive Maximum, which is anew with each connection [MQTT 5 §3.1.2.11.3].
    [[nodiscard]] std::size_t count_here() const noexcept { return count() - earlier_; }
    /// Messages handed over and not acknowledged by the application.
    [[nodiscard]] std::size_t unacknowledged() const noexcept { return unacknowledged_; }

private:
    enum class id_state : std::uint8_t { free, unacknowledged, awaiting_pubrel };
    struct slot {
        std::uint16_t id = 0;
        id_state state = id_state::free;
        martlet::qos qos{};
        bool here = false;  // arrived on the present connection: stands in order_
        bool acknowledged = false;
        reason_code reason = reason_code::success;
        bool earlier = false;  // came on an earlier connection, and not again on this one
        receipt number = 0;
    };
    [[nodiscard]] bool has_latest() const noexcept { return latest_.state != id_state::free; }
    void settle_latest();
    slot* find(std::uint16_t id) noexcept;
    slot& insert(std::uint16_t id);
    void erase(slot& s) noexcept;
    void rehash(std::size_t size);
    void reserve_order();  // for one more
    void reserve();
    void push_order(std::uint16_t id) noexcept;

    // The message that came last, if nothing older is unacknowledged: most are acknowledged before the next one comes, and
    // then never get into the table.
    slot latest_;
    std::vector<slot> table_;           // open addressing, a power of two; at most half full
    std::vector<std::uint16_t> order_;  // ring: ids in the order of arrival on this connection
    std::uint32_t order_head_ = 0;
    std::uint32_t order_count_ = 0;
    std::uint32_t count_ = 0;
    std::uint32_t unacknowledged_ = 0;
    std::uint32_t earlier_ = 0;
    std::uint32_t last_ = 0;  // number of the last receipt
    std::uint32_t epoch_ = 0;
};

}  // namespace martlet::core
