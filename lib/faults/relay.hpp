// Bytes between a client and a broker, both ways, until both have finished.
#pragma once

#include "faults/faulty_transport.hpp"
#include "net/network.hpp"
#include "net/transport.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace martlet::faults_impl {

class relay : public std::enable_shared_from_this<relay> {
public:
    struct counts {
        std::uint64_t in = 0;   ///< bytes towards the broker
        std::uint64_t out = 0;  ///< bytes towards the client
    };

    /// \p done is called once, at the end, never from inside of start() or stop(). \p total outlives the relay's work.
    relay(std::shared_ptr<net::network> on, std::unique_ptr<faulty_transport> client,
          std::unique_ptr<net::transport> broker, std::shared_ptr<counts> total, std::function<void()> done);

    void start();
    /// Closes both at once; `done` is not called.
    void stop() noexcept;

private:
    /// One direction.
    struct pump final : net::waiter {
        explicit pump(relay& of) : owner(of) {}
        void on_ready(net::direction what, error_code error) override;
        void run();
        void wait(net::transport& on, net::direction what);

        relay& owner;
        net::transport* from = nullptr;
        net::transport* to = nullptr;
        std::uint64_t* count = nullptr;
        std::string bytes;  // read and not written
        std::size_t written = 0;
        bool is_blocked = false;  // nothing more to be read for now
        bool is_over = false;     // the sender has finished
        bool is_done = false;     // and the receiver knows it
    };

    void on_pump_done();
    void on_client_gone();
    void on_broken();
    void finish();

    std::shared_ptr<net::network> network_;
    std::unique_ptr<faulty_transport> client_;
    std::unique_ptr<net::transport> broker_;
    std::shared_ptr<counts> total_;
    std::function<void()> done_;
    pump in_{*this};
    pump out_{*this};
    bool is_client_gone_ = false;
    bool is_finished_ = false;
};

}  // namespace martlet::faults_impl
