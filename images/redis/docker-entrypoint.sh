#!/bin/sh
# The published image is compiled without protected mode; Debian's binary needs to be told.
set -e
case ${1-} in
    -* | *.conf) set -- redis-server "$@" ;;
esac
if [ "${1-}" = redis-server ]; then
    if [ "$(id -u)" = 0 ]; then
        find . \! -user redis -exec chown redis '{}' +
        exec gosu redis "$0" "$@"
    fi
    umask 0077
    case "$*" in
        *protected-mode*) ;;
        *)
            if ! [ -f "${2-}" ] || ! grep -q '^ *protected-mode' "$2"; then
                set -- "$@" --protected-mode no
            fi
            ;;
    esac
fi
exec "$@"
