// Hashes passwords on threads of its own, a bounded number at a time, and brings the answers back to an executor.
#pragma once

#include "auth/password_hash.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace martlet::auth_impl {

/// Used on the executor only.
class hash_worker {
public:
    using handler = std::function<void(bool matches)>;

    /// Starts no thread yet.
    hash_worker(boost::asio::any_io_executor executor, unsigned threads, std::size_t queue_max);
    hash_worker(const hash_worker&) = delete;
    hash_worker& operator=(const hash_worker&) = delete;
    /// Waits for the hashes under way, not for those that wait; their handlers are not called.
    ~hash_worker();

    /// Compares, later. False if too many wait. The handler is posted to the executor, unless cancelled.
    [[nodiscard]] bool verify(std::uint64_t who, password_hash hash, std::string password, handler done);
    /// Forgets what `who` waits for.
    void cancel(std::uint64_t who);

private:
    struct shared;
    std::shared_ptr<shared> shared_;
    unsigned threads_;
};

}  // namespace martlet::auth_impl
