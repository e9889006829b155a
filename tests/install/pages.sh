# shellcheck shell=sh
# Manual pages, and what shells complete.

SHARE=/usr/share
# zsh looks elsewhere on Debian.
if [ -e /etc/debian_version ]; then ZSH=vendor-completions; else ZSH=site-functions; fi

pages_here() {
    find $SHARE/man/man8 $SHARE/bash-completion $SHARE/fish $SHARE/zsh -name '*redis*' \
        \( -path '*/man8/keepalived-redis*' -o -name '*redis_master*' -o -name '*check_redis*' \) 2>/dev/null | sort
}

test_each_program_has_a_manual_page_and_is_completed_in_three_shells() {
    run 0 install
    says "installed the manual pages and completions below /usr/share"
    for program in check_redis redis_master redis_backup redis_fault redis_stop keepalived-redis; do
        for file in "man/man8/$program.8" "bash-completion/completions/$program" "fish/vendor_completions.d/$program.fish" \
            "zsh/$ZSH/_$program"; do
            is "644 root:root" "$(stat -c '%a %U:%G' "$SHARE/$file")" "$SHARE/$file"
        done
    done
    [ -f $SHARE/man/man8/keepalived-redis-rollback-list.8 ] || fail "no page of a word of a word"
    remember
    run 0 install
    nothing_changed
    says "nothing to change"
}

test_pages_of_another_version_are_replaced_and_those_of_words_that_are_gone_removed() {
    run 0 install
    echo old >$SHARE/man/man8/redis_stop.8
    echo old >$SHARE/man/man8/keepalived-redis-juggle.8
    run 0 install
    absent $SHARE/man/man8/keepalived-redis-juggle.8
    grep -q '^\.SH "EXIT STATUS"' $SHARE/man/man8/redis_stop.8 || fail "the old page is there"
}

test_uninstall_removes_the_pages_and_no_others() {
    before=$(pages_here)
    is "" "$before" "pages of ours on a new machine"
    echo other >$SHARE/man/man8/redis_other.8
    run 0 install
    [ -n "$(pages_here)" ] || fail "no pages to remove"
    run 0 "$SOURCE/install.sh" --uninstall
    says "removed the manual pages and completions below /usr/share"
    is "" "$(pages_here)" "pages that are left"
    is other "$(cat $SHARE/man/man8/redis_other.8)" "the page of somebody else"
}

test_programs_without_pages_beside_them_are_installed_all_the_same() {
    mkdir -p "$TMP/far/away/bin"
    cp "$BIN_DIR"/* "$TMP/far/away/bin"
    run 0 "$SOURCE/install.sh" --bin-dir "$TMP/far/away/bin"
    says "note: no manual pages beside the programs: neither in $TMP/far/away/bin/share nor in $TMP/far/away/bin/../../share"
    is "" "$(pages_here)" "pages"
    # As cargo and install.sh leave them where they were built.
    mkdir "$TMP/far/away/bin/share"
    cp -r "$BIN_DIR/../../share/man" "$TMP/far/away/bin/share"
    run 0 "$SOURCE/install.sh" --bin-dir "$TMP/far/away/bin"
    [ -f $SHARE/man/man8/check_redis.8 ] || fail "no page"
}

test_a_dry_run_says_so_of_pages_and_changes_nothing() {
    remember
    run 0 install --dry-run
    nothing_changed
    says "would install the manual pages and completions below /usr/share"
}
