"""Groups and their tree."""

GROUPS = "SELECT * FROM quotad.groups WHERE tenant_id = $1 AND group_id = ANY ($2::text[])"
# From each group up to its root: no tree has more levels than $3. OFFSET keeps the look-up of one row apart, so that it
# goes over its index: joined, a young table is scanned once per group.
GROUPS_ABOVE = """
WITH RECURSIVE above AS (
    SELECT g.group_id AS start_id, 1 AS level, g.group_id, g.name, g.parent_group_id
    FROM quotad.groups AS g WHERE g.tenant_id = $1 AND g.group_id = ANY ($2::text[])
    UNION ALL
    SELECT a.start_id, a.level + 1, parent.group_id, parent.name, parent.parent_group_id
    FROM above AS a
    CROSS JOIN LATERAL (
        SELECT g.group_id, g.name, g.parent_group_id FROM quotad.groups AS g
        WHERE g.tenant_id = $1 AND g.group_id = a.parent_group_id
        OFFSET 0
    ) AS parent
    WHERE a.level < $3
)
SELECT start_id, group_id, name FROM above ORDER BY start_id, level
"""
# The levels of a group and what is below it, counted no further than one too many.
LEVELS_BELOW = """
WITH RECURSIVE below AS (
    SELECT 1 AS level, $2::text AS group_id
    UNION ALL
    SELECT b.level + 1, child.group_id
    FROM below AS b
    CROSS JOIN LATERAL (
        SELECT g.group_id FROM quotad.groups AS g
        WHERE g.tenant_id = $1 AND g.parent_group_id = b.group_id AND g.delete_time IS NULL
        OFFSET 0
    ) AS child
    WHERE b.level <= $3
)
SELECT max(level) FROM below
"""

GROUP_BY_REQUEST = "SELECT group_id FROM quotad.groups WHERE tenant_id = $1 AND request_id = $2"
INSERT_GROUP = """
INSERT INTO quotad.groups (tenant_id, group_id, request_id, name, parent_group_id, etag, create_time, update_time)
VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp())
"""
UPDATE_GROUP = """
UPDATE quotad.groups SET name = $3, parent_group_id = $4, etag = $5, update_time = clock_timestamp()
WHERE tenant_id = $1 AND group_id = $2
"""
GROUP_IN_USE = """
SELECT EXISTS (SELECT FROM quotad.api_keys WHERE tenant_id = $1 AND group_id = $2 AND delete_time IS NULL)
    OR EXISTS (SELECT FROM quotad.groups WHERE tenant_id = $1 AND parent_group_id = $2 AND delete_time IS NULL)
"""
DELETE_GROUP = """
UPDATE quotad.groups SET delete_time = clock_timestamp(), update_time = clock_timestamp(), etag = $3
WHERE tenant_id = $1 AND group_id = $2
"""
LIST_GROUPS = """
SELECT group_id FROM quotad.groups
WHERE tenant_id = $1 AND delete_time IS NULL AND group_id > $2 AND ($3 = '' OR name = $3)
ORDER BY group_id LIMIT $4
"""
