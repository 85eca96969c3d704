// Completion as the shells themselves do it, from scripts that come from the table of options.
#include "e2e/cli_tools.hpp"

#include <string>

using namespace martlet::test;
using namespace std::string_literals;

namespace {

/// The scripts of all shells, freshly made.
struct scripts {
    scratch_folder folder;
    scripts() { REQUIRE(run({martlet_tool(), "completion", "--dir", folder.path("")}).status == 0); }
};

std::string shell_or_skip(const char* name) {
    std::string found = find_program(name);
    if (found.empty()) MESSAGE("SKIPPED: " << name << " is not installed");
    return found;
}

// An interactive zsh on a terminal of its own: each line is typed, then Tab, then a key that shows what has become of it.
constexpr std::string_view zsh_driver = R"(
zmodload zsh/zpty
folder=$1; shift
zpty inner zsh -f -i
zpty -w inner "PS1= PS2= RPS1=; stty -echo; fpath=($folder \$fpath); autoload -Uz compinit; compinit -u -D"
zpty -w inner "zstyle ':completion:*' verbose no; setopt no_beep no_list_ambiguous"
zpty -w inner 'show() { print -r -- "<""$BUFFER"">"; BUFFER=; }; zle -N show'
zpty -w inner 'bindkey "^X" show; bindkey "^I" complete-word; print "rea""dy"'
zpty -r inner text '*ready*' || exit
for line in "$@"; do
    zpty -w -n inner "$line"$'\t\x18'
    zpty -r inner text '*<*>*' || exit
    text=${text##*<}
    print -r -- "${text%%>*}|"
done
zpty -d inner
)";

}  // namespace

TEST_CASE("completion: in a real bash") {
    const std::string bash = shell_or_skip("bash");
    if (bash.empty()) return;
    const scripts made;
    const auto complete = [&](const std::string& words, int at) {
        const std::string script = "source " + made.folder.path("martlet.bash") + "; COMP_WORDS=(" + words +
                                   "); COMP_CWORD=" + std::to_string(at) +
                                   "; _martlet; printf '%s\\n' \"${COMPREPLY[@]}\"";
        return run({bash, "--norc", "-c", script});
    };
    CHECK(complete("martlet re", 1).out == "retained\nrecord\nreplay\n");
    CHECK(complete("martlet be", 1).out == "bench\n");
    CHECK(complete("martlet sub --ret", 2).out ==
          "--retain-as-published\n--retain-handling\n--retained-only\n--retry\n");
    CHECK(complete("martlet pub -q ''", 3).out == "0\n1\n2\n");
    CHECK(complete("martlet bench run fan", 3).out == "fan-in\nfan-out\n");
    CHECK(complete("martlet bench run conn --mode ''", 5).out == "hold\nstorm\nchurn\n");
    CHECK(complete("martlet retained d", 2).out == "dump\n");
    CHECK(complete("martlet help do", 2).out == "doctor\n");
    CHECK(complete("martlet pub --no-such", 2).out == "\n");
    CHECK(complete("martlet sub --ret", 2).err == "");
}

TEST_CASE("completion: in a real zsh") {
    const std::string zsh = shell_or_skip("zsh");
    if (zsh.empty()) return;
    const scripts made;
    const std::string driver = made.folder.file("driver.zsh", zsh_driver);
    const run_result r = run({find_program("env"), "TERM=dumb", zsh, "-f", driver, made.folder.path(""), "martlet doc",
                              "martlet sub --retain-ha", "martlet bench run conn --mode ch", "martlet retained du",
                              "martlet check --asse", "martlet help doc", "martlet sub --no-such"});
    CHECK(r.out ==
          "martlet doctor |\nmartlet sub --retain-handling |\nmartlet bench run conn --mode churn |\n"
          "martlet retained dump |\nmartlet check --assert |\nmartlet help doctor |\nmartlet sub --no-such|\n");
    CHECK(r.status == 0);
}

TEST_CASE("completion: in a real fish") {
    const std::string fish = shell_or_skip("fish");
    if (fish.empty()) return;
    const scripts made;
    const std::string home = made.folder.path("home");  // fish writes there
    const auto complete = [&](const std::string& line) {
        const run_result r =
            run({find_program("env"), "HOME=" + home, "XDG_CONFIG_HOME=" + home, fish, "--no-config", "-c",
                 "source " + made.folder.path("martlet.fish") + "; complete -C '" + line + "' | string split -f1 \\t"});
        CHECK(r.err == "");
        return r.out;
    };
    CHECK(complete("martlet re") == "record\nreplay\nretained\n");
    CHECK(complete("martlet sub --ret") == "--retained-only\n--retain-as-published\n--retain-handling\n--retry\n");
    CHECK(complete("martlet pub -q ") == "0\n1\n2\n");
    CHECK(complete("martlet bench run conn --mode ") == "churn\nhold\nstorm\n");
    CHECK(complete("martlet retained du") == "dump\n");
    CHECK(complete("martlet help doc") == "doctor\n");
    CHECK(complete("martlet pub --no-such") == "");
}

TEST_CASE("completion: a shell that is not known") {
    CHECK(run({martlet_tool(), "completion", "powershell"}).status == 1);
}
