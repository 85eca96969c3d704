// Persistence: where a client or a broker keeps what must survive its end. Experimental until 1.0.
#pragma once

#include <martlet/core/changes.hpp>
#include <martlet/core/session.hpp>
#include <martlet/error.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace martlet {

/// All that a store holds, for a start.
struct stored_state {
    struct stored_session {
        core::session_row row;
        core::session_snapshot messages;
        std::vector<core::subscription_row> subscriptions;
        std::vector<core::will_row> wills;  ///< none or one
    };
    std::vector<stored_session> sessions;
    std::vector<core::retained_row> retained;
};

/// A store. Its owner calls it from one executor; handlers may be called on any thread, also before the call returns
/// (the owner does not rely on either). Nothing here blocks the caller for a disk.
class store {
public:
    using load_handler = std::function<void(error_code, stored_state)>;
    using commit_handler = std::function<void(error_code, std::uint64_t number)>;

    store() = default;
    store(const store&) = delete;
    store& operator=(const store&) = delete;
    virtual ~store() = default;

    /// Brings everything back; called once, before the first commit(). Errors: errc::store_damaged, store_failed.
    virtual void load(load_handler done) = 0;

    /// Stores the rows, in order, all or none; then calls `done` with the batch's number. Batches complete in order.
    /// After an error nothing further is committed. Errors: errc::store_failed.
    virtual void commit(core::change_batch batch, commit_handler done) = 0;
};

/// A store in memory: survives the client that uses it, but not the process. For tests and for handing a session from
/// one client to the next.
[[nodiscard]] std::shared_ptr<store> memory_store();

}  // namespace martlet
