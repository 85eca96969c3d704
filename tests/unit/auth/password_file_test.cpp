// Password files on disk: what is read, what is refused, and that writing is all or nothing.
#include "support/temporary_folder.hpp"

#include <martlet/password_file.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <sys/stat.h>

using namespace martlet;

namespace {

constexpr const char* joe =
    "joe:$7$101$gPQY3S7hz5mPndOu$mrT535VUwT5NVrrsQ4LMltBSlQ3hZv8tH7XeFibbpTkBidvGsa/"
    "A26DQNs0/Wm7yj6N8RZ7otr7BAbzElVW7kw==\n";

unsigned mode_of(const std::string& path) {
    struct stat about {};
    REQUIRE(::stat(path.c_str(), &about) == 0);
    return about.st_mode & 07777;
}

}  // namespace

TEST_CASE("password_file: comments, blank lines and Windows' line ends are passed over") {
    const test::temporary_folder folder;
    std::string text = std::string("# users\r\n\r\n") + joe;
    text.insert(text.size() - 1, "\r");
    password_file file;
    std::string why;

    REQUIRE_MESSAGE(file.read(folder.write("users", text), why), why);
    CHECK(file.size() == 1);
    CHECK(file.users().begin()->first == "joe");
}

TEST_CASE("password_file: what is wrong is said with file and line, and changes nothing") {
    const test::temporary_folder folder;
    password_file file;
    std::string why;
    REQUIRE(file.read(folder.write("good", joe), why));
    const auto refused = [&](std::string_view text, unsigned mode = 0600) {
        const std::string path = folder.write("users", text, mode);
        why.clear();
        CHECK_FALSE(file.read(path, why));
        CHECK(file.size() == 1);
        CHECK(why.starts_with(path));
        return why.substr(path.size());
    };

    CHECK(refused(std::string(joe) + "ann\n") == ":2: a line is \"user:hash\"");
    CHECK(refused(":x\n") == ":1: the user name is empty or holds a control character");
    CHECK(refused("a\tb:x\n") == ":1: the user name is empty or holds a control character");
    CHECK(refused("ann:secret\n") ==
          ":1: the hash of user 'ann' is of no known form ($6$, $7$, $argon2id$, SCRAM-SHA-256$)");
    CHECK(refused(std::string(joe) + joe) == ":2: user 'joe' is there twice");
    CHECK(refused(joe, 0604) == ": everybody may read it (chmod o-r)");
    CHECK(refused(joe, 0660) == ": others than its owner may write it (chmod go-w)");
    why.clear();
    CHECK_FALSE(file.read(folder.path("missing"), why));
    CHECK(why == folder.path("missing") + ": No such file or directory");
    CHECK_FALSE(file.read(folder.path("."), why));
    CHECK(why.ends_with(": is not a file"));
}

TEST_CASE("password_file: what is written is 0600 and is read again") {
    const test::temporary_folder folder;
    password_file file;
    std::string why;
    REQUIRE(file.set("joe", "secret", password_scheme::pbkdf2_sha512, 1'000));
    REQUIRE(file.set("ann", "", password_scheme::sha512));
    REQUIRE_MESSAGE(file.write(folder.path("users"), why), why);
    CHECK(mode_of(folder.path("users")) == 0600);

    password_file again;
    REQUIRE_MESSAGE(again.read(folder.path("users"), why), why);
    CHECK(again.users() == file.users());
    CHECK(again.erase("joe"));
    CHECK_FALSE(again.erase("joe"));
    REQUIRE(again.write(folder.path("users"), why));
    CHECK(folder.read("users").starts_with("ann:$6$"));
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path(".")), {}) == 1);  // nothing unfinished
}

TEST_CASE("password_file: a file that cannot be written stays as it was") {
    const test::temporary_folder folder;
    password_file file;
    std::string why;
    CHECK_FALSE(file.write(folder.path("no/such/folder"), why));
    CHECK(why == folder.path("no/such/folder") + ": No such file or directory");
}

TEST_CASE("password_file: user names are UTF-8 without colon and control characters") {
    password_file file;
    for (const std::string_view name : {"", "a:b", "a\nb", "\x7F", "\xFF"}) {
        CAPTURE(name);
        CHECK_FALSE(file.set(name, "x", password_scheme::sha512));
    }
    CHECK(file.set("J\xC3\xBCrgen Mayer", "x", password_scheme::sha512));
}

TEST_CASE("password_file: plain passwords are hashed, but never twice") {
    const test::temporary_folder folder;
    password_file file;
    std::string why;
    REQUIRE_MESSAGE(file.read_plain(folder.write("plain", "joe:secret\nann:a:b\n"), password_scheme::sha512, why), why);
    CHECK(file.users().at("joe").starts_with("$6$"));
    REQUIRE(file.write(folder.path("users"), why));

    CHECK_FALSE(file.read_plain(folder.path("users"), password_scheme::sha512, why));
    CHECK(why == folder.path("users") + ":1: the password of user 'ann' is hashed already");
}
