#!/bin/sh
# `haproxy` and bare options run as master and workers without a daemon, as in the published image.
set -e
case ${1-} in
    -*) set -- haproxy "$@" ;;
esac
if [ "${1-}" = haproxy ]; then
    shift
    set -- haproxy -W -db "$@"
fi
exec "$@"
