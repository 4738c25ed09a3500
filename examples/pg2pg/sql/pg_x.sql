-- Postgres X: the source, with 250,000 made-up sales. Written for windlass, like all of it: see README.md.
CREATE TABLE tb_trx_src (
    id            serial,
    creation_date date,
    sale_value    bigint
);

-- With what real tables of sales have: returns, amounts and dates that nobody entered, values at the edge of their
-- type, a date that a spreadsheet made of 0, and ids that were drawn and never used.
INSERT INTO tb_trx_src (creation_date, sale_value)
SELECT CASE
           WHEN n % 4001 = 0 THEN NULL
           WHEN n = 99999 THEN '1899-12-30'
           ELSE date '2021-01-01' + (n % 365)
       END,
       CASE
           WHEN n % 1009 = 0 THEN NULL
           WHEN n = 77777 THEN 9223372036854775807
           WHEN n = 88888 THEN -9223372036854775808
           WHEN n % 97 = 0 THEN -((n * 7919::bigint) % 100000)
           ELSE (n * 7919::bigint) % 100000
       END
FROM generate_series(1, 251000) AS n;

DELETE FROM tb_trx_src WHERE id BETWEEN 200001 AND 201000;
