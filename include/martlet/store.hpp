// Persistence: where a client or a broker keeps what must survive its end. Experimental until 1.0.
#pragma once

#include <martlet/core/changes.hpp>
#include <martlet/core/session.hpp>
#include <martlet/error.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
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

/// A message that was put into the store from outside of the client, to be published by it.
struct enqueued_row {
    std::uint64_t id = 0;  ///< rising
    core::outgoing what;
};

/// A store. Its owner calls it from one executor, and lets go of it there; handlers may be called on any thread, also
/// before the call returns (the owner does not rely on either). Nothing here blocks the caller for a disk.
class store {
public:
    using load_handler = std::function<void(error_code, stored_state)>;
    using commit_handler = std::function<void(error_code, std::uint64_t number)>;
    using enqueued_handler = std::function<void(error_code, std::vector<enqueued_row>)>;
    using condition_handler = std::function<void(error_code, std::string detail)>;

    store() = default;
    store(const store&) = delete;
    store& operator=(const store&) = delete;
    virtual ~store() = default;

    /// Brings everything back; called once, before the first commit(). Errors: errc::store_damaged, store_failed,
    /// store_in_use.
    virtual void load(load_handler done) = 0;

    /// Stores the rows, in order, all or none; then calls `done` with the batch's number. Batches complete in order. What
    /// may pass, such as a full disk, is no error: the batch takes longer (see watch()). After an error nothing further is
    /// committed. Errors: errc::store_damaged, store_failed.
    virtual void commit(core::change_batch batch, commit_handler done) = 0;

    /// Messages that were enqueued with an id above `after`, at most `count_max`, oldest first. They stay until a batch
    /// with their erase_enqueued is committed. A store without such a way in has none.
    virtual void read_enqueued(std::uint64_t after, std::size_t count_max, enqueued_handler done) {
        static_cast<void>(after);
        static_cast<void>(count_max);
        done({}, {});
    }

    /// Calls `told` with errc::store_failed and a line of text when commits are held up by something that may pass, and
    /// with no error when they go on. Before load().
    virtual void watch(condition_handler told) { static_cast<void>(told); }

    /// One line about the last error, for a log; empty if there was none. On any thread.
    [[nodiscard]] virtual std::string last_error() const { return {}; }

    /// Frees what finished batches held; their messages belong to the owner's executor. Called there now and then.
    virtual void collect() noexcept {}
};

/// A store in memory: survives the client that uses it, but not the process. For tests and for handing a session from
/// one client to the next.
[[nodiscard]] std::shared_ptr<store> memory_store();

}  // namespace martlet
