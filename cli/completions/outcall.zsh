#compdef outcall outcalld
# The words come from the programs' own --help: they cannot drift.
local -a seen options commands
local help i
for ((i = 2; i < CURRENT; i++)); do
    case $words[i] in
    --) _files; return ;;
    --socket) ((i++)) ;;
    -*) ;;
    *) (($#seen < 2)) && seen+=("$words[i]") ;;
    esac
done
help=$($words[1] $seen --help 2>/dev/null) || return 1
if [[ $words[CURRENT-1] == --* && $help == *"$words[CURRENT-1] "[A-Z]* ]]; then
    _files
elif [[ $words[CURRENT] == -* ]]; then
    options=(${(fu)"$(grep -oE -- '--[a-z][a-z-]*' <<<"$help")"})
    compadd -- $options
else
    commands=(${(fu)"$(sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z ]*[a-z]\)  .*/\1/p' <<<"$help" |
        cut -d ' ' -f $(($#seen + 1)))"})
    (($#commands)) && compadd -- $commands || _files
fi
