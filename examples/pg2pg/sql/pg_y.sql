-- Postgres Y: the target, empty.
CREATE TABLE tb_trx_dest (
    id            serial,
    creation_date date,
    sale_value    bigint
);
