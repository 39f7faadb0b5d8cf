"""The SQL that gives an environment a database of its own on a shared PostgreSQL instance, and takes it away again.

psql reads it. Nothing of an environment's stands in the text: names and password are variables of the process.
"""

from __future__ import annotations

__all__ = ["CREATE", "DROP"]

_NAMES = r"""\set ON_ERROR_STOP on
\getenv role ROLE
\getenv database DATABASE
"""

CREATE = (
    _NAMES  # noqa: S608 - format() of the server quotes every name
    + r"""\getenv password ROLE_PASSWORD
\getenv template TEMPLATE
SELECT format('CREATE ROLE %I', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', :'role', :'password') \gexec
SELECT format('GRANT %I TO CURRENT_USER', :'role') \gexec
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE %I', :'database', :'role', :'template')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', :'database') \gexec
\connect :"database"
SELECT format('ALTER SCHEMA %I OWNER TO %I', nspname, :'role')
FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' \gexec
SELECT format('ALTER %s %I.%I OWNER TO %I',
              CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                           WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, nspname, relname, :'role')
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND nspname !~ '^pg_' AND nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                  AND (d.deptype = 'e' OR (relkind = 'S' AND d.deptype IN ('a', 'i')))) \gexec
SELECT format('ALTER ROUTINE %s OWNER TO %I', p.oid::regprocedure, :'role')
FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND prokind IN ('f', 'p')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                  AND d.deptype = 'e') \gexec
"""
)
"""Makes role and database, copies the template, and gives the role what is in the copy, as often as it is run.

The template's own objects are not touched: REASSIGN OWNED would change the owner of the template too (PostgreSQL,
REASSIGN OWNED: shared objects).
"""

DROP = (
    _NAMES
    + r"""SELECT format('DROP DATABASE IF EXISTS %I WITH (FORCE)', :'database') \gexec
SELECT format('DROP ROLE IF EXISTS %I', :'role') \gexec
"""
)
"""Takes both away; whoever is connected is thrown out (PostgreSQL 13 and newer)."""
