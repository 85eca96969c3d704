#include "auth/scram.hpp"

#include "auth/base64.hpp"

#include <martlet/scram.hpp>
#include <martlet/topic.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

namespace martlet::auth_impl {

namespace {

constexpr std::string_view gs2_header = "n,,";          // no channel binding, no other identity
constexpr std::string_view gs2_header_base64 = "biws";  // the same
constexpr std::size_t nonce_size_max = 1024;
constexpr std::uint32_t offered_iterations_min = 4'096;  // RFC 7677 §4
constexpr std::uint32_t offered_iterations_max = 1'000'000;
constexpr std::uint32_t made_up_iterations = 32'768;

/// Takes "x=value" and the comma behind it from `text`.
std::optional<std::string_view> take_attribute(std::string_view& text, char name) noexcept {
    if (text.size() < 2 || text[0] != name || text[1] != '=') return std::nullopt;
    const std::size_t comma = text.find(',');
    const std::string_view value = text.substr(2, comma == std::string_view::npos ? comma : comma - 2);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    return value;
}

bool is_nonce(std::string_view text) noexcept {
    return !text.empty() && text.size() <= nonce_size_max &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x21 && c <= 0x7E && c != ','; });
}

std::string escape_name(std::string_view name) {
    std::string out;
    for (const char c : name) {
        if (c == ',') {
            out += "=2C";
        } else if (c == '=') {
            out += "=3D";
        } else {
            out += c;
        }
    }
    return out;
}

std::optional<std::string> unescape_name(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '=') {
            out += text[at];
            continue;
        }
        const std::string_view code = text.substr(at, 3);
        if (code != "=2C" && code != "=3D") return std::nullopt;
        out += code == "=2C" ? ',' : '=';
        at += 2;
    }
    if (out.empty() || !is_valid_utf8_string(out)) return std::nullopt;
    return out;
}

std::string exclusive_or(std::string a, std::string_view b) {
    for (std::size_t i = 0; i < a.size(); ++i)
        a[i] = static_cast<char>(a[i] ^ b[i]);
    return a;
}

}  // namespace

std::string_view scram_method(hash_function f) noexcept {
    return f == hash_function::sha_256 ? "SCRAM-SHA-256" : "SCRAM-SHA-512";
}

std::optional<hash_function> scram_function(std::string_view method) noexcept {
    for (const auto f : {hash_function::sha_256, hash_function::sha_512}) {
        if (method == scram_method(f)) return f;
    }
    return std::nullopt;
}

// ---- client

scram_client::scram_client(hash_function f, std::string user, std::string password, std::string nonce)
    : function_(f), user_(std::move(user)), password_(std::move(password)), nonce_(std::move(nonce)) {}

std::string scram_client::first() const { return std::string(gs2_header) + "n=" + escape_name(user_) + ",r=" + nonce_; }

std::optional<std::string> scram_client::final(std::string_view server_first) {
    std::string_view rest = server_first;
    const auto nonce = take_attribute(rest, 'r');  // an extension "m=" in front of it fails here, as it must
    const auto salt_text = nonce ? take_attribute(rest, 's') : std::nullopt;
    const auto count = salt_text ? take_attribute(rest, 'i') : std::nullopt;
    if (!count || !is_nonce(*nonce) || !nonce->starts_with(nonce_) || nonce->size() == nonce_.size()) {
        return std::nullopt;
    }
    const auto salt = from_base64(*salt_text);
    std::uint32_t iterations = 0;
    const auto [end, error] = std::from_chars(count->data(), count->data() + count->size(), iterations);
    if (!salt || salt->empty() || error != std::errc() || end != count->data() + count->size() ||
        iterations < offered_iterations_min || iterations > offered_iterations_max) {
        return std::nullopt;
    }

    const std::string without_proof = "c=" + std::string(gs2_header_base64) + ",r=" + std::string(*nonce);
    const std::string message =
        first().substr(gs2_header.size()) + ',' + std::string(server_first) + ',' + without_proof;
    const auto f = function_;
    std::string salted = salted_password(f, password_, *salt, iterations);
    std::string client_key = hmac(f, salted, "Client Key");
    const std::string proof = exclusive_or(client_key, hmac(f, digest(f, client_key), message));
    server_signature_ = hmac(f, hmac(f, salted, "Server Key"), message);
    wipe(salted);
    wipe(client_key);
    return without_proof + ",p=" + to_base64(proof);
}

bool scram_client::verify(std::string_view server_final) {
    const auto signature = take_attribute(server_final, 'v');
    const auto bytes = signature ? from_base64(*signature) : std::nullopt;
    const std::string expected = std::exchange(server_signature_, {});
    return bytes && !expected.empty() && equal_in_constant_time(*bytes, expected);
}

// ---- server

bool scram_server::start(std::string_view client_first) {
    // "y" says that the client could bind channels and thinks that we cannot, which is right.
    if (!client_first.starts_with("n,") && !client_first.starts_with("y,")) return false;
    const std::string_view behind = client_first.substr(2);
    if (!behind.starts_with(',')) return false;  // "a=": another identity
    first_bare_ = behind.substr(1);
    std::string_view rest = first_bare_;
    const auto name = take_attribute(rest, 'n');
    const auto nonce = name ? take_attribute(rest, 'r') : std::nullopt;
    auto user = nonce ? unescape_name(*name) : std::nullopt;
    if (!user || !is_nonce(*nonce)) return false;
    user_ = std::move(*user);
    nonce_ = *nonce;
    gs2_header_ = client_first.substr(0, 3);
    return true;
}

std::string scram_server::challenge(const password_hash& verifier, std::string_view nonce) {
    verifier_ = verifier;
    nonce_ += nonce;
    server_first_ = "r=" + nonce_ + ",s=" + to_base64(verifier.salt) + ",i=" + std::to_string(verifier.iterations);
    return server_first_;
}

std::optional<std::string> scram_server::finish(std::string_view client_final) const {
    std::string_view rest = client_final;
    const auto binding = take_attribute(rest, 'c');
    const auto nonce = binding ? take_attribute(rest, 'r') : std::nullopt;
    const std::size_t proof_at = client_final.rfind(",p=");
    if (!nonce || server_first_.empty() || proof_at == std::string_view::npos) return std::nullopt;
    const auto proof = from_base64(client_final.substr(proof_at + 3));
    const auto f = *scram_function(verifier_.scheme);
    if (*binding != to_base64(gs2_header_) || *nonce != nonce_ || !proof || proof->size() != digest_size(f)) {
        return std::nullopt;
    }

    const std::string message = first_bare_ + ',' + server_first_ + ',' + std::string(client_final.substr(0, proof_at));
    const std::string client_key = exclusive_or(*proof, hmac(f, verifier_.digest, message));
    if (!equal_in_constant_time(digest(f, client_key), verifier_.digest)) return std::nullopt;
    return "v=" + to_base64(hmac(f, verifier_.server_key, message));
}

password_hash made_up_verifier(hash_function f, std::string_view user, std::string_view secret) {
    password_hash made_up;
    made_up.scheme = f == hash_function::sha_256 ? password_scheme::scram_sha_256 : password_scheme::scram_sha_512;
    made_up.iterations = made_up_iterations;
    made_up.salt = hmac(f, secret, "salt:" + std::string(user)).substr(0, 16);
    made_up.digest = hmac(f, secret, "stored:" + std::string(user));
    made_up.server_key = hmac(f, secret, "server:" + std::string(user));
    return made_up;
}

}  // namespace martlet::auth_impl

namespace martlet {

namespace {

using namespace auth_impl;

class scram_authentication final : public enhanced_authentication {
public:
    scram_authentication(hash_function f, std::string user, std::string password)
        : function_(f), user_(std::move(user)), password_(std::move(password)) {}
    ~scram_authentication() override { wipe(password_); }

    [[nodiscard]] std::string_view method() const noexcept override { return scram_method(function_); }

    [[nodiscard]] std::string begin() override {
        exchange_.emplace(function_, user_, password_, to_base64(random_bytes(18)));
        return exchange_->first();
    }

    [[nodiscard]] std::optional<std::string> respond(std::string_view data) override {
        return exchange_ ? exchange_->final(data) : std::nullopt;
    }

    [[nodiscard]] bool finish(std::string_view data) override {
        const bool proved = exchange_ && exchange_->verify(data);
        exchange_.reset();
        return proved;
    }

private:
    hash_function function_;
    std::string user_;
    std::string password_;
    std::optional<scram_client> exchange_;
};

}  // namespace

std::shared_ptr<enhanced_authentication> scram_sha_256(std::string user, std::string password) {
    return std::make_shared<scram_authentication>(hash_function::sha_256, std::move(user), std::move(password));
}

std::shared_ptr<enhanced_authentication> scram_sha_512(std::string user, std::string password) {
    return std::make_shared<scram_authentication>(hash_function::sha_512, std::move(user), std::move(password));
}

}  // namespace martlet
