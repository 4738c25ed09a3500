-- Postgres X: the source, with rows.
CREATE TABLE tb_trx_src (
    id            serial,
    creation_date date,
    sale_value    bigint
);

INSERT INTO tb_trx_src (creation_date, sale_value)
SELECT date '2021-01-01' + (n % 365), (n * 7919) % 100000
FROM generate_series(1, 250000) AS n;
