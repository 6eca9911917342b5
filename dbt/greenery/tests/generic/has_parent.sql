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

    select
        child.{{ column_name }} as missing_key,
        parent.{{ field }} is not null as is_excused
    from {{ model }} as child
    left join {{ to }} as parent on child.{{ column_name }} = parent.{{ field }}
    where
        child.{{ column_name }} is not null
        and (parent.{{ field }} is null or parent._deleted_at is not null)

{% endtest %}
