// Standard output: collected, and written in one piece before the tool waits for more. A slow reader does not block the
// event loop: for a pipe or a terminal it is opened a second time, non-blocking, which the others who share the first
// one do not notice.
#pragma once

#include <cstdint>
#include <string>

namespace martlet::cli {

class text_output {
public:
    enum class result : std::uint8_t { done, would_block, failed };

    explicit text_output(int descriptor);
    text_output(const text_output&) = delete;
    text_output& operator=(const text_output&) = delete;
    ~text_output();

    /// What is to be written next; append to it.
    [[nodiscard]] std::string& text() noexcept { return text_; }

    /// Writes as much as there is. After would_block: wait until descriptor() is writable, and call it again. After
    /// failed, error() is the errno; what was not written is dropped.
    [[nodiscard]] result flush();
    /// Waits until it is writable, for tools that have nothing else to do.
    void wait_writable() const;
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
    [[nodiscard]] int error() const noexcept { return error_; }

private:
    enum class kind : std::uint8_t { blocking, reopened, socket };

    std::string text_;
    std::size_t written_ = 0;  // of text_
    int descriptor_;
    kind kind_ = kind::blocking;
    int error_ = 0;
};

}  // namespace martlet::cli
