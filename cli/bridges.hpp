// The bridges of a broker that runs: each is a client of it, without a socket, and of another broker.
#pragma once

#include "bridge_block.hpp"

#include <martlet/authenticator.hpp>
#include <martlet/bridge.hpp>
#include <martlet/broker.hpp>
#include <martlet/broker_options.hpp>

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

namespace martlet::cli {

/// Who comes by the listener of the bridges is one of them: let in without a question, with every right. All others are
/// \p inner's to judge.
[[nodiscard]] std::shared_ptr<authenticator> trusting(std::shared_ptr<authenticator> inner, std::uint16_t listener,
                                                      const std::vector<bridge_settings>& bridges);

class bridges {
public:
    /// Listens within the process, and begins to connect. False with a line in `why`.
    bool start(broker& local, const std::vector<bridge_settings>& all, std::shared_ptr<broker_log> log,
               std::string& why);
    void stop();

private:
    std::list<bridge> running_;
};

}  // namespace martlet::cli
