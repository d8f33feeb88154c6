#!/usr/bin/env bats
# The commands on rules: those on files alone, which need no daemon; and those that ask one.
load ../support/outcall

setup()
{
    outcall_setup || return 1
    mkdir -p "$T/rules"
    cd "$T" || return 1
}

teardown()
{
    outcall_teardown
}

# offline ARGUMENTS...: the command where no daemon is; it must not even look for one.
offline()
{
    run --separate-stderr "$OUTCALL" --socket "$T/absent.sock" "$@"
}

good()
{
    cat >"$T/rules/$1" <<'END'
version: "1"

rules:
  # Reading is fine.
  - id: read
    condition: network.hostname == "github.com" && http.method == "GET"
    action: allow

  - id: broken
    condition: 1 / size(run.args) == 2
    action: block
    priority: 200
    reason: cannot tell
END
}

@test "C-001: rules check says where each problem is, for all files, and ends with 1" {
    printf 'version: "1"\nrules:\n  - id: a\n    condition: network.hostnam == "x"\n    action: allow\n  - id: b\n    condition: true &&\n    action: allow\n' >rules/a.yaml
    printf 'version: "1"\nrules:\n  - id: c\n    condition: "true"\n    action: maybe\n' >rules/b.yml
    offline rules check rules
    [ "$status" = 1 ]
    [ "${lines[0]}" = 'rules/a.yaml:4:16: rule "a": unknown variable "network.hostnam"; did you mean "network.hostname"?' ]
    [[ ${lines[1]} = 'rules/a.yaml:7:'*': rule "b": '* ]]
    [[ ${lines[2]} = 'rules/b.yml:5:13: '* ]]
    [ ${#lines[@]} = 3 ]
    [ "$stderr" = "outcall: 3 problems found" ]
    # The path is written as it was given.
    offline rules check ./rules/
    [[ ${lines[0]} = ./rules/a.yaml:4:16:* ]]
    offline rules check "$T/rules/b.yml"
    [[ ${lines[0]} = "$T/rules/b.yml:5:13: "* ]]
    [ "$stderr" = "outcall: 1 problem found" ]
    # A vim or emacs that knows compilers finds the place by file:line:column.
    offline rules check rules
    [ "$(grep -cE '^[^:]+:[0-9]+:[0-9]+: ' <<<"$output")" = 3 ]
}

@test "C-002: rules check of good files says how many" {
    good a.yaml
    offline rules check rules
    says "1 file, 2 rules: no problems."
    offline rules check rules rules/a.yaml
    says "2 files, 4 rules: no problems."
    run --separate-stderr bash -c '"$0" rules check - <rules/a.yaml' "$OUTCALL"
    says "1 file, 2 rules: no problems."
    offline --json rules check rules
    [ "$status" = 0 ]
    [ "$(jq -c '[.ok, .files, .rules, .problems]' <<<"$output")" = '[true,1,2,[]]' ]
}

@test "C-003: rules check as JSON" {
    printf 'rules: [\n' >rules/a.yaml
    offline --json rules check rules
    [ "$status" = 1 ]
    [ "$(jq -c '[.ok, .problems[0].file, .problems[0].line, .problems[0].warning]' <<<"$output")" = '[false,"rules/a.yaml",2,false]' ]
}

@test "C-004: a test in a file that comes out otherwise is a problem" {
    good a.yaml
    printf '\ntests:\n  - name: surprise\n    context: {network: {hostname: github.com}, http: {method: PUT}, run: {args: [a]}}\n    expect: allow\n' >>rules/a.yaml
    offline rules check rules
    [ "$status" = 1 ]
    [[ ${lines[0]} = rules/a.yaml:16:*surprise* ]]
}

@test "C-005: what cannot be read is a failure, an empty directory a warning" {
    offline rules check absent
    refuses 'cannot read "absent": No such file or directory'
    offline rules check rules
    [ "$status" = 0 ]
    [[ ${lines[0]} = "rules: warning: "* ]]
    [ "${lines[1]}" = "0 files, 0 rules: no problems, 1 warning." ]
    offline rules check
    [ "$status" = 2 ]
}

@test "C-006: rules test evaluates an expression" {
    offline rules test --expr 'network.port in [80, 443]' --context '{"network": {"port": 443}}'
    says true
    echo '{"network": {"port": 22}}' >context.json
    offline rules test --expr 'network.port in [80, 443]' --context @context.json
    says false
    run --separate-stderr bash -c '"$0" rules test --expr "network.port == 22" --context - <context.json' "$OUTCALL"
    says true
    offline --json rules test --expr 'network.hostname == ""'
    says '{"result":true}'
}

@test "C-007: rules test shows where an expression is wrong" {
    offline rules test --expr 'true && network.prt == 1'
    refuses 'expression:1:9: unknown variable "network.prt"; did you mean "network.port"?'
    [ "$(tail -n 2 <<<"$stderr")" = '  true && network.prt == 1
          ^' ]
    [ -z "$output" ]
    offline rules test --expr '1 / size(run.args) == 1'
    refuses_like 'expression:1:[0-9]+: division by zero'
    offline rules test --expr 'true' --context '{"network": {"port": "443"}}'
    refuses_like 'context: .*port.*'
    offline rules test --expr 'true' --context '{"network": '
    refuses_like 'context:1:[0-9]+: .*'
    offline rules test --expr 'true' --context @absent.json
    refuses 'cannot read "absent.json": No such file or directory'
}

@test "C-008: rules test asks rules, and explains" {
    good a.yaml
    offline rules test --rules rules --context '{"network": {"hostname": "github.com"}, "http": {"method": "GET"}}'
    [ "$output" = "decision: allow
rule:     read (a.yaml:5)
reason:   -" ]
    offline rules test --rules rules --context '{"network": {"hostname": "github.com"}, "run": {"args": ["x"]}}'
    [ "$status" = 0 ]
    [ "${lines[0]}" = "decision: block" ]
    [ "${lines[1]}" = "rule:     none matches, which blocks" ]
    offline rules test --rules rules/a.yaml --context '{"network": {"hostname": "github.com"}}' --explain
    says "decision: block"
    says "rule:     broken (a.yaml:9)"
    says "          it cannot be evaluated, and a block rule then blocks"
    says "reason:   cannot tell"
    says "           division by zero"
    says "  read (a.yaml:5, allow): 1 of 2 terms true"
    says '    false: http.method == "GET"'
    offline --json rules test --rules rules --explain
    [ "$(jq -c '[.decision, .matched_rule, .rule_error, .nearest[0].rule]' <<<"$output")" = '["block","broken",true,"read"]' ]
    offline --json rules test --rules rules
    [ "$output" = '{"decision":"block","matched_rule":"broken","file":"a.yaml","reason":"cannot tell","rule_error":true}' ]
    printf 'rules: x\n' >rules/b.yaml
    offline rules test --rules rules
    refuses "the rules cannot be loaded"
    [[ $stderr = *rules/b.yaml:1:* ]]
}

@test "C-009: rules fmt prints, checks, and writes" {
    printf '# kept\nversion:   "1"\nrules:\n- action: allow # why\n  id: a\n  condition: "true"\n' >x.yaml
    cat >expected <<'END'
# kept
version: "1"

rules:
  - id: a
    condition: "true"
    action: allow  # why
END
    cp x.yaml before
    offline rules fmt x.yaml
    [ "$status" = 0 ]
    [ "$output" = "$(cat expected)" ]
    cmp x.yaml before
    offline rules fmt --check x.yaml
    [ "$output" = x.yaml ]
    refuses "1 file is not formatted; see outcall rules fmt --write"
    cmp x.yaml before

    chmod 0640 x.yaml
    chown 1234:1235 x.yaml
    ln -s x.yaml link.yaml
    offline rules fmt -w link.yaml
    [ "$output" = link.yaml ]
    cmp x.yaml expected
    [ -L link.yaml ]
    [ "$(stat -c '%a %u %g' x.yaml)" = "640 1234 1235" ]
    [ "$(find . -name '.x.yaml*' | wc -l)" = 0 ]
    offline rules fmt --check x.yaml
    [ "$status" = 0 ]
    [ -z "$output" ]
    inode=$(stat -c %i x.yaml)
    offline rules fmt --write x.yaml
    [ -z "$output" ]
    [ "$(stat -c %i x.yaml)" = "$inode" ]

    run --separate-stderr bash -c '"$0" rules fmt - <before' "$OUTCALL"
    [ "$output" = "$(cat expected)" ]
    offline --json rules fmt --check x.yaml before
    [ "$status" = 1 ]
    [ "$(jq -c '[.files[] | [.file, .changed]]' <<<"$output")" = '[["x.yaml",false],["before",true]]' ]
}

@test "C-010: rules fmt of a directory goes on after a broken file, which stays as it is" {
    good a.yaml
    printf 'rules: [\n' >rules/b.yaml
    printf 'version:  "1"\n' >rules/c.yaml
    printf 'version:  "1"\n' >rules/ignored.txt
    offline rules fmt --write rules
    [ "$status" = 1 ]
    [ "$output" = rules/c.yaml ]
    [[ $stderr = rules/b.yaml:2:1:* ]]
    [ "$(cat rules/b.yaml)" = "rules: [" ]
    [ "$(cat rules/ignored.txt)" = 'version:  "1"' ]
    # A file in whose folder nothing can be made stays whole.
    mkdir locked
    printf 'version:  "1"\n' >locked/d.yaml
    chmod 0555 locked
    chown 65532 locked locked/d.yaml
    run --separate-stderr setpriv --reuid 65532 --regid 65532 --clear-groups "$OUTCALL" rules fmt -w locked/d.yaml
    refuses 'cannot write "locked/d.yaml": Permission denied'
    [ "$(cat locked/d.yaml)" = 'version:  "1"' ]
}

@test "C-011: what rule files say cannot play tricks on the terminal" {
    printf 'version: "1"\nrules:\n  - id: "a\\e[2Jb"\n    condition: "true"\n    action: allow\n' >"rules/$(printf 'x\033[31m.yaml')"
    offline rules check rules
    [ "$status" = 1 ]
    [ "$(grep -c $'\033' <<<"$output$stderr")" = 0 ]
    [[ ${lines[0]} = 'rules/x\x1b[31m.yaml: '* ]]
    mv rules/*.yaml x.yaml
    offline rules check x.yaml
    [ "$status" = 1 ]
    [ "$(grep -c $'\033' <<<"$output$stderr")" = 0 ]
    [[ $output = x.yaml:3:9:* ]]
}

@test "C-012: the recipes and the cookbook's first rule are good" {
    offline rules check "$OUTCALL_SOURCE/examples/rules"
    [ "$status" = 0 ]
    awk '/^```/ { n++; next } n == 1' "$OUTCALL_SOURCE/docs/cookbook.md" >cookbook.yaml
    offline rules check cookbook.yaml
    says "1 file, 1 rule: no problems."
    offline rules fmt --check cookbook.yaml
    [ "$status" = 0 ]
}

@test "C-013: the commands that ask a daemon say when there is none" {
    for line in 'rules list' 'rules show x' 'rules reload' 'requests list' 'requests show x' 'requests approve x' 'requests reject x'; do
        # shellcheck disable=SC2086
        offline $line
        refuses "cannot connect to outcalld at $T/absent.sock — is it running?"
    done
}

@test "C-014: rules list, show and reload" {
    good a.yaml
    outcalld_start
    run --separate-stderr outcall rules list
    [ "$status" = 0 ]
    [[ ${lines[0]} = "ID "*"ACTION "*"PRIORITY "*"AGENTS "*"HITS "*"ERRORS "*FILE ]]
    [[ ${lines[1]} =~ ^read\ +allow\ +100\ +all\ +0\ +0\ +a.yaml$ ]]
    [[ ${lines[2]} =~ ^broken\ +block\ +200\ +all\ +0\ +0\ +a.yaml$ ]]
    run --separate-stderr outcall rules show read
    says "action:      allow"
    says '  network.hostname == "github.com" && http.method == "GET"'
    run --separate-stderr outcall rules show absent
    refuses 'rule "absent" does not exist'
    sed -i 's/id: broken/id: renamed/' rules/a.yaml
    run --separate-stderr outcall rules reload
    [ "$status" = 0 ]
    [[ $output =~ ^"Rules reloaded: 2 from 1 files, generation "[0-9]+\.$ ]]
    run --separate-stderr outcall rules show renamed
    [ "$status" = 0 ]
    printf 'rules: [\n' >rules/b.yaml
    run --separate-stderr outcall rules reload
    [ "$status" = 1 ]
    [[ $stderr = *b.yaml*2* ]]
    run --separate-stderr outcall --json rules list
    [ "$(jq -r '[.[].id] | join(" ")' <<<"$output")" = "read renamed" ]
}

# submit AGENT ID: asks for a rule file as an agent does, while no daemon runs; prints the request's id.
submit()
{
    cat >wish.yaml <<END
version: "1"
rules:
  - id: $2
    condition: run.tool == "$2"
    action: allow
    description: "\e[2Jharmless"
END
    "$SUBMIT" "$T/state/requests" "$T/rules" "$1" wish.yaml
}

@test "C-015: requests list, show, approve and reject" {
    SUBMIT=$OUTCALL_BUILD/tests/support/submit-rules
    need "$SUBMIT"
    good a.yaml
    outcalld_start
    run --separate-stderr outcall requests list
    says "No rule requests found."
    outcalld_stop
    one=$(submit builder wish)
    two=$(submit builder other)
    outcalld_start
    run --separate-stderr outcall requests list
    [[ ${lines[0]} = "ID "*"AGENT "*"STATUS "*"CREATED "*RULES ]]
    [[ ${lines[1]} =~ ^$one\ +builder\ +pending\ +20[^\ ]+Z\ +wish$ ]]
    [[ ${lines[2]} =~ ^$two\ +builder\ +pending\ +20[^\ ]+Z\ +other$ ]]

    # What is shown is what becomes active, to the byte, but for what a terminal would obey.
    run --separate-stderr outcall requests show "$one"
    [ "$status" = 0 ]
    says "Agent:   builder"
    says "Status:  pending"
    [ "$(grep -c $'\033' <<<"$output")" = 0 ]
    [[ $output = *"What it newly allows:"$'\n'*'rule "wish" allows: '* ]]
    sed -n 's/^  | //p' <<<"$output" >shown
    run --separate-stderr outcall --json requests show "$one"
    jq -j .active_text <<<"$output" >active
    cmp shown active
    grep -q builder active

    run --separate-stderr outcall requests approve "$one"
    says "Request \"$one\" approved."
    says "Rules in force: 3."
    [[ $output = *'rule "wish" allows: '* ]]
    cmp active "rules/agent-$one.yaml"
    run --separate-stderr outcall requests approve "$one"
    says "Request \"$one\" approved."
    run --separate-stderr outcall rules show wish
    [ "$status" = 0 ]

    run --separate-stderr outcall requests reject "$two" --reason "not needed"
    says "Request \"$two\" rejected."
    run --separate-stderr outcall requests show "$two"
    says "Reason:  not needed"
    run --separate-stderr outcall requests approve "$two"
    [ "$status" = 1 ]
    run --separate-stderr outcall requests list --status rejected
    [[ ${lines[1]} = "$two"* ]]
    [ "${#lines[@]}" = 2 ]
    run --separate-stderr outcall requests list --status nonsense
    refuses_like 'status: .*'
    run --separate-stderr outcall requests show rr-000000000000
    refuses 'request "rr-000000000000" does not exist'
    run --separate-stderr outcall requests show ../../rules
    [ "$status" = 1 ]
}
