#!/bin/bash
# Options go to WireMock; anything else is a command of its own.
set -e
if [ "$#" = 0 ] || [ "${1:0:1}" = "-" ]; then
    # shellcheck disable=SC2086  # JAVA_OPTS and WIREMOCK_OPTIONS hold several words each
    exec java $JAVA_OPTS -cp "/var/wiremock/lib/*:/var/wiremock/extensions/*" wiremock.Run "$@" $WIREMOCK_OPTIONS
fi
exec "$@"
