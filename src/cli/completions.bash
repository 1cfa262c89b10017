_FUNCTION() {
    local word words=("${COMP_WORDS[@]:0:COMP_CWORD}")
    # Behind an equals sign bash takes the sign itself for the word.
    if [[ $2 == "=" ]]; then words+=("=" ""); else words+=("$2"); fi
    COMPREPLY=()
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(VARIABLE=bash COMPLETER -- "${words[@]}" 2>/dev/null)
    # No blank behind a folder, or behind a key that wants its value.
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=/] ]]; then compopt -o nospace 2>/dev/null; fi
}
complete -o nosort -F _FUNCTION PROGRAM 2>/dev/null || complete -F _FUNCTION PROGRAM
