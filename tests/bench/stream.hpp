// The byte stream of one connection of a program that measures: a bare socket, or OpenSSL on one.
#pragma once

#include "bench/sockets.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace martlet::test {

/// Non-blocking. Reads and writes return bytes moved, 0 if nothing can be moved now, -1 at the end.
class stream {
public:
    stream() = default;
    explicit stream(int fd, SSL* tls = nullptr) : fd_(fd), tls_(tls) {}
    stream(stream&& other) noexcept : fd_(std::exchange(other.fd_, -1)), tls_(std::exchange(other.tls_, nullptr)) {}
    stream& operator=(stream&& other) noexcept {
        std::swap(fd_, other.fd_);
        std::swap(tls_, other.tls_);
        return *this;
    }
    ~stream() {
        SSL_free(tls_);
        if (fd_ >= 0) ::close(fd_);
    }

    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] bool is_tls() const { return tls_ != nullptr; }

    std::ptrdiff_t read(std::span<char> into) {
        if (tls_ == nullptr) {
            const ssize_t n = ::recv(fd_, into.data(), into.size(), 0);
            return n > 0 ? n : n < 0 && errno == EAGAIN ? 0 : -1;
        }
        std::size_t n = 0;
        if (SSL_read_ex(tls_, into.data(), into.size(), &n) == 1) return static_cast<std::ptrdiff_t>(n);
        return end_of_tls();
    }

    std::ptrdiff_t write(std::string_view from) {
        if (tls_ == nullptr) {
            const ssize_t n = ::send(fd_, from.data(), from.size(), MSG_NOSIGNAL);
            return n >= 0 ? n : errno == EAGAIN ? 0 : -1;
        }
        std::size_t n = 0;
        if (SSL_write_ex(tls_, from.data(), from.size(), &n) == 1) return static_cast<std::ptrdiff_t>(n);
        return end_of_tls();
    }

private:
    std::ptrdiff_t end_of_tls() {
        const int why = SSL_get_error(tls_, 0);
        ERR_clear_error();
        return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? 0 : -1;
    }

    int fd_ = -1;
    SSL* tls_ = nullptr;
};

/// TLS 1.3, as fast as OpenSSL does it by itself: read-ahead, and writes that need not be repeated as they were.
class tls_maker {
public:
    /// A client that verifies nothing: it measures.
    tls_maker() : tls_maker(TLS_client_method()) {}
    /// A server.
    tls_maker(const std::string& certificate, const std::string& key) : tls_maker(TLS_server_method()) {
        if (SSL_CTX_use_certificate_chain_file(context_, certificate.c_str()) != 1 ||
            SSL_CTX_use_PrivateKey_file(context_, key.c_str(), SSL_FILETYPE_PEM) != 1) {
            ERR_print_errors_fp(stderr);
            std::exit(1);
        }
    }
    tls_maker(const tls_maker&) = delete;
    tls_maker& operator=(const tls_maker&) = delete;
    ~tls_maker() { SSL_CTX_free(context_); }

    [[nodiscard]] SSL* make(int fd, bool is_server) const {
        SSL* const tls = SSL_new(context_);
        SSL_set_fd(tls, fd);
        is_server ? SSL_set_accept_state(tls) : SSL_set_connect_state(tls);
        return tls;
    }

private:
    explicit tls_maker(const SSL_METHOD* method) : context_(SSL_CTX_new(method)) {
        SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);
        SSL_CTX_set_mode(context_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_CTX_set_read_ahead(context_, 1);
        SSL_CTX_set_num_tickets(context_, 0);
    }

    SSL_CTX* context_;
};

}  // namespace martlet::test
