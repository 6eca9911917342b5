{#
    Every key of a child row belongs to a living row of its parent table.

    `to` is a source, not a model: so the test waits for no other model, and the child can be tested
    as soon as it is built. A key that is null asks for no parent.

    A parent that the shop deleted excuses its children: that is worth a look, not a halt. Any other
    missing parent makes wrong numbers. One test has to say both, so its count has a sign:
    above zero, that many real orphans, an error; below zero, only excused ones, a warning.
#}
{% test has_parent(model, column_name, to, field) %}

    {{ config(
        fail_calc="coalesce(nullif(count(*) filter (where not is_excused), 0), -count(*))",
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

    )

    select
        children.parent_key,
        parents.parent_key is not null as is_excused
    from children
    left join parents on children.parent_key = parents.parent_key
    where parents.parent_key is null or parents._deleted_at is not null

{% endtest %}
