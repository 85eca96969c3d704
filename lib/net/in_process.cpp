#include "net/in_process.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

namespace martlet::net {

namespace asio = boost::asio;

namespace {

/// Who waits, and where it is to be told. Waiting is work: a loop does not end meanwhile.
struct waiting {
    std::shared_ptr<waiter> who;
    asio::any_io_executor where;

    void tell(direction what, error_code error) {
        if (const auto told = std::exchange(who, nullptr)) {
            asio::post(where, [told, what, error] { told->on_ready(what, error); });
        }
        where = {};
    }
};

/// One direction. Its ends may be on different threads.
struct pipe {
    std::mutex mutex;
    std::string bytes;
    std::size_t taken = 0;
    bool is_finished = false;   // nothing more will be written
    bool is_abandoned = false;  // nobody reads any more
    waiting reader;
    waiting writer;

    [[nodiscard]] std::size_t size() const noexcept { return bytes.size() - taken; }
    [[nodiscard]] bool is_readable() const noexcept { return size() != 0 || is_finished; }
    [[nodiscard]] bool is_writable() const noexcept { return size() < in_process_bytes_max || is_abandoned; }
};

class in_process_transport final : public transport {
public:
    in_process_transport(asio::any_io_executor executor, std::string name, std::shared_ptr<pipe> in,
                         std::shared_ptr<pipe> out)
        : executor_(std::move(executor)), name_(std::move(name)), in_(std::move(in)), out_(std::move(out)) {}
    ~in_process_transport() override { in_process_transport::close(); }

    io_result read_some(std::span<char> into) noexcept override {
        const std::lock_guard lock(in_->mutex);
        if (is_closed_) return {0, asio::error::bad_descriptor, direction::read};
        const std::size_t count = std::min(in_->size(), into.size());
        if (count == 0) {
            if (in_->is_finished) return {0, asio::error::eof, direction::read};
            return {0, asio::error::would_block, direction::read};
        }
        std::memcpy(into.data(), in_->bytes.data() + in_->taken, count);
        in_->taken += count;
        const bool is_empty = in_->size() == 0;
        if (is_empty) {
            in_->bytes.clear();
            in_->taken = 0;
        }
        if (in_->is_writable()) in_->writer.tell(direction::write, {});
        return {count, is_empty && !in_->is_finished ? error_code(asio::error::would_block) : error_code(),
                direction::read};
    }

    io_result write_some(std::span<const std::string_view> from) noexcept override {
        const std::lock_guard lock(out_->mutex);
        if (is_closed_ || out_->is_finished) return {0, asio::error::bad_descriptor, direction::write};
        if (out_->is_abandoned) return {0, asio::error::connection_reset, direction::write};
        std::size_t count = 0;
        bool is_full = false;
        for (const std::string_view part : from) {
            const std::size_t fits = std::min(part.size(), in_process_bytes_max - out_->size());
            if (out_->taken != 0 && out_->taken >= out_->bytes.size() / 2) {
                out_->bytes.erase(0, out_->taken);
                out_->taken = 0;
            }
            out_->bytes.append(part.substr(0, fits));
            count += fits;
            is_full = fits < part.size();
            if (is_full) break;
        }
        if (out_->is_readable()) out_->reader.tell(direction::read, {});
        return {count, is_full ? error_code(asio::error::would_block) : error_code(), direction::write};
    }

    void wait(direction what, std::shared_ptr<waiter> who) override {
        pipe& on = what == direction::read ? *in_ : *out_;
        const std::lock_guard lock(on.mutex);
        waiting& place = what == direction::read ? on.reader : on.writer;
        place.who = std::move(who);
        place.where = asio::prefer(executor_, asio::execution::outstanding_work.tracked);
        if (is_closed_) {
            place.tell(what, asio::error::operation_aborted);
        } else if (what == direction::read ? on.is_readable() : on.is_writable()) {
            place.tell(what, {});
        }
    }

    io_result shutdown_send() noexcept override {
        const std::lock_guard lock(out_->mutex);
        out_->is_finished = true;
        out_->reader.tell(direction::read, {});
        return {};
    }

    void close() noexcept override {
        {
            const std::lock_guard lock(out_->mutex);
            if (std::exchange(is_closed_, true)) return;
            out_->is_finished = true;
            out_->writer.tell(direction::write, asio::error::operation_aborted);
            out_->reader.tell(direction::read, {});
        }
        const std::lock_guard lock(in_->mutex);
        in_->is_abandoned = true;
        in_->bytes = std::string();
        in_->taken = 0;
        in_->reader.tell(direction::read, asio::error::operation_aborted);
        in_->writer.tell(direction::write, {});
    }

    [[nodiscard]] std::string peer_address() const override { return name_; }
    [[nodiscard]] std::string local_address() const override { return name_; }

private:
    asio::any_io_executor executor_;
    std::string name_;
    std::shared_ptr<pipe> in_;
    std::shared_ptr<pipe> out_;
    bool is_closed_ = false;  // of this end alone: its executor's
};

/// A listener's place; dialers of any thread find it by its name.
struct accepting {
    accepting(asio::any_io_executor on, std::shared_ptr<accept_layers> with, accept_handler told)
        : executor(std::move(on)),
          work(asio::prefer(executor, asio::execution::outstanding_work.tracked)),
          layers(std::move(with)),
          on_accept(std::move(told)) {}

    const asio::any_io_executor executor;
    asio::any_io_executor work;  // listening keeps a loop alive, as it does on a socket
    std::shared_ptr<accept_layers> layers;
    accept_handler on_accept;  // empty: it has ended. On the executor only
};

struct registry {
    std::mutex mutex;
    std::map<std::string, std::shared_ptr<accepting>, std::less<>> listeners;

    static registry& instance() {
        static registry one;
        return one;
    }
};

class in_process_listener final : public listener {
public:
    in_process_listener(endpoint at, std::shared_ptr<accepting> what)
        : local_(std::move(at)), accepting_(std::move(what)) {}
    ~in_process_listener() override {
        {
            auto& all = registry::instance();
            const std::lock_guard lock(all.mutex);
            all.listeners.erase(local_.path);
        }
        accepting_->on_accept = nullptr;
        // Given back inside of the loop: one that is not running would otherwise count as having run out of work.
        asio::post(accepting_->executor, [work = std::exchange(accepting_->work, {})] {});
    }
    [[nodiscard]] const endpoint& local() const noexcept override { return local_; }

private:
    endpoint local_;
    std::shared_ptr<accepting> accepting_;
};

class in_process_dialing final : public dialing {
public:
    explicit in_process_dialing(std::shared_ptr<dial_handler> handler) : handler_(std::move(handler)) {}
    ~in_process_dialing() override { *handler_ = nullptr; }

private:
    std::shared_ptr<dial_handler> handler_;
};

}  // namespace

std::pair<std::unique_ptr<transport>, std::unique_ptr<transport>> make_in_process_link(
    const asio::any_io_executor& one, const asio::any_io_executor& other, const std::string& name) {
    const auto there = std::make_shared<pipe>();
    const auto back = std::make_shared<pipe>();
    return {std::make_unique<in_process_transport>(one, name, back, there),
            std::make_unique<in_process_transport>(other, name, there, back)};
}

listen_result listen_in_process(const asio::any_io_executor& executor, const endpoint& at,
                                const listen_options& options, accept_handler on_accept) {
    auto& all = registry::instance();
    const std::lock_guard lock(all.mutex);
    const auto [place, is_new] = all.listeners.try_emplace(at.path);
    if (!is_new) {
        const error_code error = asio::error::address_in_use;
        return {nullptr, error, "listening at " + to_string(at) + ": " + error.message()};
    }
    place->second = std::make_shared<accepting>(executor, options.layers, std::move(on_accept));
    return {std::make_unique<in_process_listener>(at, place->second), {}, {}};
}

std::unique_ptr<dialing> dial_in_process(const asio::any_io_executor& executor, const endpoint& to,
                                         dial_handler handler) {
    std::shared_ptr<accepting> found;
    {
        auto& all = registry::instance();
        const std::lock_guard lock(all.mutex);
        if (const auto at = all.listeners.find(to.path); at != all.listeners.end()) found = at->second;
    }
    const auto told = std::make_shared<dial_handler>(std::move(handler));
    // Moved through the tasks: functions that Asio posts need not be copyable.
    std::unique_ptr<transport> dialed;
    if (found != nullptr) {
        auto ends = make_in_process_link(executor, found->executor, to_string(to));
        dialed = std::move(ends.first);
        asio::post(found->executor, [found, link = std::move(ends.second)]() mutable {
            if (!found->on_accept) return;  // the link goes, and the dialer finds it closed
            link = found->layers != nullptr ? found->layers->wrap(std::move(link)) : std::move(link);
            if (link != nullptr) found->on_accept(std::move(link));
        });
    }
    asio::post(executor, [told, to, link = std::move(dialed)]() mutable {
        const dial_handler told_once = std::exchange(*told, nullptr);
        if (!told_once) return;
        if (link != nullptr) return told_once({std::move(link), {}, {}});
        const error_code error = asio::error::connection_refused;
        told_once({nullptr, error, "connecting to " + to_string(to) + ": " + error.message()});
    });
    return std::make_unique<in_process_dialing>(told);
}

}  // namespace martlet::net
