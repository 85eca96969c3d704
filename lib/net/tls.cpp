// TLS as a transport: OpenSSL's state machine between our reads and writes and those of the layer below. asio's
// ssl::stream cannot be used, because on a non-blocking socket its write_some loses its place at the first EAGAIN.
#include "net/certificate_text.hpp"
#include "net/tls_context.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace martlet::net {

namespace asio = boost::asio;

namespace {

constexpr std::size_t record_size_max = 16 * 1024;

error_code would_block() noexcept { return asio::error::would_block; }

// Alerts about what we have shown, RFC 8446 §6.2: bad_certificate … access_denied, unknown_psk_identity,
// certificate_required.
constexpr int certificate_required = 116;

bool is_about_us(int alert) noexcept { return (alert >= 42 && alert <= 49) || alert == 115 || alert == 116; }

class tls_transport final : public transport, public tls_callbacks {
public:
    tls_transport(std::shared_ptr<openssl_context> context, std::unique_ptr<transport> inner, std::string host)
        : context_(std::move(context)), inner_(std::move(inner)), host_(std::move(host)) {}

    // False if there is no memory.
    [[nodiscard]] bool start() {
        ssl_.reset(SSL_new(context_->ssl.get()));
        BIO* const below = method() != nullptr ? BIO_new(method()) : nullptr;
        if (!ssl_ || below == nullptr) {
            BIO_free(below);
            return false;
        }
        BIO_set_data(below, this);
        BIO_set_init(below, 1);
        SSL_set_bio(ssl_.get(), below, below);
        SSL_set_app_data(ssl_.get(), static_cast<tls_callbacks*>(this));
        if (context_->is_server) {
            SSL_set_accept_state(ssl_.get());
            return true;
        }
        SSL_set_connect_state(ssl_.get());
        SSL_set_cert_cb(ssl_.get(), on_certificate_request, this);
        if (!expect(host_)) return false;
        if (const auto session = context_->session_for(host_)) (void)SSL_set_session(ssl_.get(), session.get());
        return true;
    }

    io_result handshake() noexcept override {
        if (error_) return {0, error_};
        if (const io_result below = inner_->handshake(); below.error) return failed_below(below);
        begin();
        const int done = SSL_do_handshake(ssl_.get());
        return done == 1 ? io_result() : stopped(done);
    }

    io_result read_some(std::span<char> into) noexcept override {
        if (error_) return {0, error_};
        begin();
        std::size_t total = 0;
        while (total != into.size()) {
            std::size_t n = 0;
            const int done = SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &n);
            if (done != 1) {
                io_result end = stopped(done);
                end.bytes = total;
                // bytes first: what ended the stream is told again by the next read
                return end.failed() && total != 0 ? io_result{total, {}} : end;
            }
            total += n;
        }
        return {total, {}};
    }

    io_result write_some(std::span<const std::string_view> from) noexcept override {
        if (error_) return {0, error_};
        begin();
        std::size_t total = 0;
        std::size_t part = 0;
        std::size_t offset = 0;
        for (;;) {
            const std::string_view piece = next_piece(from, part, offset);
            if (piece.empty()) return {total, {}};
            std::size_t n = 0;
            const int done = SSL_write_ex(ssl_.get(), piece.data(), piece.size(), &n);
            if (done != 1) {
                io_result end = stopped(done);
                end.bytes = total;
                return end;
            }
            total += n;
            for (offset += n; part != from.size() && offset >= from[part].size(); ++part)
                offset -= from[part].size();
        }
    }

    [[nodiscard]] bool has_buffered_input() const noexcept override {
        return SSL_has_pending(ssl_.get()) == 1 || inner_->has_buffered_input();
    }

    void wait(direction what, std::shared_ptr<waiter> who) override { inner_->wait(what, std::move(who)); }

    // close_notify, and then the end of the stream below, which tells those who do not understand the former.
    io_result shutdown_send() noexcept override {
        if (!error_ && SSL_is_init_finished(ssl_.get()) == 1) {
            begin();
            const int done = SSL_shutdown(ssl_.get());
            if (done < 0) {
                const io_result end = stopped(done);
                if (end.blocked()) return end;
            }
        }
        return inner_->shutdown_send();
    }

    void close() noexcept override { inner_->close(); }

    [[nodiscard]] int native_handle() noexcept override { return inner_->native_handle(); }
    [[nodiscard]] std::string peer_address() const override { return inner_->peer_address(); }
    [[nodiscard]] std::string local_address() const override { return inner_->local_address(); }
    [[nodiscard]] std::string failure() const override { return failure_.empty() ? inner_->failure() : failure_; }

    [[nodiscard]] std::string peer_identity() const override {
        if (SSL_is_init_finished(ssl_.get()) != 1) return {};
        if (!psk_identity_.empty()) return psk_identity_;
        if ((SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER) == 0) return {};
        const X509* const shown = SSL_get0_peer_certificate(ssl_.get());
        return shown != nullptr && SSL_get_verify_result(ssl_.get()) == X509_V_OK ? common_name_of(shown)
                                                                                  : std::string();
    }

    [[nodiscard]] bool is_resumed() const noexcept override { return SSL_session_reused(ssl_.get()) == 1; }

    void on_certificate_rejected(int failure, const X509* at) override {
        if (rejection_) return;  // the first reason is the one to tell
        certificate_verdict verdict = explain_verification(failure, at, host_);
        rejection_ = verdict.error;
        failure_ = std::move(verdict.text);
    }

    void on_psk_identity(std::string_view identity) override { psk_identity_ = identity; }
    void on_session(const SSL_SESSION& session) override { context_->keep_session(host_, session); }

private:
    // Who the peer has to be. RFC 6066 §3: an address is no server name.
    [[nodiscard]] bool expect(const std::string& host) {
        error_code not_literal;
        (void)asio::ip::make_address(host, not_literal);
        if (not_literal && !host.empty()) {
            // what the macro SSL_set_tlsext_host_name does, which casts in C's style; the name is copied
            if (SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                         const_cast<char*>(host.c_str())) != 1) {
                return false;
            }
        }
        if (context_->verify != tls_verification::full) return true;
        X509_VERIFY_PARAM* const check = SSL_get0_param(ssl_.get());
        X509_VERIFY_PARAM_set_hostflags(check, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (!not_literal) return X509_VERIFY_PARAM_set1_ip_asc(check, host.c_str()) == 1;
        return !host.empty() && X509_VERIFY_PARAM_set1_host(check, host.data(), host.size()) == 1;
    }

    void begin() noexcept {
        dry_ = false;
        ERR_clear_error();
    }

    // Up to a record's worth of contiguous bytes from `part` and `offset` on: in place where they are, else collected.
    static std::string_view next_piece(std::span<const std::string_view> from, std::size_t part,
                                       std::size_t offset) noexcept {
        if (part == from.size()) return {};
        const std::string_view first = from[part].substr(offset);
        if (first.size() >= record_size_max) return first.substr(0, record_size_max);
        if (part + 1 == from.size()) return first;
        static thread_local std::array<char, record_size_max> collected;
        std::size_t size = 0;
        for (; part != from.size() && size != collected.size(); ++part, offset = 0) {
            const std::string_view more = from[part].substr(offset, collected.size() - size);
            std::memcpy(collected.data() + size, more.data(), more.size());
            size += more.size();
        }
        return {collected.data(), size};
    }

    // Why a call of OpenSSL did not do all.
    io_result stopped(int returned) noexcept {
        switch (SSL_get_error(ssl_.get(), returned)) {
            case SSL_ERROR_WANT_READ: return {0, would_block(), read_waits_for_};
            case SSL_ERROR_WANT_WRITE: return {0, would_block(), write_waits_for_};
            case SSL_ERROR_ZERO_RETURN: return {0, asio::error::eof};
            default: break;
        }
        // Without close_notify, too, the end is the end: MQTT says by itself where its packets end.
        error_ = below_ ? below_ : explain();
        return {0, error_};
    }

    io_result failed_below(io_result below) noexcept {
        if (below.failed()) error_ = below.error;
        return below;
    }

    error_code explain() noexcept {
        if (rejection_) {
            ERR_clear_error();
            return rejection_;
        }
        const bool in_handshake = SSL_is_init_finished(ssl_.get()) != 1;
        if (in_handshake) context_->forget_session(host_);  // whatever it was: without it the next one is a full one
        const unsigned long last = ERR_peek_error();
        const int reason = ERR_GET_REASON(last);
        const bool is_alert = ERR_GET_LIB(last) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET;
        const char* const text = ERR_reason_error_string(last);
        failure_ = text != nullptr ? text : "unknown reason";
        ERR_clear_error();
        if (reason == SSL_R_WRONG_VERSION_NUMBER) failure_ += ": the peer does not seem to speak TLS";
        const int alert = is_alert ? reason - SSL_AD_REASON_OFFSET : 0;
        // Before TLS 1.3 there is no alert for it: handshake_failure, or one about a certificate that nobody has shown.
        const bool shows_nothing = is_asked_ && SSL_get_certificate(ssl_.get()) == nullptr;
        if ((alert == certificate_required && !context_->is_server) ||
            (shows_nothing && (alert == SSL_AD_HANDSHAKE_FAILURE || is_about_us(alert)))) {
            failure_ = "certificate_file and key_file of tls_options bring one";
            return errc::tls_certificate_required;
        }
        if (is_about_us(alert)) return errc::tls_peer_refused;
        return in_handshake ? errc::tls_handshake_failed : errc::tls_failed;
    }

    // The server wants to know who we are: a client's callback comes with its CertificateRequest.
    static int on_certificate_request(SSL*, void* self) noexcept {
        static_cast<tls_transport*>(self)->is_asked_ = true;
        return 1;
    }

    // -- the layer below, as OpenSSL sees it

    static int below_read(BIO* bio, char* into, std::size_t size, std::size_t* count) noexcept {
        auto& self = *static_cast<tls_transport*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        *count = 0;
        if (!self.dry_) {
            const io_result got = self.inner_->read_some({into, size});
            self.read_waits_for_ = got.wait_for;
            self.dry_ = got.blocked();
            *count = got.bytes;
            if (got.bytes != 0) return 1;
            if (got.failed()) self.below_ = got.error;
            if (!got.blocked()) return 0;
        }
        BIO_set_retry_read(bio);
        return 0;
    }

    static int below_write(BIO* bio, const char* from, std::size_t size, std::size_t* count) noexcept {
        auto& self = *static_cast<tls_transport*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        const std::array<std::string_view, 1> whole{std::string_view(from, size)};
        const io_result put = self.inner_->write_some(whole);
        self.write_waits_for_ = put.wait_for;
        *count = put.bytes;
        if (put.bytes != 0) return 1;
        if (put.blocked()) {
            BIO_set_retry_write(bio);
        } else {
            self.below_ = put.error;
        }
        return 0;
    }

    static long below_control(BIO* bio, int command, long, void*) noexcept {
        const auto& self = *static_cast<const tls_transport*>(BIO_get_data(bio));
        if (command == BIO_CTRL_EOF) return self.below_ == asio::error::eof ? 1 : 0;
        return command == BIO_CTRL_FLUSH ? 1 : 0;
    }

    // Made once and kept: OpenSSL frees its own things at exit, and a method must outlive its last BIO.
    static const BIO_METHOD* method() noexcept {
        static BIO_METHOD* const made = [] {
            BIO_METHOD* const m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "martlet transport");
            if (m == nullptr) return m;
            BIO_meth_set_read_ex(m, below_read);
            BIO_meth_set_write_ex(m, below_write);
            BIO_meth_set_ctrl(m, below_control);
            return m;
        }();
        return made;
    }

    std::shared_ptr<openssl_context> context_;
    std::unique_ptr<transport> inner_;
    ssl_ptr ssl_;
    std::string host_;
    std::string failure_;
    std::string psk_identity_;
    error_code rejection_;  // why the peer's certificate was not accepted
    error_code below_;      // what broke the layer below
    error_code error_;      // what ended this one
    direction read_waits_for_ = direction::read;
    direction write_waits_for_ = direction::write;
    bool is_asked_ = false;  // for a certificate of ours
    bool dry_ = false;       // the layer below has said that there is nothing more, in this call
};

}  // namespace

std::unique_ptr<transport> openssl_context::wrap(std::unique_ptr<transport> inner, std::string_view host) {
    auto made = std::make_unique<tls_transport>(shared_from_this(), std::move(inner),
                                                server_name.empty() ? std::string(host) : server_name);
    if (!made->start()) return nullptr;
    return made;
}

}  // namespace martlet::net

namespace martlet {
bool has_tls() noexcept { return true; }
}  // namespace martlet
