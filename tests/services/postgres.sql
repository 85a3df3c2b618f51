-- SPDX-License-Identifier: MIT
-- What makes dumps, and tools that put names into statements, stumble: for psql, into an empty
-- database, as a superuser.
\set ON_ERROR_STOP 1
SET client_min_messages = warning;

CREATE EXTENSION pg_trgm;
CREATE EXTENSION hstore;
CREATE EXTENSION btree_gist;

DO $$ BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'odd "role" ü') THEN
		CREATE ROLE "odd ""role"" ü" NOLOGIN;
	END IF;
END $$;

-- names
CREATE SCHEMA "Odd ""quoted"" schema";
CREATE SCHEMA "select";
CREATE TABLE "Odd ""quoted"" schema"."table; DROP TABLE x; --" (
	"column ""one""" integer PRIMARY KEY,
	"select" text NOT NULL DEFAULT 'it''s',
	"Ünï ☃" text,
	"tab	in it" text);
INSERT INTO "Odd ""quoted"" schema"."table; DROP TABLE x; --"
	SELECT n, 'row ' || n, repeat('☃', n % 7), E'\t' || n FROM generate_series(1, 500) AS n;
CREATE INDEX "index; ""odd""" ON "Odd ""quoted"" schema"."table; DROP TABLE x; --" ("select");
CREATE TABLE "select"."from" ("where" integer, "%s %n" text, "${param.x}" text, "\\back\slash" text);
INSERT INTO "select"."from" VALUES (1, '%s', '${param.x}', E'\\N'), (NULL, '', NULL, '\.');
CREATE TABLE public."UPPER" (id integer);
CREATE TABLE public.upper (id integer);
INSERT INTO public."UPPER" VALUES (1);
INSERT INTO public.upper VALUES (2), (3);
CREATE TABLE public."name of sixty-three bytes, the longest that an identifier can ha" (id integer);
CREATE TABLE public."line
break" (id integer);
INSERT INTO public."line
break" VALUES (7);

-- types and values
CREATE TYPE public.mood AS ENUM ('sad', 'it''s "fine"', 'ü');
CREATE TYPE public.pair AS (a integer, b text);
CREATE DOMAIN public.percent AS numeric CHECK (VALUE BETWEEN 0 AND 100);
CREATE TABLE public.kinds (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	twice bigint GENERATED ALWAYS AS (coalesce(whole, 0)::bigint * 2) STORED,
	whole integer, big numeric, half real, full_ double precision, flag boolean,
	stamp timestamptz, day date, span interval, bytes bytea, doc jsonb, tags hstore,
	list integer[], grid text[][], mood public.mood, pair public.pair, share public.percent,
	during tstzrange, address inet, id2 uuid, words tsvector, body text);
INSERT INTO public.kinds (whole, big, half, full_, flag, stamp, day, span, bytes, doc, tags, list, grid,
		mood, pair, share, during, address, id2, words, body) VALUES
	(-2147483648, 'NaN', 'Infinity', '-Infinity', true, 'infinity', '-infinity', '-1 mon 2 days', '\x',
		'{"a": [1, null, "\u2603"]}', '"a b"=>"c\"d", e=>NULL', '{NULL,1}', '{{a,"b,c"},{"{",NULL}}',
		'it''s "fine"', '(1,"x,y")', 99.9, '[2026-01-01,)', '::1', gen_random_uuid(), 'a:1', E'line\nline\r\n'),
	(NULL, 12345678901234567890.000000000001, 1e-37, 0.1, NULL, '1999-12-31 23:59:59.999999+14', '4713-01-01 BC',
		NULL, decode(repeat('00ff0a0d5c', 2000), 'hex'), 'null', '', '{}', NULL, NULL, NULL, 0, 'empty',
		'10.0.0.0/8', NULL, NULL, repeat('long and longer ', 20000));

-- partitions, also of partitions
CREATE TABLE public.measure (at date NOT NULL, sensor integer NOT NULL, value double precision)
	PARTITION BY RANGE (at);
CREATE TABLE public.measure_2025 PARTITION OF public.measure
	FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE public.measure_2026 PARTITION OF public.measure
	FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY HASH (sensor);
CREATE TABLE public.measure_2026_0 PARTITION OF public.measure_2026 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE public.measure_2026_1 PARTITION OF public.measure_2026 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE public.measure_rest PARTITION OF public.measure DEFAULT;
INSERT INTO public.measure SELECT date '2024-12-01' + n % 700, n % 11, n / 3.0 FROM generate_series(1, 3000) AS n;
CREATE INDEX measure_at ON public.measure (at);

-- what refers to other things
CREATE TABLE public.parent (id integer PRIMARY KEY, name text UNIQUE);
CREATE TABLE public.child (id integer PRIMARY KEY, parent integer REFERENCES public.parent
	ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, self integer REFERENCES public.child);
INSERT INTO public.parent SELECT n, 'name ' || n FROM generate_series(1, 100) AS n;
INSERT INTO public.child SELECT n, n % 100 + 1, nullif(n - 1, 0) FROM generate_series(1, 1000) AS n;
CREATE TABLE public.grown (extra text) INHERITS (public.parent);
INSERT INTO public.grown VALUES (1001, 'inherited', 'more');
CREATE TABLE public.booking (room integer, during tstzrange, EXCLUDE USING gist (room WITH =, during WITH &&));
INSERT INTO public.booking VALUES (1, '[2026-01-01,2026-01-02)'), (1, '[2026-01-02,2026-01-03)');
CREATE UNLOGGED TABLE public.scratch AS SELECT n FROM generate_series(1, 50) AS n;
CREATE INDEX parent_words ON public.parent USING gin (name gin_trgm_ops);
CREATE INDEX parent_even ON public.parent ((id / 2)) WHERE id % 2 = 0;
CREATE VIEW public.seen AS SELECT id, name FROM public.parent WHERE name <> '';
CREATE MATERIALIZED VIEW public.kept AS SELECT count(*) AS n FROM public.measure;
CREATE SEQUENCE public."sequence ""at"" 4711" START 4711 INCREMENT -3 MAXVALUE 5000 MINVALUE -100;
SELECT nextval('public."sequence ""at"" 4711"') \g /dev/null
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
	NEW.name := coalesce(NEW.name, 'it''s $1 $$');
	RETURN NEW;
END $body$;
CREATE TRIGGER touch BEFORE INSERT ON public.parent FOR EACH ROW EXECUTE FUNCTION public.touch();
ALTER TABLE public.child ENABLE ROW LEVEL SECURITY;
CREATE POLICY "odd policy" ON public.child USING (id > 10);
GRANT SELECT ON public.parent TO "odd ""role"" ü";
ALTER VIEW public.seen OWNER TO "odd ""role"" ü";
COMMENT ON TABLE public.parent IS E'it''s a "comment"\nof two lines; DROP TABLE child';

-- large objects: an empty one and one of several pages
SELECT lo_create(4242) \g /dev/null
SELECT lo_from_bytea(4243, decode(repeat('00010203ff', 20000), 'hex')) \g /dev/null
GRANT SELECT ON LARGE OBJECT 4243 TO "odd ""role"" ü";
COMMENT ON LARGE OBJECT 4243 IS 'of 100000 bytes';

-- more, for tests that want a size: psql -v rows=N
\if :{?rows}
CREATE TABLE public.bulk (id integer PRIMARY KEY, a text, b double precision);
INSERT INTO public.bulk SELECT n, md5(n::text) || md5((n + 1)::text), n / 7.0 FROM generate_series(1, :rows) AS n;
\endif
ANALYZE;
