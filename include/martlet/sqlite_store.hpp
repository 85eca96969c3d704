// The store that survives kill -9 and power loss: SQLite 3 in WAL mode, one transaction per batch, on a thread of its
// own. An application may keep its own tables in the same file and acknowledge or enqueue messages inside its own
// transactions. Only in builds with MARTLET_WITH_SQLITE (the default). What survives what: docs/persistence.md.
#pragma once

#include <martlet/message.hpp>
#include <martlet/properties.hpp>
#include <martlet/store.hpp>
#include <martlet/types.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;

namespace martlet {

/// When a commit counts as stored.
enum class durability : std::uint8_t {
    sync,    ///< when it is on the disk (fsync): survives the loss of power
    normal,  ///< when it is written: survives the end of the process; a loss of power may take back the last commits
};

/// Of sqlite_store().
struct sqlite_store_options {
    martlet::durability durability = martlet::durability::sync;
    /// A commit that fails for a reason that may pass (disk full, I/O error, locked by another connection) is tried again
    /// after this, then after twice as long, up to `retry_max`.
    std::chrono::milliseconds retry_min{100};
    std::chrono::milliseconds retry_max{5'000};
    std::string vfs = {};  ///< name of an SQLite VFS that is registered; empty: the default one
};

/// A store in the file `path`, which is created with mode 0600 if it does not exist; beside it stand `path`-wal, -shm
/// and -lock. Nothing is opened before store::load(), whose errors store::last_error() explains in one line:
/// errc::store_in_use if another store, of this process or another, has the file open, errc::store_failed if it cannot be
/// opened, errc::store_damaged if anything in it contradicts itself (it says which table and row). A damaged file is never repaired or reset.
/// One file serves one client or one broker. Destroying the store waits for what was handed to commit().
[[nodiscard]] std::shared_ptr<store> sqlite_store(std::string path, sqlite_store_options options = {});

// What an application does inside its own transactions, on its own connection to the file of a client's store. The
// connection may belong to any thread. The store must have been loaded once: errc::store_absent says that the connection's
// file is another one, without its tables. The errors of SQLite itself are reported as errc::store_failed;
// sqlite3_errmsg() says more.
namespace sqlite {

/// Records that the application has processed a received QoS 2 message: when the transaction commits, no later process
/// gets the message again, whatever happens to this one. Afterwards, outside of the transaction, the message still has to
/// be acknowledged (subscription::acknowledge(), or by asking for the next one). At QoS 0 and 1 it does nothing: QoS 1
/// may repeat by its nature. \p receipt: message::receipt(). Errors: errc::session_lost if the message is of an earlier
/// process, or of a session that the server has lost since: it may come again as another one; errc::store_failed also
/// for an instant after the server has lost the session: try again.
[[nodiscard]] error_code acknowledge(sqlite3* connection, std::uint64_t receipt);
[[nodiscard]] inline error_code acknowledge(sqlite3* connection, const message& received) {
    return acknowledge(connection, received.receipt());
}

/// A message to be published.
struct publication {
    std::string_view topic;
    std::string_view payload = {};
    martlet::qos qos = martlet::qos::exactly_once;  ///< 1 or 2
    bool retain = false;
    message_properties properties = {};               ///< without Message Expiry Interval
    std::optional<std::chrono::seconds> expiry = {};  ///< MQTT 5: counts from now
};

/// Puts a message into the client's outgoing queue when the transaction commits: it is published exactly if that
/// happens, also by a later process. Then call client::publish_enqueued(); a client that starts does so by itself.
/// Errors: errc::topic_invalid, option_invalid (QoS 0), property_invalid, packet_too_large; store_absent, store_failed.
[[nodiscard]] error_code enqueue(sqlite3* connection, const publication& what);

}  // namespace sqlite
}  // namespace martlet
