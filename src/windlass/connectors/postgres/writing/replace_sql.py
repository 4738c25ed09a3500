"""Queries on Postgres's catalog for `replace.py`. `$1` is always the oid of the table being replaced.

Those that return a column `statement` write SQL, with Postgres's own quoting; `$2` is then the name of
the table to speak of, as SQL.
"""

TABLE_OPTIONS = """
SELECT array_to_string(reloptions, ', ') AS options, relpersistence = 'u' AS unlogged
FROM pg_class WHERE oid = $1::int8::oid
"""

INCOMING_KEYS = """
SELECT format('%I of %s', conname, conrelid::regclass) AS name FROM pg_constraint
WHERE contype = 'f' AND confrelid = $1::int8::oid AND conrelid <> confrelid AND conparentid = 0
"""

# The first reason why only the table itself will do. Dependents that `CARRIED` and its like know are
# left out of the last query, so an object of a kind that nobody thought of is a reason, too.
WHY_IN_PLACE = """
WITH t AS (SELECT * FROM pg_class WHERE oid = $1::int8::oid)
SELECT why FROM (
    SELECT 1 AS rank, 'it belongs to ' || pg_get_userbyid(relowner) AS why FROM t
     WHERE NOT pg_has_role(relowner, 'USAGE') OR NOT has_schema_privilege(relnamespace, 'CREATE')
  UNION ALL SELECT 2, 'it is a partition, or has inheritance' FROM t
     WHERE relispartition OR EXISTS (SELECT FROM pg_inherits WHERE t.oid IN (inhrelid, inhparent))
  UNION ALL SELECT 3, 'it has row security' FROM t
     WHERE relrowsecurity OR EXISTS (SELECT FROM pg_policy WHERE polrelid = t.oid)
  UNION ALL SELECT 4, 'it is a typed table, or has its own tablespace or access method' FROM t
     WHERE reloftype <> 0 OR reltablespace <> 0 OR relam <> (SELECT oid FROM pg_am WHERE amname = 'heap')
  UNION ALL SELECT 5, 'it is in publication ' || p.pubname
     FROM t JOIN pg_publication_rel r ON r.prrelid = t.oid JOIN pg_publication p ON p.oid = r.prpubid
  UNION ALL SELECT 6, 'it has a security label' FROM t
     WHERE EXISTS (SELECT FROM pg_seclabel WHERE objoid = t.oid AND classoid = 'pg_class'::regclass)
  UNION ALL SELECT 7, 'it has privileges granted by ' || pg_get_userbyid(a.grantor)
     FROM t, aclexplode(relacl) a WHERE a.grantor <> relowner
  UNION ALL SELECT 8, 'it belongs to an extension' FROM t
     WHERE EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = t.oid AND deptype = 'e')
  UNION ALL SELECT 9, format('%s, which depends on it, belongs to %s', v.oid::regclass, pg_get_userbyid(v.relowner))
     FROM t JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
     JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
     JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v' WHERE NOT pg_has_role(v.relowner, 'USAGE')
  UNION ALL SELECT 10, pg_describe_object(d.classid, d.objid, d.objsubid) || ' depends on it'
     FROM t JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
     LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
     LEFT JOIN pg_class v ON v.oid = r.ev_class
     LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
     LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
     WHERE (d.classid IN ('pg_attrdef'::regclass, 'pg_statistic_ext'::regclass, 'pg_type'::regclass)
             OR d.classid = 'pg_trigger'::regclass
             OR (v.relkind = 'v' AND r.ev_type = '1') OR v.oid = t.oid
             OR c.relkind IN ('i', 'S', 't')
             OR k.conrelid = t.oid) IS NOT TRUE
  UNION ALL SELECT 11, pg_describe_object(d.classid, d.objid, d.objsubid) || ' depends on its row type'
     FROM t JOIN pg_type y ON y.typrelid = t.oid
     JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid IN (y.oid, y.typarray)
     WHERE d.deptype <> 'i'
  UNION ALL SELECT 12, format('trigger %I fires for each row that arrives', g.tgname)
     FROM t JOIN pg_trigger g ON g.tgrelid = t.oid
     WHERE NOT g.tgisinternal AND g.tgenabled IN ('O', 'A') AND g.tgtype & 5 = 5
  UNION ALL SELECT 13, format('its rows point at each other (%I)', k.conname)
     FROM t JOIN pg_constraint k ON k.conrelid = t.oid AND k.confrelid = t.oid WHERE $2::bool AND k.contype = 'f'
) reasons ORDER BY rank LIMIT 1
"""

# `constraint_kind` for a key that can take over a finished index; `constraint_definition` for one that
# makes its own (EXCLUDE, keys WITHOUT OVERLAPS).
INDEXES = """
SELECT i.indexrelid::int8 AS oid,
       quote_ident(c.relname) AS name,
       format('%I.%I', n.nspname, t.relname) AS table,
       CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END AS unique,
       pg_get_indexdef(i.indexrelid) AS definition,
       CASE WHEN a.amname = 'btree' THEN CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' WHEN 'u' THEN 'UNIQUE' END END
           AS constraint_kind,
       CASE WHEN k.contype = 'x' OR a.amname <> 'btree' THEN pg_get_constraintdef(k.oid) END AS constraint_definition,
       CASE WHEN k.condeferrable THEN 'DEFERRABLE' ELSE '' END
           || CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END AS deferrable
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_am a ON a.oid = c.relam
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x')
WHERE i.indrelid = $1::int8::oid
ORDER BY i.indexrelid
"""

DEFAULT_GRANTS = """
SELECT format('REVOKE ALL ON TABLE %s FROM %s', $2::text,
              CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END) AS statement
FROM pg_class c, aclexplode(c.relacl) x
WHERE c.oid = to_regclass($2::text) AND x.grantee <> c.relowner AND $1::int8 IS NOT NULL
"""

FOREIGN_KEYS = """
SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', $2::text, conname, pg_get_constraintdef(oid)) AS statement
FROM pg_constraint WHERE conrelid = $1::int8::oid AND contype = 'f' AND confrelid <> conrelid
"""

SERIAL_SEQUENCES = """
SELECT format('ALTER SEQUENCE %s OWNED BY %s.%I', s.oid::regclass, $2::text, a.attname) AS statement
FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
  AND d.refobjid = $1::int8::oid AND d.deptype = 'a'
"""

IDENTITY_SEQUENCES = """
SELECT a.attname AS column, s.relname AS name, n.nspname AS schema,
       ARRAY(SELECT format('GRANT %s ON SEQUENCE %I.%I TO %s%s', x.privilege_type, n.nspname, s.relname,
                           CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
                           CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
             FROM aclexplode(s.relacl) x WHERE x.grantee <> s.relowner)
       || ARRAY(SELECT format('COMMENT ON SEQUENCE %I.%I IS %L', n.nspname, s.relname, description)
                FROM pg_description WHERE classoid = 'pg_class'::regclass AND objoid = s.oid)
       || format('ALTER SEQUENCE %I.%I AS %s', n.nspname, s.relname, format_type(q.seqtypid, NULL)) AS settings
FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_namespace n ON n.oid = s.relnamespace JOIN pg_sequence q ON q.seqrelid = s.oid
JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
  AND d.refobjid = $1::int8::oid AND d.deptype = 'i'
"""

# Read while the table is still the old one, executed when the new one has its name. In this order.
CARRIED = (
    """SELECT format('ALTER TABLE %s OWNER TO %I', $2::text, pg_get_userbyid(relowner)) AS statement
       FROM pg_class WHERE oid = $1::int8::oid AND relowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user)""",
    """SELECT format('GRANT %s ON TABLE %s TO %s%s', x.privilege_type, $2::text,
                     CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
                     CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
       FROM pg_class c, aclexplode(c.relacl) x WHERE c.oid = $1::int8::oid AND x.grantee <> c.relowner""",
    """SELECT format('GRANT %s (%I) ON TABLE %s TO %s%s', x.privilege_type, a.attname, $2::text,
                     CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
                     CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS statement
       FROM pg_attribute a, aclexplode(a.attacl) x WHERE a.attrelid = $1::int8::oid AND NOT a.attisdropped""",
    """SELECT format('COMMENT ON TABLE %s IS %L', $2::text, description) AS statement FROM pg_description
       WHERE classoid = 'pg_class'::regclass AND objoid = $1::int8::oid AND objsubid = 0""",
    """SELECT format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', $2::text, attname, attstattarget) AS statement
       FROM pg_attribute WHERE attrelid = $1::int8::oid AND attnum > 0 AND NOT attisdropped AND attstattarget >= 0""",
    """SELECT format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', $2::text, attname, array_to_string(attoptions, ', '))
           AS statement
       FROM pg_attribute WHERE attrelid = $1::int8::oid AND NOT attisdropped AND attoptions IS NOT NULL""",
    """SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s', $2::text, conname, pg_get_constraintdef(oid)) AS statement
       FROM pg_constraint WHERE conrelid = $1::int8::oid AND contype = 'f' AND confrelid = conrelid""",
    """SELECT pg_get_triggerdef(oid) AS statement FROM pg_trigger
       WHERE tgrelid = $1::int8::oid AND NOT tgisinternal AND $2::text IS NOT NULL ORDER BY oid""",
    """SELECT format('ALTER TABLE %s %s TRIGGER %I', $2::text,
                     CASE tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, tgname)
           AS statement
       FROM pg_trigger WHERE tgrelid = $1::int8::oid AND NOT tgisinternal AND tgenabled <> 'O'""",
    """SELECT pg_get_ruledef(oid) AS statement FROM pg_rewrite
       WHERE ev_class = $1::int8::oid AND $2::text IS NOT NULL ORDER BY oid""",
    """SELECT format('ALTER TABLE %s %s RULE %I', $2::text,
                     CASE ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END,
                     rulename) AS statement
       FROM pg_rewrite WHERE ev_class = $1::int8::oid AND ev_enabled <> 'O'""",
    """SELECT format('COMMENT ON %s %I ON %s IS %L', CASE d.classoid WHEN 'pg_trigger'::regclass THEN 'TRIGGER' ELSE 'RULE' END,
                     coalesce(t.tgname, r.rulename), $2::text, d.description) AS statement
       FROM pg_description d
       LEFT JOIN pg_trigger t ON d.classoid = 'pg_trigger'::regclass AND t.oid = d.objoid
       LEFT JOIN pg_rewrite r ON d.classoid = 'pg_rewrite'::regclass AND r.oid = d.objoid
       WHERE coalesce(t.tgrelid, r.ev_class) = $1::int8::oid""",
    """SELECT format('CREATE OR REPLACE VIEW %s%s AS %s', v.oid::regclass,
                     ' WITH (' || array_to_string(v.reloptions, ', ') || ')', pg_get_viewdef(v.oid)) AS statement
       FROM pg_class v WHERE v.relkind = 'v' AND v.oid IN (
           SELECT r.ev_class FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
           WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
             AND d.refobjid = $1::int8::oid AND $2::text IS NOT NULL)
       ORDER BY v.oid""",
)

# Likewise, but executed after the old table is gone: these need names that it still had.
CARRIED_LAST = (
    """SELECT pg_get_statisticsobjdef(oid) AS statement FROM pg_statistic_ext
       WHERE stxrelid = $1::int8::oid AND $2::text IS NOT NULL ORDER BY oid""",
    """SELECT format('ALTER STATISTICS %I.%I SET STATISTICS %s', n.nspname, stxname, stxstattarget) AS statement
       FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = stxnamespace
       WHERE stxrelid = $1::int8::oid AND $2::text IS NOT NULL AND stxstattarget >= 0""",
    """SELECT format('COMMENT ON STATISTICS %I.%I IS %L', n.nspname, stxname, d.description) AS statement
       FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = stxnamespace
       JOIN pg_description d ON d.classoid = 'pg_statistic_ext'::regclass AND d.objoid = s.oid
       WHERE stxrelid = $1::int8::oid AND $2::text IS NOT NULL""",
    """SELECT format('ALTER STATISTICS %I.%I OWNER TO %I', n.nspname, stxname, pg_get_userbyid(stxowner)) AS statement
       FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = stxnamespace
       WHERE stxrelid = $1::int8::oid AND $2::text IS NOT NULL
         AND stxowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user)""",
    """SELECT format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', a.attrelid::regclass, a.attnum, a.attstattarget)
           AS statement
       FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indexrelid
       WHERE i.indrelid = $1::int8::oid AND $2::text IS NOT NULL AND a.attstattarget >= 0""",
    """SELECT format('COMMENT ON INDEX %s IS %L', d.objoid::regclass, d.description) AS statement
       FROM pg_description d JOIN pg_index i ON i.indexrelid = d.objoid
       WHERE d.classoid = 'pg_class'::regclass AND i.indrelid = $1::int8::oid AND $2::text IS NOT NULL""",
    """SELECT format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, $2::text, d.description) AS statement
       FROM pg_description d JOIN pg_constraint k ON k.oid = d.objoid
       WHERE d.classoid = 'pg_constraint'::regclass AND k.conrelid = $1::int8::oid AND k.contype IN ('p', 'u', 'x', 'f')""",
    """SELECT format('ALTER TABLE %s REPLICA IDENTITY %s', $2::text,
                     CASE c.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING'
                          ELSE 'USING INDEX ' || quote_ident(x.relname) END) AS statement
       FROM pg_class c
       LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisreplident LEFT JOIN pg_class x ON x.oid = i.indexrelid
       WHERE c.oid = $1::int8::oid AND c.relreplident <> 'd'""",
    """SELECT format('ALTER TABLE %s CLUSTER ON %I', $2::text, x.relname) AS statement
       FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = $1::int8::oid AND i.indisclustered""",
)
