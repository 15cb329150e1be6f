-- Makes Scoreboard's database and its two roles on a PostgreSQL 14+ server, for psql as a superuser.
-- Safe to run again. Then set the passwords with \password, and run
-- `scoreboard migrate --grant-to scoreboard` as the owner, which makes the tables and gives the service
-- its rights on them.
\set ON_ERROR_STOP on

-- Owns the tables: only `scoreboard migrate` logs in as this role.
SELECT 'CREATE ROLE scoreboard_owner LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'scoreboard_owner')
\gexec

-- Reads and writes rows: `serve`, `persist` and the operator's commands.
SELECT 'CREATE ROLE scoreboard LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'scoreboard')
\gexec

-- UTF-8, since user ids are Unicode; the locale C compares them fast, and alike on every system.
SELECT 'CREATE DATABASE scoreboard OWNER scoreboard_owner TEMPLATE template0 ENCODING ''UTF8'' LOCALE ''C'''
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'scoreboard')
\gexec

REVOKE ALL ON DATABASE scoreboard FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE scoreboard TO scoreboard;

-- Up to PostgreSQL 14 everybody may make tables in the schema public.
\connect scoreboard
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT CREATE ON SCHEMA public TO scoreboard_owner;
