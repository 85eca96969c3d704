// A network in memory with a clock that its owner moves: for tests. Addresses are ports; all names are the same machine.
#pragma once

#include "net/network.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace martlet::net {

class memory_link;

class memory_network final : public network, public std::enable_shared_from_this<memory_network> {
public:
    memory_network(boost::asio::any_io_executor executor, std::uint64_t seed);
    ~memory_network() override;

    // -- network

    [[nodiscard]] instant now() const noexcept override;
    [[nodiscard]] boost::asio::any_io_executor executor() const noexcept override { return executor_; }
    void post(std::shared_ptr<task> what) override;
    [[nodiscard]] std::unique_ptr<timer> make_timer(std::function<void()> on_expiry) override;
    [[nodiscard]] std::unique_ptr<dialing> dial(const endpoint& to, const dial_options& options,
                                                dial_handler handler) override;
    [[nodiscard]] listen_result listen(const endpoint& at, const listen_options& options, accept_handler on_accept,
                                       accept_error_handler on_error) override;
    [[nodiscard]] std::uint64_t random_seed() override;

    // -- of the owner of the clock

    [[nodiscard]] std::chrono::microseconds elapsed() const noexcept { return elapsed_; }
    /// When something is due next; `never` if nothing is.
    [[nodiscard]] steady_time next_due() const noexcept;
    /// Moves the clock to \p at, or to what is due before, and carries that out: one step.
    void step(steady_time at);

    void set_delay(std::chrono::microseconds one_way) noexcept { delay_ = one_way; }
    void set_reachable(bool is_reachable) noexcept { is_reachable_ = is_reachable; }
    void set_silent(bool is_silent);
    void cut_all();
    void cut_after(std::uint64_t bytes) noexcept { cut_at_ = carried_ + bytes; }
    [[nodiscard]] std::uint64_t bytes_carried() const noexcept { return carried_; }
    [[nodiscard]] std::size_t open_links() const noexcept;

    // -- of links

    [[nodiscard]] steady_time present() const noexcept { return now().steady; }
    /// When what is sent now arrives; `never` while there is silence.
    [[nodiscard]] steady_time arrival() const noexcept { return is_silent_ ? never : present() + delay_; }
    /// How many of \p bytes get through before the cut, and counts them.
    [[nodiscard]] std::size_t carry(std::size_t bytes, bool& is_cut) noexcept;
    /// Calls the function then.
    void at(steady_time when, std::function<void()> function);

private:
    class memory_timer;
    class memory_listener;
    class memory_dialing;
    struct listening;
    struct entry;
    using queue = std::multimap<steady_time, std::shared_ptr<entry>>;

    void connect(const endpoint& to, const dial_options& options, const std::shared_ptr<dial_handler>& handler);

    boost::asio::any_io_executor executor_;
    std::chrono::microseconds elapsed_{0};
    std::chrono::microseconds delay_{0};
    std::uint64_t random_;
    queue queue_;
    std::map<std::string, std::weak_ptr<listening>> listening_;  // by port or path
    std::vector<std::weak_ptr<memory_link>> links_;
    std::uint64_t carried_ = 0;
    std::optional<std::uint64_t> cut_at_;
    std::uint16_t next_port_ = 20'000;
    bool is_reachable_ = true;
    bool is_silent_ = false;
};

}  // namespace martlet::net
