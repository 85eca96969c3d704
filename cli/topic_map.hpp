// From recorded topics to others: rules FROM=TO. A '#' at the end of both stands for all that follows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace martlet::cli {

class topic_map {
public:
    /// Adds "FROM=TO". A complaint, a sentence, or nothing.
    [[nodiscard]] std::optional<std::string> add(std::string_view rule);
    /// By the first rule that fits; the topic itself if none does.
    [[nodiscard]] std::string apply(std::string_view topic) const;

private:
    struct rule {
        std::string from;
        std::string to;
        bool is_tree = false;  // both ended with '#', which is taken off
    };
    std::vector<rule> rules_;
};

}  // namespace martlet::cli
