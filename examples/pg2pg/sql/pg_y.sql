-- Postgres Y: the target, empty. Written for windlass: see README.md.
CREATE TABLE tb_trx_dest (
    id            serial,
    creation_date date,
    sale_value    bigint
);
