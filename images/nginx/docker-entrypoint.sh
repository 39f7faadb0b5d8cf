#!/bin/sh
# Fills /etc/nginx/templates into /etc/nginx/conf.d and runs /docker-entrypoint.d, as the published image does.
set -e
if [ "${1-}" = nginx ]; then
    if [ -d /etc/nginx/templates ]; then
        defined=$(awk 'BEGIN { for (name in ENVIRON) if (name ~ /^[A-Za-z_][A-Za-z0-9_]*$/) printf "${%s} ", name }')
        find /etc/nginx/templates -follow -type f -name '*.template' -print | while IFS= read -r template; do
            relative=${template#/etc/nginx/templates/}
            output=/etc/nginx/conf.d/${relative%.template}
            mkdir -p "$(dirname "$output")"
            envsubst "$defined" < "$template" > "$output"
        done
    fi
    for script in /docker-entrypoint.d/*.sh; do
        [ ! -x "$script" ] || "$script"
    done
fi
exec "$@"
