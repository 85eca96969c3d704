// What martlet top shows: values of $SYS topics, by the names that Mosquitto gave them, as text that fits a terminal.
#pragma once

#include "terminal.hpp"

#include <map>
#include <string>
#include <string_view>

namespace martlet::cli {

class sys_dashboard {
public:
    /// A message on a topic that begins with $SYS/.
    void update(std::string_view topic, std::string_view value);

    [[nodiscard]] bool empty() const noexcept { return values_.empty(); }
    [[nodiscard]] std::string render(std::string_view broker, terminal_size size) const;
    /// One object: "schema", "broker", "values".
    [[nodiscard]] std::string json(std::string_view broker) const;

private:
    std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace martlet::cli
