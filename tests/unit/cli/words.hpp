// argv for tests: words that may be written to, as those of main() may.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace martlet::test {

class words {
public:
    words(std::initializer_list<const char*> list) : texts_(list.begin(), list.end()) {
        for (std::string& text : texts_)
            pointers_.push_back(text.data());
    }
    words(const words&) = delete;
    words& operator=(const words&) = delete;

    [[nodiscard]] std::span<char* const> argv() const noexcept { return pointers_; }
    [[nodiscard]] const std::string& operator[](std::size_t i) const { return texts_[i]; }

private:
    std::vector<std::string> texts_;
    std::vector<char*> pointers_;
};

}  // namespace martlet::test
