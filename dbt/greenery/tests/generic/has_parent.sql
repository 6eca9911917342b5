{#
    Every key of a child row belongs to a living row of its parent table.

    `to` is a source, not a model: so the test waits for no other model, and the child can be tested
    as soon as it is built. A key that is null asks for no parent.

    A missing parent excuses its children when we know where it went: the shop deleted it, its row
    waits in quarantine, or its person was forgotten. A row in quarantine whose key could not be
    read may be any missing parent, so it excuses one more, whichever that is. All of that is worth
    a look, not a halt; any other missing parent makes wrong numbers. One test has to say both, so
    its count has a sign: above zero, that many real orphans, an error; below zero, only excused
    ones, a warning.
#}
{% test has_parent(model, column_name, to, field) %}

    {{ config(
        fail_calc="coalesce(nullif(count(*) filter (where excuse is null), 0), -count(*))",
        error_if=">0",
        warn_if="!=0"
    ) }}

    with

    children as (

        select {{ column_name }} as parent_key
        from {{ model }}
        where {{ column_name }} is not null

    ),

    parents as (

        select
            {{ field }} as parent_key,
            _deleted_at
        from {{ to }}

    ),

    orphans as (

        select
            children.parent_key,
            cast(children.parent_key as text) as parent_text,
            parents.parent_key is not null as is_deleted
        from children
        left join parents on children.parent_key = parents.parent_key
        where parents.parent_key is null or parents._deleted_at is not null

    ),

    quarantined as (

        select
            row_key ->> '{{ field }}' as parent_text,
            count(*) as row_count
        from {{ source('ops', 'quarantine') }}
        where table_name = '{{ to.identifier }}' and resolved_at is null
        group by 1

    ),

    forgotten as (

        select value_sha256
        from {{ source('ops', 'erased') }}
        where table_name = '{{ to.identifier }}' and column_name = '{{ field }}'

    ),

    orphans_with_reason as (

        select
            orphans.parent_key,
            orphans.parent_text,
            case
                when orphans.is_deleted then 'deleted'
                when quarantined.parent_text is not null then 'in quarantine'
                when forgotten.value_sha256 is not null then 'forgotten'
            end as excuse
        from orphans
        left join quarantined on orphans.parent_text = quarantined.parent_text
        left join forgotten
            on encode(sha256(convert_to(orphans.parent_text, 'UTF8')), 'hex')
            = forgotten.value_sha256

    ),

    unexplained as (

        select count(distinct parent_key) as parent_count
        from orphans_with_reason
        where excuse is null

    )

    select
        orphans_with_reason.parent_key,
        case
            when orphans_with_reason.excuse is not null then orphans_with_reason.excuse
            when unexplained.parent_count <= quarantined.row_count
                then 'perhaps in quarantine, its key is unreadable'
        end as excuse
    from orphans_with_reason
    cross join unexplained
    left join quarantined on quarantined.parent_text is null

{% endtest %}
