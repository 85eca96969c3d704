// Each form of hash against passwords that other programs have hashed, and what is no hash.
#include "auth/password_hash.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace martlet;
using namespace martlet::auth_impl;

TEST_CASE("password_hash: what mosquitto_passwd, the argon2 tool and RFC 7677 have made") {
    struct sample {
        std::string_view hash;
        std::string_view password;
    };
    // mosquitto_passwd 2.0.11 -H sha512 and without; argon2's own test vectors (256 KiB, 2 passes); RFC 7677's user.
    const sample samples[] = {
        {"$6$Wh1KQVALowm97Ziz$piJFTLzTuqMxbuzV/+ooREUhu8Yjc/md/"
         "u8sdXFS2UhNAFtuu0fvSjemvtDuTrZvhrJHRmHkoF1TFxzbGVNMjA==",
         "secret"},
        {"$7$101$gPQY3S7hz5mPndOu$mrT535VUwT5NVrrsQ4LMltBSlQ3hZv8tH7XeFibbpTkBidvGsa/"
         "A26DQNs0/Wm7yj6N8RZ7otr7BAbzElVW7kw==",
         "pa:ss"},
        {"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"},
        {"SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
         "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
         "pencil"},
    };
    for (const sample& s : samples) {
        CAPTURE(s.hash);
        const auto hash = parse_password_hash(s.hash);
        REQUIRE(hash);
        CHECK(to_string(*hash) == s.hash);
        CHECK(verify(*hash, s.password));
        CHECK_FALSE(verify(*hash, std::string(s.password) + 'x'));
        CHECK_FALSE(verify(*hash, ""));
        CHECK_FALSE(verify(unmatchable(*hash), s.password));
    }
}

TEST_CASE("password_hash: what is made is read again, with another salt each time") {
    for (const auto scheme : {password_scheme::argon2id, password_scheme::pbkdf2_sha512, password_scheme::sha512,
                              password_scheme::scram_sha_256, password_scheme::scram_sha_512}) {
        const std::string text = make_password_hash("p", scheme, 1'000);
        CAPTURE(text);
        const auto hash = parse_password_hash(text);
        REQUIRE(hash);
        CHECK(hash->scheme == scheme);
        CHECK(verify(*hash, std::string_view("p")));
        CHECK(make_password_hash("p", scheme, 1'000) != text);
    }
}

TEST_CASE("password_hash: what is no hash, or costs too much") {
    for (const std::string_view text :
         {"", "secret", "$5$AAAA$AAAA", "$6$$", "$6$AAAA", "$6$AAAA$AAAA", "$6$A*AA$AAAA", "$7$0$AAAA$AAAA",
          "$7$x$AAAA$AAAA",
          "$7$10000001$gPQY3S7hz5mPndOu$mrT535VUwT5NVrrsQ4LMltBSlQ3hZv8tH7XeFibbpTkBidvGsa/"
          "A26DQNs0/Wm7yj6N8RZ7otr7BAbzElVW7kw==",
          "$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
          "$argon2id$v=19$m=1048577,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
          "$argon2id$v=19$m=7,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
          "$argon2id$v=19$m=256,t=2,p=1$c29t$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
          "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
          "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d:wfPL", "SCRAM-SHA-1$4096:AAAA$AAAA:AAAA"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_password_hash(text));
    }
}
