// The broker that both tools talk to, in this process: it knows when a case has subscribed, refuses what the case wants
// refused, and a subscriber of its own writes down what was published.
//
//   user names  "rc134", "rc135" …: CONNECT is refused with this reason
//   topics      with "deny" in them may neither be published nor subscribed to
#pragma once

#include <martlet/client_options.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace martlet::test::differential {

class world {
public:
    world();
    world(const world&) = delete;
    world& operator=(const world&) = delete;
    ~world();

    [[nodiscard]] std::string port() const;
    /// Waits until somebody has subscribed to a filter that begins with `level`.
    void wait_subscribed(const std::string& level);
    void publish(std::string_view topic, std::string_view text, const publish_options& options);
    /// What was published to topics that begin with `level`, in order, a line for each; after all tools have ended.
    [[nodiscard]] std::string published(const std::string& level);
    /// Everything that the tools, which have ended, sent is now known to published().
    void settle();

private:
    class impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace martlet::test::differential
