#include "net/proxy.hpp"

#include "net/base64.hpp"
#include "net/printable.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

namespace martlet::net {

namespace asio = boost::asio;

namespace {

constexpr std::size_t answer_size_max = 16 * 1024;  // of an HTTP proxy's answer, to its blank line
constexpr std::size_t told_size_max = 100;          // of its words, in an error

class proxied : public transport {
public:
    explicit proxied(std::unique_ptr<transport> inner) : inner_(std::move(inner)) {}

    io_result handshake() noexcept override {
        if (error_) return {0, error_};
        while (!is_through_) {
            if (const io_result put = write(); put.error) return put;
            if (const io_result got = read(); got.error) return got;
            if (!next()) return {0, error_};
        }
        return {};
    }

    io_result read_some(std::span<char> into) noexcept override {
        if (!is_through_) {
            if (const io_result opening = handshake(); opening.error) return opening;
        }
        if (early_.empty()) return inner_->read_some(into);
        const std::size_t count = std::min(into.size(), early_.size());
        std::memcpy(into.data(), early_.data(), count);
        early_.erase(0, count);
        return {count, {}};
    }

    io_result write_some(std::span<const std::string_view> from) noexcept override {
        if (!is_through_) {
            if (const io_result opening = handshake(); opening.error) return opening;
        }
        return inner_->write_some(from);
    }

    [[nodiscard]] bool has_buffered_input() const noexcept override {
        return !early_.empty() || inner_->has_buffered_input();
    }
    void wait(direction what, std::shared_ptr<waiter> who) override { inner_->wait(what, std::move(who)); }
    io_result shutdown_send() noexcept override { return inner_->shutdown_send(); }
    void close() noexcept override { inner_->close(); }
    [[nodiscard]] int native_handle() noexcept override { return inner_->native_handle(); }
    [[nodiscard]] std::string peer_address() const override { return inner_->peer_address(); }
    [[nodiscard]] std::string local_address() const override { return inner_->local_address(); }
    [[nodiscard]] std::string failure() const override { return failure_; }

protected:
    /// input() holds what was expected: the next step. False after fail().
    [[nodiscard]] virtual bool next() = 0;
    /// How many more bytes have to come before next().
    [[nodiscard]] virtual std::size_t missing() const = 0;

    void say(std::string bytes) {
        output_ = std::move(bytes);
        written_ = 0;
        input_.clear();
    }
    [[nodiscard]] const std::string& input() const noexcept { return input_; }
    /// Bytes after `size` of the input belong to the server.
    void pass(std::size_t size) {
        early_ = input_.substr(size);
        input_ = {};
        output_ = {};
        is_through_ = true;
    }
    [[nodiscard]] bool fail(errc error, std::string why) {
        failure_ = std::move(why);
        error_ = error;
        return false;
    }

private:
    io_result write() noexcept {
        while (written_ != output_.size()) {
            const std::array<std::string_view, 1> rest{std::string_view(output_).substr(written_)};
            const io_result put = inner_->write_some(rest);
            written_ += put.bytes;
            if (put.error && written_ != output_.size()) return {0, put.error, put.wait_for};
        }
        return {};
    }

    io_result read() noexcept {
        while (std::size_t want = missing()) {
            std::array<char, 512> piece;
            const io_result got = inner_->read_some(std::span(piece).first(std::min(want, piece.size())));
            input_.append(piece.data(), got.bytes);
            if (got.error && missing() != 0) return {0, got.error, got.wait_for};
        }
        return {};
    }

    std::unique_ptr<transport> inner_;
    std::string output_;
    std::size_t written_ = 0;
    std::string input_;
    std::string early_;
    std::string failure_;
    error_code error_;
    bool is_through_ = false;
};

//   greeting ──► (user name and password) ──► request ──► through
class socks5 final : public proxied {
public:
    socks5(std::unique_ptr<transport> inner, const endpoint& hop, const endpoint& to)
        : proxied(std::move(inner)), user_(hop.user_name), password_(hop.password.value_or("")), to_(to) {
        say(user_ ? std::string("\5\2\0\2", 4) : std::string("\5\1\0", 3));
    }

private:
    enum class step : std::uint8_t { greeting, credentials, request };

    [[nodiscard]] std::size_t missing() const override {
        const std::size_t have = input().size();
        if (step_ != step::request) return have < 2 ? 2 - have : 0;
        if (have < 5) return 5 - have;
        const std::size_t whole = reply_size();
        return have < whole ? whole - have : 0;
    }

    // VER REP RSV ATYP, an address of 4 or 16 bytes or with its length before it, port.
    [[nodiscard]] std::size_t reply_size() const {
        switch (input()[3]) {
            case 1: return 4 + 4 + 2;
            case 4: return 4 + 16 + 2;
            case 3: return 4 + 1 + static_cast<unsigned char>(input()[4]) + 2;
            default: return 5;  // next() refuses it
        }
    }

    [[nodiscard]] bool next() override {
        const char version = input()[0];
        const auto code = static_cast<unsigned char>(input()[1]);
        switch (step_) {
            case step::greeting:
                if (version != 5) return fail(errc::proxy_failed, "the proxy does not speak SOCKS5");
                if (code == 0) return ask();
                if (code == 2 && user_) return show_credentials();
                if (user_) return fail(errc::proxy_refused_credentials, "the proxy takes no user name and password");
                return fail(errc::proxy_refused_credentials, "the proxy wants a user name and password");
            case step::credentials:
                if (code == 0) return ask();
                return fail(errc::proxy_refused_credentials, "the proxy refused the user name or password");
            case step::request: break;
        }
        if (version != 5) return fail(errc::proxy_failed, "the proxy does not speak SOCKS5");
        if (code != 0) return fail(errc::proxy_failed, "the proxy could not connect: " + reason(code));
        if (input()[3] != 1 && input()[3] != 3 && input()[3] != 4) {
            return fail(errc::proxy_failed, "the proxy's answer has an unknown kind of address");
        }
        pass(input().size());
        return true;
    }

    [[nodiscard]] bool show_credentials() {
        std::string text = "\1";
        for (const std::string& word : {*user_, password_}) {
            text += static_cast<char>(word.size());  // parse_proxy() has seen that it fits
            text += word;
        }
        say(std::move(text));
        step_ = step::credentials;
        return true;
    }

    [[nodiscard]] bool ask() {
        std::string request("\5\1\0", 3);
        error_code not_literal;
        const auto address = asio::ip::make_address(to_.host, not_literal);
        const auto add = [&](const auto& octets) {
            for (const unsigned char octet : octets)
                request += static_cast<char>(octet);
        };
        if (not_literal) {
            request += '\3';
            request += static_cast<char>(to_.host.size());  // a name has at most 253 bytes
            request += to_.host;
        } else if (address.is_v4()) {
            request += '\1';
            add(address.to_v4().to_bytes());
        } else {
            request += '\4';
            add(address.to_v6().to_bytes());
        }
        request += static_cast<char>(to_.port >> 8);
        request += static_cast<char>(to_.port & 0xFF);
        say(std::move(request));
        step_ = step::request;
        return true;
    }

    static std::string reason(unsigned code) {
        constexpr std::array<std::string_view, 9> reasons{"",
                                                          "general failure",
                                                          "not allowed by its rules",
                                                          "network unreachable",
                                                          "host unreachable",
                                                          "connection refused",
                                                          "TTL expired",
                                                          "command not supported",
                                                          "kind of address not supported"};
        return code < reasons.size() ? std::string(reasons[code]) : "reason " + std::to_string(code);
    }

    std::optional<std::string> user_;
    std::string password_;
    endpoint to_;
    step step_ = step::greeting;
};

class http_connect final : public proxied {
public:
    http_connect(std::unique_ptr<transport> inner, const endpoint& hop, const endpoint& to)
        : proxied(std::move(inner)), shows_credentials_(hop.user_name) {
        const bool is_v6 = to.host.find(':') != std::string::npos;
        const std::string where = (is_v6 ? "[" + to.host + "]" : to.host) + ":" + std::to_string(to.port);
        std::string request = "CONNECT " + where + " HTTP/1.1\r\nHost: " + where + "\r\n";
        if (hop.user_name) {
            request +=
                "Proxy-Authorization: Basic " + base64(*hop.user_name + ":" + hop.password.value_or("")) + "\r\n";
        }
        say(request + "\r\n");
    }

private:
    [[nodiscard]] std::size_t end() const {
        const auto at = input().find("\r\n\r\n");
        return at == std::string::npos ? 0 : at + 4;
    }
    [[nodiscard]] std::size_t missing() const override {
        return end() != 0 || input().size() >= answer_size_max ? 0 : answer_size_max - input().size();
    }

    [[nodiscard]] bool next() override {
        // "HTTP/1.1 200 Connection established"
        const std::string_view line = std::string_view(input()).substr(0, input().find("\r\n"));
        const bool is_http = line.size() >= 12 && line.starts_with("HTTP/1.") && line[8] == ' ';
        if (end() == 0 || !is_http) return fail(errc::proxy_failed, "the proxy does not speak HTTP");
        const std::string_view status = line.substr(9);
        if (status.starts_with('2')) {
            pass(end());
            return true;
        }
        const std::string why = "the proxy answered " + printable(status, told_size_max);
        if (!status.starts_with("407")) return fail(errc::proxy_failed, why);
        return fail(errc::proxy_refused_credentials,
                    shows_credentials_ ? why : why + "; there are no user name and password for it");
    }

    bool shows_credentials_;
};

}  // namespace

boost::system::result<proxy_address> parse_proxy(std::string_view url, std::string& why) {
    const auto fail = [&](std::string_view text) -> error_code {
        why = "proxy: " + std::string(text);
        return errc::url_invalid;
    };
    proxy_address proxy;
    std::string_view rest;
    if (url.starts_with("socks5h://")) {
        rest = url.substr(10);
    } else if (url.starts_with("http://")) {
        proxy.kind = proxy_address::kind_type::http_connect;
        rest = url.substr(7);
    } else if (url.starts_with("socks5://")) {
        return fail("with socks5:// the name would be looked up here; socks5h:// lets the proxy do it");
    } else {
        return fail("a URL begins with socks5h:// or http://");
    }
    std::string_view problem;
    auto parsed = parse_endpoint("mqtt://" + std::string(rest), &problem);
    if (!parsed) return fail(problem);
    if (!parsed->path.empty() && parsed->path != "/") return fail("a proxy's URL has no path");
    proxy.hop = std::move(*parsed);
    proxy.hop.path.clear();
    // a port that follows the scheme was not given
    const bool has_port = parse_endpoint("mqtts://" + std::string(rest)).value().port == proxy.hop.port;
    if (!has_port) proxy.hop.port = proxy.kind == proxy_address::kind_type::socks5 ? 1080 : 8080;
    if (proxy.kind == proxy_address::kind_type::socks5 && proxy.hop.user_name) {
        const std::size_t password_size = proxy.hop.password ? proxy.hop.password->size() : 0;
        if (proxy.hop.user_name->empty() || proxy.hop.user_name->size() > 255 || password_size > 255) {
            return fail("user name and password have at most 255 bytes");
        }
    }
    return proxy;
}

std::unique_ptr<transport> make_proxied(std::unique_ptr<transport> inner, const proxy_address& proxy,
                                        const endpoint& to) {
    if (proxy.kind == proxy_address::kind_type::socks5) {
        return std::make_unique<socks5>(std::move(inner), proxy.hop, to);
    }
    return std::make_unique<http_connect>(std::move(inner), proxy.hop, to);
}

}  // namespace martlet::net
