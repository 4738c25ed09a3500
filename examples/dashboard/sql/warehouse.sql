-- The tables whose types are not left to what comes first. Maturities (ttm) are in months, yields in percent.
CREATE TABLE t_bills_2year (date date PRIMARY KEY, yield numeric(6,3) NOT NULL);
CREATE TABLE t_bills_10year (LIKE t_bills_2year INCLUDING ALL);
CREATE TABLE t_bills_30year (LIKE t_bills_2year INCLUDING ALL);

CREATE TABLE yield_curve (
    date date PRIMARY KEY,
    "1_mo" numeric(5,2) NOT NULL,
    "2_mo" numeric(5,2) NOT NULL,
    "3_mo" numeric(5,2) NOT NULL,
    "4_mo" numeric(5,2) NOT NULL,
    "6_mo" numeric(5,2) NOT NULL,
    "1_yr" numeric(5,2) NOT NULL,
    "2_yr" numeric(5,2) NOT NULL,
    "3_yr" numeric(5,2) NOT NULL,
    "5_yr" numeric(5,2) NOT NULL,
    "7_yr" numeric(5,2) NOT NULL,
    "10_yr" numeric(5,2) NOT NULL,
    "20_yr" numeric(5,2) NOT NULL,
    "30_yr" numeric(5,2) NOT NULL
);
CREATE TABLE yield_curve_latest (ttm integer PRIMARY KEY, ytm numeric(5,2) NOT NULL);
CREATE TABLE yield_curve_half_a_year_ago (LIKE yield_curve_latest INCLUDING ALL);
CREATE TABLE yield_curve_a_year_ago (LIKE yield_curve_latest INCLUDING ALL);

CREATE TABLE project_tasks (
    gid text PRIMARY KEY, name text NOT NULL, assignee text, created_at timestamptz NOT NULL, age_in_days numeric(8,2) NOT NULL
);
CREATE TABLE product_feed (
    link text PRIMARY KEY, title text NOT NULL, published_at timestamptz NOT NULL, age_in_hours numeric(6,2) NOT NULL
);
