// A client of the generator: connects once in time, and reports what happens to its connection afterwards.
#pragma once

#include "worker.hpp"

#include <martlet/client.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace martlet::cli::bench {

class bench_client {
public:
    bench_client(worker& on, client_options options);

    [[nodiscard]] martlet::client& get() noexcept { return client_; }
    [[nodiscard]] bool is_connected() const noexcept { return is_connected_; }
    /// Connects; `done` is called once, with "" or why not. Records the connect time.
    void connect(ready_handler done);
    /// Called whenever there is a connection again.
    void on_reconnected(std::function<void()> handler) { on_reconnected_ = std::move(handler); }
    void leave(std::function<void()> done);

private:
    void next_event();
    void handle(const client_event& event);
    void answer(std::string text);

    worker& worker_;
    martlet::client client_;
    ready_handler ready_;
    std::function<void()> on_reconnected_;
    std::function<void()> left_;
    std::string last_failure_;
    nanoseconds started_ = 0;
    bool is_connected_ = false;
    bool was_connected_ = false;
    bool is_leaving_ = false;
};

/// The broker's or the system's words for an error.
[[nodiscard]] std::string error_text(const error_code& error);

}  // namespace martlet::cli::bench
