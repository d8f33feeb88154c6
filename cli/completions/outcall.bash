# bash completion for outcall(1) and outcalld(8). The words come from the programs' own --help: they cannot drift.
_outcall()
{
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} i help commands
    local -a words=()
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        --) return ;;
        --socket) ((i++)) ;;
        -*) ;;
        *) [ ${#words[@]} -ge 2 ] || words+=("${COMP_WORDS[i]}") ;;
        esac
    done
    help=$("${COMP_WORDS[0]}" "${words[@]}" --help 2>/dev/null) || return
    if [[ $prev == --* && $help == *"$prev "[A-Z]* ]]; then
        return # its argument: file names
    fi
    if [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(grep -oE -- '--[a-z][a-z-]*' <<<"$help" | sort -u)" -- "$cur")
        return
    fi
    commands=$(sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z ]*[a-z]\)  .*/\1/p' <<<"$help" |
        cut -d ' ' -f $((${#words[@]} + 1)) | sort -u)
    mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$cur")
}
complete -o default -F _outcall outcall outcalld
