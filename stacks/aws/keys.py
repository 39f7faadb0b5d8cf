"""The script that takes an environment's keys off a shared cache: those that begin with its prefix, and no others.

A shell runs it with redis-cli, as the environment's user, whom the access list lets touch no other keys.
"""

from __future__ import annotations

__all__ = ["UNLINK"]

_STEP = """local found = redis.call('SCAN', ARGV[2], 'MATCH', ARGV[1] .. '*', 'COUNT', 1000)
for _, key in ipairs(found[2]) do redis.call('UNLINK', key) end
return found[1]"""
"""Needs Redis 5 or newer, where a script may write after SCAN (Redis, "Scripting with Lua": effects replication)."""

UNLINK = f"""cursor=0
while :; do
  cursor=$(redis-cli -h "$HOST" -p "$PORT" $TLS --user "$CACHE_USER" --no-auth-warning -e \\
    EVAL "{_STEP}" 0 "$PREFIX" "$cursor") || exit 1
  [ "$cursor" != 0 ] || exit 0
done"""
"""Host, port, user and prefix are variables of the process, as are `TLS`, its option for that, and REDISCLI_AUTH.

It goes in steps of a thousand keys, between which the node serves others: one script for all would hold them up.
"""
