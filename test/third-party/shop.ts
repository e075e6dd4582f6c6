// The tables that somebody else copies, what is done to them, and how two of them are compared.

/** `docs`: values outside of its rows are not in an update that leaves them alone, but for its old row. */
export const TABLES = `
  CREATE TABLE items (id bigint PRIMARY KEY, price numeric(12,2) NOT NULL, weight numeric, at timestamptz, local timestamp(3), micros timestamp, day date,
    clock time, raw bytea, uid uuid, doc jsonb, tags text[], flag boolean, small smallint, whole integer, single real, ratio double precision, note text);
  CREATE TABLE docs (area text, number integer, title text, body text, PRIMARY KEY (area, number));
  ALTER TABLE docs REPLICA IDENTITY FULL;
  ALTER TABLE docs ALTER body SET STORAGE EXTERNAL;
  INSERT INTO items SELECT n, n * 1.25, 12345678901234567890.5, '2024-02-29 12:00:00.123456+02', '2024-02-29 12:34:56.789', '1901-12-13 20:45:52.000001',
    '2024-02-29', '12:34:56.789123', decode('00ff', 'hex'), 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '{"a": [1, "x"], "n": 12345678901234567890}',
    ARRAY['a', NULL, 'b "c"'], n % 2 = 0, -7, 2147483647, 1.5, 0.1, repeat('ü', n % 50) FROM generate_series(1, 2000) n;
  INSERT INTO items (id, price) VALUES (9223372036854775807, -0.01);
  INSERT INTO docs SELECT 'a' || n % 7, n, 'title ' || n, repeat('x', 5000) FROM generate_series(1, 300) n;`;

/** In turn; the pipeline runs after each list. */
export const TRADE: readonly (readonly string[])[] = [
  [
    'UPDATE items SET price = price + 1, doc = NULL WHERE id < 500',
    'DELETE FROM items WHERE id BETWEEN 600 AND 700',
    'UPDATE items SET id = id + 50000 WHERE id BETWEEN 800 AND 900',
    'INSERT INTO items (id, price, flag) SELECT n, n, true FROM generate_series(600, 650) n',
    `UPDATE docs SET title = title || ', new' WHERE number % 3 = 0`,
    `UPDATE docs SET area = 'moved' WHERE number < 20`,
    'DELETE FROM docs WHERE number > 290',
  ],
  [
    'ALTER TABLE items ADD COLUMN colour varchar(20)',
    `UPDATE items SET colour = 'red' WHERE id % 10 = 0`,
    "BEGIN; DELETE FROM items WHERE id = 1; INSERT INTO items (id, price, note) VALUES (1, 7, 'again'); UPDATE items SET price = 8 WHERE id = 1; COMMIT",
  ],
];

/** Each row as one text by its key: the same whatever type stands for a value in the copy, where `weight` is a double precision. */
export const CONTENTS: Readonly<Record<string, string>> = {
  items: `SELECT id::text AS key, concat_ws('|', price, coalesce(weight::double precision::text, '-'), coalesce((at AT TIME ZONE 'UTC')::text, '-'),
    coalesce(local::timestamp::text, '-'), coalesce(micros::timestamp::text, '-'), coalesce(day::text, '-'), coalesce(clock::time::text, '-'),
    coalesce(encode(raw, 'hex'), '-'), coalesce(uid::text, '-'), coalesce(doc::jsonb::text, '-'), coalesce(tags::text, '-'), coalesce(flag::text, '-'),
    coalesce(small::text, '-'), coalesce(whole::text, '-'), coalesce(single::text, '-'), coalesce(ratio::text, '-'), coalesce(note, '-'),
    coalesce(colour, '-')) AS row FROM items`,
  docs: `SELECT area || '/' || number AS key, concat_ws('|', title, length(body), md5(body)) AS row FROM docs`,
};
