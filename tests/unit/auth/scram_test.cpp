// SCRAM: the example of RFC 7677, the same with SHA-512, and what each end refuses.
#include "auth/scram.hpp"

#include "auth/base64.hpp"

#include <martlet/scram.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace martlet;
using namespace martlet::auth_impl;

namespace {

// RFC 7677 §3
constexpr std::string_view client_nonce = "rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view server_nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
constexpr std::string_view client_first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view server_first =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr std::string_view client_final =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
constexpr std::string_view server_final = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
constexpr std::string_view verifier_text =
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

// The same exchange with SHA-512, computed with Python's hashlib and hmac; there is no published example.
constexpr std::string_view client_final_512 =
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p="
    "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==";
constexpr std::string_view server_final_512 =
    "v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==";
constexpr std::string_view verifier_text_512 =
    "SCRAM-SHA-512$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
    "6AAub3065EYRmyFpM2RNwqK+eGnrkYuEWbXn19LsEmBqzu8QaCXNc1FwpnX9NhH2hK/60dzj9DoO5DvVkOHbvg==:"
    "jZHbYjC1aHh0/hKbxyBuGFjDrgjgKTT1esA7awWiKcRZ0o/0b1yWEebBeSVkkCFewf91nLDfKF24mvD5nmE6rA==";

scram_client rfc_client(std::string password = "pencil", hash_function f = hash_function::sha_256) {
    return {f, "user", std::move(password), std::string(client_nonce)};
}

scram_server rfc_server() {
    scram_server server;
    REQUIRE(server.start(client_first));
    static_cast<void>(server.challenge(*parse_password_hash(verifier_text), server_nonce));
    return server;
}

}  // namespace

TEST_CASE("scram: the client's half of RFC 7677's example") {
    scram_client client = rfc_client();

    CHECK(client.first() == client_first);
    CHECK(client.final(server_first) == client_final);
    CHECK(client.verify(server_final));
    CHECK_FALSE(client.verify(server_final));  // once
}

TEST_CASE("scram: the server's half of RFC 7677's example") {
    scram_server server;
    REQUIRE(server.start(client_first));

    CHECK(server.user() == "user");
    CHECK(server.challenge(*parse_password_hash(verifier_text), server_nonce) == server_first);
    CHECK(server.finish(client_final) == server_final);
}

TEST_CASE("scram: both halves with SHA-512") {
    scram_client client = rfc_client("pencil", hash_function::sha_512);
    scram_server server;
    REQUIRE(server.start(client.first()));

    CHECK(server.challenge(*parse_password_hash(verifier_text_512), server_nonce) == server_first);
    CHECK(client.final(server_first) == client_final_512);
    CHECK(server.finish(client_final_512) == server_final_512);
    CHECK_FALSE(server.finish(client_final));  // SHA-256's
    CHECK(client.verify(server_final_512));
}

TEST_CASE("scram: a server accepts nothing but the right proof for its own nonce") {
    const scram_server server = rfc_server();

    CHECK_FALSE(server.finish(""));
    CHECK_FALSE(server.finish("c=biws,r=rOprNGfwEbeRWgbNEkqO,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
    std::string changed(client_final);
    changed[changed.size() - 10] ^= 1;
    CHECK_FALSE(server.finish(changed));
    changed = client_final;
    changed.replace(2, 4, "eSws");  // "y,,", which the client did not begin with
    CHECK_FALSE(server.finish(changed));
    CHECK_FALSE(server.finish(rfc_client("pencil2").final(server_first).value()));
    CHECK_FALSE(scram_server().finish(client_final));
}

TEST_CASE("scram: a server refuses malformed first messages, channel binding and other identities") {
    for (const std::string_view message :
         {"", "n", "n,", "n,,", "n,,n=,r=abc", "n,,n=user,r=", "n,,n=user", "n,,r=abc,n=user",
          "p=tls-exporter,,n=user,r=abc", "n,a=other,n=user,r=abc", "n,,m=ext,n=user,r=abc", "n,,n=us=er,r=abc",
          "n,,n=us=2Xer,r=abc", "n,,n=\xFF,r=abc", "n,,n=user,r=a\x01"}) {
        CAPTURE(message);
        CHECK_FALSE(scram_server().start(message));
    }
    scram_server server;
    REQUIRE(server.start("y,,n=a=2Cb=3Dc,r=abc"));
    CHECK(server.user() == "a,b=c");
}

TEST_CASE("scram: a client trusts no server with another nonce, few or endless iterations, or no salt") {
    for (const std::string_view message :
         {"", "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "r=other,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
          "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096", "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095",
          "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1000001",
          "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096x",
          "m=x,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "e=unknown-user"}) {
        CAPTURE(message);
        CHECK_FALSE(rfc_client().final(message));
    }
}

TEST_CASE("scram: a client notices a server that does not know the verifier") {
    for (const std::string_view message :
         {"", "v=", "v=AAAA", "e=invalid-proof", "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5="}) {
        CAPTURE(message);
        scram_client client = rfc_client();
        REQUIRE(client.final(server_first));
        CHECK_FALSE(client.verify(message));
    }
    CHECK_FALSE(rfc_client().verify(server_final));  // before its time
}

TEST_CASE("scram: the public client's end, against a server, again and again") {
    const auto exchange = [](enhanced_authentication& client, password_scheme scheme) {
        const auto hash = hash_password("p\xC3\xA4ssword", scheme, 4'096);
        REQUIRE(hash);
        std::string last_first;
        for (int i = 0; i < 2; ++i) {
            scram_server server;
            const std::string first = client.begin();
            CHECK(first != last_first);
            last_first = first;
            REQUIRE(server.start(first));
            CHECK(server.user() == "us,er=");
            const auto proof = client.respond(server.challenge(*hash, "more"));
            REQUIRE(proof);
            const auto signature = server.finish(*proof);
            REQUIRE(signature);
            CHECK(client.finish(*signature));
            CHECK_FALSE(client.finish(*signature));
        }
    };
    const auto client_256 = scram_sha_256("us,er=", "p\xC3\xA4ssword");
    CHECK(client_256->method() == "SCRAM-SHA-256");
    exchange(*client_256, password_scheme::scram_sha_256);
    const auto client_512 = scram_sha_512("us,er=", "p\xC3\xA4ssword");
    CHECK(client_512->method() == "SCRAM-SHA-512");
    exchange(*client_512, password_scheme::scram_sha_512);
}

TEST_CASE("scram: made-up verifiers look the same each time and fit nobody") {
    for (const auto f : {hash_function::sha_256, hash_function::sha_512}) {
        const password_hash a = made_up_verifier(f, "joe", "secret");
        CHECK(a.digest.size() == digest_size(f));
        CHECK(a.salt == made_up_verifier(f, "joe", "secret").salt);
        CHECK(a.salt != made_up_verifier(f, "ann", "secret").salt);
        CHECK(a.salt != made_up_verifier(f, "joe", "other").salt);
        CHECK_FALSE(verify(a, ""));
    }
}

TEST_CASE("base64: RFC 4648's examples, and nothing else") {
    for (const auto& [text, encoded] : {std::pair<std::string_view, std::string_view>{"", ""},
                                        {"f", "Zg=="},
                                        {"fo", "Zm8="},
                                        {"foo", "Zm9v"},
                                        {"foob", "Zm9vYg=="},
                                        {"fooba", "Zm9vYmE="}}) {
        CHECK(to_base64(text) == encoded);
        CHECK(from_base64(encoded) == text);
        std::string bare(encoded);
        bare.erase(bare.find_last_not_of('=') + 1);
        CHECK(to_base64(text, padding::without) == bare);
        CHECK(from_base64(bare, padding::without) == text);
    }
    for (const std::string_view wrong :
         {"Z", "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "Zm 9v", "Zm9v\n", "====", "Zm-v"}) {
        CAPTURE(wrong);
        CHECK_FALSE(from_base64(wrong));
    }
}
