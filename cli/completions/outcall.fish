# fish completion for outcall(1) and outcalld(8). The words come from the programs' own --help: they cannot drift.
function __outcall_words
    set -l tokens (commandline -opc)
    set -l seen
    for token in $tokens[2..]
        test "$token" = --; and return
        string match -q -- '-*' $token; and continue
        test (count $seen) -lt 2; and set -a seen $token
    end
    set -l help ($tokens[1] $seen --help 2>/dev/null)
    string match -rga -- '(--[a-z][a-z-]*)' $help
    set -l field (math (count $seen) + 1)
    string match -rg -- '^  ([a-z]+(?: [a-z]+)?)  ' $help | cut -d ' ' -f $field
end
complete -c outcall -a '(__outcall_words)'
complete -c outcalld -a '(__outcall_words)'
