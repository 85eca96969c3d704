# statements-3.1.1.tsv, statements-5.0.tsv, untested.tsv and doctest's XML report to docs/conformance.md (`page`) and a
# list of what is wrong on standard error. For any POSIX awk.
BEGIN { FS = "\t" }

function complain(text) {
    print "conformance: " text > "/dev/stderr"
    faults++
}

function plain(text) {
    gsub(/&quot;/, "\"", text)
    gsub(/&apos;/, "'", text)
    gsub(/&lt;/, "<", text)
    gsub(/&gt;/, ">", text)
    gsub(/&amp;/, "\\&", text)
    return text
}

function markdown(text) {
    gsub(/[|*<`]/, "\\\\&", text)
    return text
}

function attribute(line, name) {
    if (!match(line, " " name "=\"[^\"]*\"")) return ""
    return plain(substr(line, RSTART + length(name) + 3, RLENGTH - length(name) - 4))
}

# --- statements: id, role, area, summary

FILENAME ~ /statements-/ {
    if (FNR == 1) next
    id = version "/" $1
    if (id in role) complain(id " stands twice in the list")
    role[id] = $2
    summary[id] = $4
    order[version, ++count[version]] = id
    next
}

# --- untested: id, version, reason

FILENAME ~ /untested/ {
    if (FNR == 1 || $0 == "") next
    id = $2 "/" $1
    if (!(id in role)) complain("untested.tsv names " id ", which does not exist")
    if ($3 == "") complain(id " is untested without a reason")
    reason[id] = $3
    if (++reasons > 12) complain("untested.tsv is longer than 12 statements")
    next
}

# --- the report of doctest

/<TestCase / {
    name = attribute($0, "name")
    file = attribute($0, "filename")
    sub(/.*\//, "", file)
    sub(/_test\.cpp$/, "", file)
    next
}

/<OverallResultsAsserts .*test_case_success=/ {
    passed = attribute($0, "test_case_success") == "true"
    if (!passed) complain("fails: " name)
    if (attribute($0, "successes") + attribute($0, "failures") == 0) complain("asserts nothing: " name)
    colon = index(name, ": ")
    n = split(substr(name, 1, colon - 1), ids, " ")
    if (colon == 0 || n == 0) complain("names no statement: " name)
    title = markdown(file ": " substr(name, colon + 2))
    for (i = 1; i <= n; i++) {
        id = ids[i]
        if (!(id in role)) {
            complain("no such statement, " id ": " name)
            continue
        }
        if (id in reason) complain(id " has a test and stands in untested.tsv")
        if (id in tests) tests[id] = tests[id] "<br>" title
        else tests[id] = title
        failed[id] += !passed
    }
    cases++
    next
}

# --- the page

function chapter_of(id) {
    sub(/^.*MQTT-/, "", id)
    sub(/\..*/, "", id)
    return id
}

function tally(version,    i, id) {
    for (i = 1; i <= count[version]; i++) {
        id = order[version, i]
        if (id in tests && !failed[id]) {
            shown[version]++
        } else if (id in reason) {
            excused[version]++
        } else if (!(id in tests)) {
            complain(id " has neither a test nor a reason: " summary[id])
        }
    }
}

function print_version(version,    i, id, chapter, last, result) {
    for (i = 1; i <= count[version]; i++) {
        id = order[version, i]
        chapter = chapter_of(id)
        if (chapter != last) {
            printf "\n## MQTT %s, chapter %s\n\n| statement | role | what it says | shown by | result |\n|---|---|---|---|---|\n",
                version, chapter > page
            last = chapter
        }
        if (id in tests) {
            result = failed[id] ? "**fails**" : "passes"
            how = tests[id]
        } else {
            result = id in reason ? "not tested" : "**no test**"
            how = id in reason ? markdown(reason[id]) : ""
        }
        printf "| %s | %s | %s | %s | %s |\n", substr(id, index(id, "/") + 1), role[id], markdown(summary[id]), how, result > page
    }
}

END {
    if (cases == 0) complain("no test has run")
    tally("3.1.1")
    tally("5.0")
    print "# Conformance" > page
    print "" > page
    print "Every normative statement of MQTT 3.1.1 and 5.0, in our own words, with the tests that show it. Made by" > page
    print "`scripts/conformance` from the names and results of the cases in `tests/conformance`; the test" > page
    print "`conformance_table` fails when this page is stale, when a statement has neither a test nor a reason in" > page
    print "`tests/conformance/untested.tsv`, and when a case names a statement that does not exist. All cases run on links in" > page
    print "memory with a virtual clock, against the same engines that client and broker consist of." > page
    print "" > page
    print "| version | statements | with passing tests | not tested, with a reason |" > page
    print "|---|---:|---:|---:|" > page
    printf "| 3.1.1 | %d | %d | %d |\n", count["3.1.1"], shown["3.1.1"], excused["3.1.1"] > page
    printf "| 5.0 | %d | %d | %d |\n", count["5.0"], shown["5.0"], excused["5.0"] > page
    print_version("3.1.1")
    print_version("5.0")
    exit faults != 0
}
