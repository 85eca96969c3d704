#include "packet_trace.hpp"

#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <string_view>
#include <system_error>
#include <unistd.h>

namespace martlet::crash {

namespace {

std::string describe(const packet& p) {
    std::string text(to_string(type_of(p)));
    if (const auto* const message = std::get_if<packets::publish>(&p)) {
        text += " id=" + std::to_string(to_number(message->id)) + " qos=" + std::to_string(to_number(message->qos)) +
                " dup=" + std::to_string(message->dup) + " payload=" + std::string(message->payload);
    } else if (const auto* const answer = std::get_if<packets::connack>(&p)) {
        text += " session_present=" + std::to_string(answer->session_present) +
                " reason=" + std::string(to_string(answer->reason));
    } else if (const auto* const hello = std::get_if<packets::connect>(&p)) {
        text += " clean_start=" + std::to_string(hello->clean_start);
    } else if (const auto* const bye = std::get_if<packets::disconnect>(&p)) {
        text += " reason=" + std::string(to_string(bye->reason));
    } else {
        std::visit(
            [&]<class Packet>(const Packet& one) {
                if constexpr (requires { one.id; }) text += " id=" + std::to_string(to_number(one.id));
                if constexpr (requires { one.id, one.reason; }) text += " reason=" + std::string(to_string(one.reason));
            },
            p);
    }
    return text;
}

class packet_trace final : public packet_observer {
public:
    explicit packet_trace(const std::string& file)
        : file_(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {
        if (file_ < 0) throw std::system_error(errno, std::generic_category(), file);
    }
    ~packet_trace() override { ::close(file_); }

    void on_sent(const packet& p, protocol_version, std::size_t) override { write("sent", p); }
    void on_received(const packet& p, protocol_version, std::size_t) override { write("received", p); }

private:
    void write(std::string_view direction, const packet& p) const {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        std::string line = std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
        line += ' ';
        line += std::to_string(::getpid());
        line += ' ';
        line += direction;
        line += ' ';
        line += describe(p);
        line += '\n';
        // A disk that is full shortens the trace, never the run.
        [[maybe_unused]] const auto written = ::write(file_, line.data(), line.size());
    }

    int file_;
};

}  // namespace

std::shared_ptr<packet_observer> make_packet_trace(const std::string& file) {
    return std::make_shared<packet_trace>(file);
}

}  // namespace martlet::crash
