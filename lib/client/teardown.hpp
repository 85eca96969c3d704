// What happens to pending operations when their execution context is destroyed before the client is. A handler often
// owns, by way of a coroutine's frame, the very client that it waits for: somebody else has to break that circle, and
// nobody but the context knows the moment.
#pragma once

#include <boost/asio/execution_context.hpp>

#include <mutex>
#include <unordered_set>

namespace martlet::detail {

class client_core;

class teardown final : public boost::asio::execution_context::service {
public:
    static boost::asio::execution_context::id id;

    explicit teardown(boost::asio::execution_context& context) : service(context) {}

    void add(client_core& core);
    void remove(client_core& core) noexcept;

private:
    /// The context is being destroyed: the operations of every client on it are, too.
    void shutdown() override;

    std::mutex mutex_;
    std::unordered_set<client_core*> cores_;
    bool is_over_ = false;
};

}  // namespace martlet::detail
